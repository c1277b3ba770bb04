import { describe, expect, test } from "vitest";
import { Balancer } from "../../src/balancer/balancer.ts";
import { policies } from "../../src/balancer/policies.ts";
import { WeightedList } from "../../src/balancer/weighted-list.ts";
import { policyContract } from "../contract/policy-contract.ts";
import { memberOf, poolOf } from "../support/pools.ts";

policyContract("random", policies.random, { shares: "random" });

describe("a draw", () => {
  test.each([
    [0, "a"],
    [0.499, "a"],
    [0.5, "b"],
    [0.666, "b"],
    [0.667, "c"],
    [0.999_999_999, "c"],
  ])("of %s from 3:1:2 is %s", (chance, id) => {
    const { pool } = poolOf({ a: 3, b: 1, c: 2 });
    expect(new Balancer(pool, { policy: "random" }, { random: () => chance }).pick()?.id).toBe(id);
  });

  test("of a second upstream never yields the first one", () => {
    const { pool } = poolOf({ a: 3, b: 1, c: 2 });
    const { candidates } = pool;
    const list = new WeightedList(candidates);
    const drawn = (first: string, chance: number) =>
      candidates[list.drawAnother(() => chance, candidates.indexOf(memberOf(pool, first)))]?.id;
    expect([drawn("a", 0), drawn("a", 0.34), drawn("a", 1 - 2 ** -53)]).toEqual(["b", "c", "c"]);
    expect([drawn("c", 0), drawn("c", 0.74), drawn("c", 1 - 2 ** -53)]).toEqual(["a", "a", "b"]);
  });
});
