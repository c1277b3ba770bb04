import { expect, test } from "vitest";
import { Balancer } from "../../src/balancer/balancer.ts";
import { policies } from "../../src/balancer/policies.ts";
import { policyContract } from "../contract/policy-contract.ts";
import { poolOf } from "../support/pools.ts";

policyContract("first", policies.first, { shares: "first" });

test("requests spill over to the next upstream while the first is full", () => {
  const { pool, runtime } = poolOf({ a: { maxInFlight: 2 }, b: { maxInFlight: 1, weight: 256 }, c: 1 });
  const balancer = new Balancer(pool, { policy: "first" }, runtime);
  const begun = Array.from({ length: 5 }, () => {
    const upstream = balancer.pick();
    if (upstream === undefined) throw new Error("no upstream");
    return pool.begin(upstream);
  });
  expect(begun.map(({ upstream }) => upstream.id).join(" ")).toBe("a a b c c");
  begun[1]?.settle("success");
  expect(balancer.pick()?.id).toBe("a");
});
