import { describe, expect, test } from "vitest";
import { Balancer } from "../../src/balancer/balancer.ts";
import { policies } from "../../src/balancer/policies.ts";
import { OptionsError } from "../../src/config/issues.ts";
import type { PolicyName } from "../../src/config/options.ts";
import { ProxyError } from "../../src/errors.ts";
import type { PickContext, Policy } from "../../src/policy.ts";
import type { Pool } from "../../src/pool/pool.ts";
import type { Upstream } from "../../src/pool/upstream.ts";
import { poolOf } from "../support/pools.ts";

describe("the policy", () => {
  test("is the pool's own unless the balancer is told another", () => {
    const { pool, runtime } = poolOf({ a: 1 }, { balance: "least-requests" });
    expect(new Balancer(pool, {}, runtime).policy.name).toBe("least-requests");
    expect(new Balancer(pool, { policy: "random" }, runtime).policy.name).toBe("random");
    expect(new Balancer(poolOf({}).pool).policy.name).toBe("p2c");
  });

  test("is a fresh one for each balancer", () => {
    const { pool } = poolOf({ a: 1, b: 1 }, { balance: "round-robin" });
    const [first, second] = [new Balancer(pool), new Balancer(pool)];
    expect(first.policy).not.toBe(second.policy);
    expect([first.pick()?.id, second.pick()?.id]).toEqual(["a", "a"]);
  });

  test.each(["roundrobin", "__proto__", "constructor", ""])("%j does not exist, and the error says so", (name) => {
    const { pool } = poolOf({ a: 1 });
    const make = () => new Balancer(pool, { policy: name as PolicyName });
    expect(make).toThrow(OptionsError);
  });

  test("may be one's own, and is told what it needs", () => {
    const contexts: PickContext[] = [];
    const last: Policy = {
      name: "last",
      pick: (context) => {
        contexts.push(context);
        return context.candidates.at(-1) ?? (context.candidates[0] as PickContext["candidates"][0]);
      },
    };
    const { pool, runtime } = poolOf({ a: 1, b: 1, c: 1 });
    const balancer = new Balancer(pool, { policy: last }, runtime);
    const first = balancer.pick({ key: "10.0.0.7" });
    expect(first?.id).toBe("c");
    expect(balancer.pick({ exclude: first === undefined ? [] : [first] })?.id).toBe("b");
    expect(contexts.map(({ candidates, key }) => [candidates.map(({ id }) => id), key])).toEqual([
      [["a", "b", "c"], "10.0.0.7"],
      [["a", "b"], undefined],
    ]);
    expect(contexts[0]?.random).toBe(runtime.random);
  });

  test.each<[string, (pool: Pool) => unknown]>([
    ["nothing", () => undefined],
    ["what is no upstream", () => ({ id: "a" })],
    ["one of another pool", () => poolOf({ a: 1 }).pool.upstreams[0]],
    ["one that was excluded", (pool) => pool.get("a")],
    [
      "by throwing",
      () => {
        throw new TypeError("policy");
      },
    ],
  ])("that is one's own may not pick %s", (_name, pick) => {
    const { pool } = poolOf({ a: 1, b: 1 });
    const balancer = new Balancer(pool, { policy: { name: "own", pick: () => pick(pool) as Upstream } });
    const picking = () => balancer.pick({ exclude: pool.upstreams.slice(0, 1) });
    expect(picking).toThrow(ProxyError);
    expect(picking).toThrow(expect.objectContaining({ code: "policy_failed", status: 500 }));
  });

  test("that is one's own cannot change what the next pick is made from", () => {
    const { pool } = poolOf({ a: 1, b: 1, c: 1 });
    const meddling: Policy = {
      name: "meddling",
      pick: ({ candidates }) => (candidates as Upstream[]).reverse()[0] as Upstream,
    };
    const balancer = new Balancer(pool, { policy: meddling });
    expect(() => balancer.pick()).toThrow(expect.objectContaining({ code: "policy_failed" }));
    expect(balancer.pick({ exclude: pool.upstreams.slice(0, 1) })?.id).toBe("c");
    expect(pool.candidates.map(({ id }) => id)).toEqual(["a", "b", "c"]);
    expect(new Balancer(pool, { policy: "first" }).pick()?.id).toBe("a");
  });

  test("is never asked to choose from nothing", () => {
    const never: Policy = {
      name: "never",
      pick: () => {
        throw new Error("asked");
      },
    };
    expect(new Balancer(poolOf({}).pool, { policy: never }).pick()).toBeUndefined();
    expect(new Balancer(poolOf({ a: 0 }).pool, { policy: never }).pick()).toBeUndefined();
  });
});

test("the table of policies is complete and each calls itself by its name", () => {
  const names = Object.entries(policies).map(([name, create]) => [name, create().name]);
  expect(names).toEqual([
    ["p2c", "p2c"],
    ["round-robin", "round-robin"],
    ["least-requests", "least-requests"],
    ["random", "random"],
    ["peak-ewma", "peak-ewma"],
    ["hash", "hash"],
    ["first", "first"],
  ]);
});
