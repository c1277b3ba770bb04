import { expect, test } from "vitest";
import { Balancer } from "../../src/balancer/balancer.ts";
import { policies } from "../../src/balancer/policies.ts";
import { policyContract } from "../contract/policy-contract.ts";
import { memberOf, poolOf } from "../support/pools.ts";

policyContract("least-requests", policies["least-requests"], { shares: "exact" });

test("the upstream with the fewest requests for its weight is picked; ties take turns", () => {
  const { pool, runtime } = poolOf({ a: 2, b: 1, c: 1 });
  const balancer = new Balancer(pool, { policy: "least-requests" }, runtime);
  const trace = Array.from({ length: 8 }, () => {
    const upstream = balancer.pick();
    if (upstream === undefined) throw new Error("no upstream");
    pool.begin(upstream);
    return upstream.id;
  });
  expect(trace.slice(0, 4).sort()).toEqual(["a", "a", "b", "c"]);
  expect(trace.slice(4).sort()).toEqual(["a", "a", "b", "c"]);
  expect(pool.upstreams.map(({ inFlight }) => inFlight)).toEqual([4, 2, 2]);
});

test("a slow upstream gets no further request while another one has fewer in flight", () => {
  const { pool, runtime } = poolOf({ slow: 1, quick: 1 });
  const balancer = new Balancer(pool, { policy: "least-requests" }, runtime);
  let slow = 0;
  for (let request = 0; request < 1_000; request++) {
    const upstream = balancer.pick();
    if (upstream === undefined) throw new Error("no upstream");
    const attempt = pool.begin(upstream);
    if (upstream.id === "slow") slow++;
    else attempt.settle("success");
  }
  expect(slow).toBe(1);
  expect(memberOf(pool, "slow").inFlight).toBe(1);
});
