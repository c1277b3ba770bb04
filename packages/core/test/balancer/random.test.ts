import { describe, expect, test } from "vitest";
import { Balancer } from "../../src/balancer/balancer.ts";
import { drawByWeight } from "../../src/balancer/random.ts";
import { policyContract } from "../contract/policy-contract.ts";
import { memberOf, poolOf } from "../support/pools.ts";

policyContract("random", { exactCycle: false });

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

  test("leaves out whom it is told to, unless there is nobody else", () => {
    const { pool } = poolOf({ a: 3, b: 1 });
    const a = memberOf(pool, "a");
    expect(drawByWeight(pool.candidates, () => 0, a).id).toBe("b");
    expect(drawByWeight(pool.candidates, () => 0.999, a).id).toBe("b");
    expect(drawByWeight([a], () => 0.5, a).id).toBe("a");
  });
});
