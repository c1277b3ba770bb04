import { expect, test } from "vitest";
import { Balancer } from "../../src/balancer/balancer.ts";
import { policies } from "../../src/balancer/policies.ts";
import { policyContract } from "../contract/policy-contract.ts";
import { type MemberSketch, memberOf, poolOf } from "../support/pools.ts";
import { simulateTraffic } from "../support/simulated-traffic.ts";

policyContract("p2c", policies.p2c, { shares: "random" });

function balance(members: Readonly<Record<string, MemberSketch>>) {
  const { pool, runtime } = poolOf(members);
  return { pool, runtime, balancer: new Balancer(pool, { policy: "p2c" }, runtime) };
}

test("of two upstreams, the less loaded one is always picked", () => {
  const { pool, balancer } = balance({ a: 1, b: 1 });
  pool.begin(memberOf(pool, "a"));
  for (let pick = 0; pick < 100; pick++) expect(balancer.pick()?.id).toBe("b");
});

test("load is relative to the weight", () => {
  const { pool, balancer } = balance({ a: 4, b: 1 });
  for (let count = 0; count < 3; count++) pool.begin(memberOf(pool, "a"));
  pool.begin(memberOf(pool, "b"));
  // 3/4 against 1/1.
  for (let pick = 0; pick < 100; pick++) expect(balancer.pick()?.id).toBe("a");
});

test("the most loaded of several upstreams is never picked", () => {
  const { pool, balancer } = balance({ a: 1, b: 1, c: 1, d: 1 });
  pool.begin(memberOf(pool, "c"));
  for (let pick = 0; pick < 500; pick++) expect(balancer.pick()?.id).not.toBe("c");
});

test("long requests are levelled by weight", () => {
  const { pool, runtime, balancer } = balance({ a: 3, b: 1, c: 1, d: 1 });
  const open: { settle(outcome: "success"): void }[] = [];
  for (let request = 0; request < 6_000; request++) {
    const upstream = balancer.pick();
    if (upstream === undefined) throw new Error("no upstream");
    open.push(pool.begin(upstream));
    if (open.length > 600) open.splice(Math.floor(runtime.random() * open.length), 1)[0]?.settle("success");
  }
  for (const [id, share] of [
    ["a", 300],
    ["b", 100],
    ["c", 100],
    ["d", 100],
  ] as const) {
    expect(Math.abs(memberOf(pool, id).inFlight - share), id).toBeLessThan(share * 0.2);
  }
});

test.each<[string, Readonly<Record<string, number>>]>([
  ["1:1", { a: 1, b: 1 }],
  ["3:1", { a: 3, b: 1 }],
  ["10:1:1", { a: 10, b: 1, c: 1 }],
  ["5:1:1:1:1:1", { a: 5, b: 1, c: 1, d: 1, e: 1, f: 1 }],
])("shares are within 3 %% of the weights at any load: %s", (_name, weights) => {
  const upstreams = Object.keys(weights).length;
  const total = Object.values(weights).reduce((sum, weight) => sum + weight, 0);
  for (const inFlightEach of [0.01, 0.2, 1, 2, 4]) {
    const perSecond = inFlightEach * upstreams * 50;
    const { run } = simulateTraffic("p2c", weights, {
      perSecond,
      behaviour: (_upstream, _now, random) => ({ ms: -20 * Math.log(1 - random()) }),
    });
    for (const [id, picks] of Object.entries(run(10_000))) {
      const deviation = Math.abs(picks / 10_000 - (weights[id] as number) / total);
      expect(deviation, `${id} at ${inFlightEach} in flight for each`).toBeLessThan(0.03);
    }
  }
});
