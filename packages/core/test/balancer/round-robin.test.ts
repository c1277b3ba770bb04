import { describe, expect, test } from "vitest";
import { Balancer } from "../../src/balancer/balancer.ts";
import { policies } from "../../src/balancer/policies.ts";
import { policyContract } from "../contract/policy-contract.ts";
import { memberOf, poolOf } from "../support/pools.ts";

policyContract("round-robin", policies["round-robin"], { shares: "exact" });

function tracer(members: Readonly<Record<string, number>>) {
  const { pool, runtime } = poolOf(members);
  const balancer = new Balancer(pool, { policy: "round-robin" }, runtime);
  const trace = (picks: number) => Array.from({ length: picks }, () => balancer.pick()?.id).join(" ");
  return { pool, balancer, trace };
}

describe("traces", () => {
  test.each([
    [{ a: 5, b: 1, c: 1 }, "a a b a c a a"],
    [{ a: 1, b: 1, c: 1 }, "a b c"],
    [{ a: 3, b: 1 }, "a a b a"],
    [{ a: 2, b: 3 }, "b a b a b"],
    [{ a: 4, b: 2, c: 1 }, "a b a c a b a"],
  ])("%j gives %s, repeatedly", (weights, expected) => {
    const { trace } = tracer(weights);
    const cycle = expected.split(" ").length;
    expect(trace(cycle)).toBe(expected);
    expect(trace(cycle)).toBe(expected);
  });

  test("a new weight applies to the next pick", () => {
    const { pool, trace } = tracer({ a: 3, b: 1 });
    expect(trace(4)).toBe("a a b a");
    pool.setWeight("a", 1);
    expect(trace(4)).toBe("a b a b");
    pool.setWeight("b", 3);
    expect(trace(4)).toBe("b a b b");
  });

  test("an upstream that was unavailable gets no compensation", () => {
    const { pool, trace } = tracer({ a: 1, b: 1 });
    trace(2);
    pool.setHealth(memberOf(pool, "b"), "unhealthy", "status 503");
    expect(trace(50)).toBe(Array(50).fill("a").join(" "));
    pool.setHealth(memberOf(pool, "b"), "healthy", "status 200");
    expect(trace(4)).toBe("a b a b");
  });

  test("a new member in a reused slot is not affected by the old counter for long", () => {
    const { pool, trace } = tracer({ a: 256, b: 1 });
    trace(128);
    pool.remove("a");
    pool.add({ id: "c", url: "http://c.internal", weight: 1 });
    expect(
      trace(10)
        .split(" ")
        .filter((id) => id === "c").length,
    ).toBeGreaterThanOrEqual(3);
  });
});
