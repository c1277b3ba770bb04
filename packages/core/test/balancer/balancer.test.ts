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
  test("is the pool's `balance` unless the balancer's options name another", () => {
    const { pool, runtime } = poolOf({ a: 1 }, { balance: "least-requests" });
    expect(new Balancer(pool, {}, runtime).policy.name).toBe("least-requests");
    expect(new Balancer(pool, { policy: "random" }, runtime).policy.name).toBe("random");
    expect(new Balancer(poolOf({}).pool).policy.name).toBe("p2c");
  });

  test("is a new instance for each balancer", () => {
    const { pool } = poolOf({ a: 1, b: 1 }, { balance: "round-robin" });
    const [first, second] = [new Balancer(pool), new Balancer(pool)];
    expect(first.policy).not.toBe(second.policy);
    expect([first.pick()?.id, second.pick()?.id]).toEqual(["a", "a"]);
  });

  test.each(["roundrobin", "__proto__", "constructor", ""])(
    "%j does not exist, and throws an `OptionsError`",
    (name) => {
      const { pool } = poolOf({ a: 1 });
      const make = () => new Balancer(pool, { policy: name as PolicyName });
      expect(make).toThrow(OptionsError);
    },
  );

  test("may be custom, and gets candidates, key and random source", () => {
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
    ["an object that is no upstream", () => ({ id: "a" })],
    ["an upstream of another pool", () => poolOf({ a: 1 }).pool.upstreams[0]],
    ["an excluded upstream", (pool) => pool.get("a")],
    [
      "nothing, and throws",
      () => {
        throw new TypeError("policy");
      },
    ],
  ])("that is custom fails when it picks %s", (_name, pick) => {
    const { pool } = poolOf({ a: 1, b: 1 });
    const balancer = new Balancer(pool, { policy: { name: "own", pick: () => pick(pool) as Upstream } });
    const picking = () => balancer.pick({ exclude: pool.upstreams.slice(0, 1) });
    expect(picking).toThrow(ProxyError);
    expect(picking).toThrow(expect.objectContaining({ code: "policy_failed", status: 500 }));
  });

  test("that is custom cannot change the candidates of the next pick", () => {
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

  test("is never called without candidates", () => {
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

test("the table of policies is complete, and each policy has its name", () => {
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
