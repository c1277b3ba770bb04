import { describe, expect, test } from "vitest";
import { Balancer } from "../../src/balancer/balancer.ts";
import type { PolicyName } from "../../src/config/options.ts";
import type { Upstream } from "../../src/pool/upstream.ts";
import { type MemberSketch, memberOf, poolOf } from "../support/pools.ts";

/** A pool with a balancer, both on seeded chance. */
function balance(policy: PolicyName, members: Readonly<Record<string, MemberSketch>>) {
  const { pool, runtime } = poolOf(members);
  const balancer = new Balancer(pool, { policy }, runtime);
  /** How often each is picked, when each request has ended before the next one comes. */
  const count = (picks: number): Record<string, number> => {
    const counts = Object.fromEntries(pool.upstreams.map(({ id }) => [id, 0]));
    for (let pick = 0; pick < picks; pick++) {
      const id = balancer.pick()?.id ?? "nobody";
      counts[id] = (counts[id] ?? 0) + 1;
    }
    return counts;
  };
  return { pool, balancer, count };
}

function expectShares(
  counts: Record<string, number>,
  weights: Readonly<Record<string, number>>,
  tolerance: number,
): void {
  const picks = Object.values(counts).reduce((sum, count) => sum + count, 0);
  const total = Object.values(weights).reduce((sum, weight) => sum + weight, 0);
  for (const [id, weight] of Object.entries(weights)) {
    expect(Math.abs((counts[id] ?? 0) / picks - weight / total), `share of ${id}`).toBeLessThanOrEqual(tolerance);
  }
}

/**
 * What every policy owes its callers.
 *
 * `exactCycle`: the shares are exact over as many picks as the weights sum to; others keep them over a long run.
 */
export function policyContract(policy: PolicyName, { exactCycle }: { readonly exactCycle: boolean }): void {
  describe(`the contract of ${policy}`, () => {
    test("calls itself by its name", () => {
      expect(balance(policy, {}).balancer.policy.name).toBe(policy);
    });

    test("an empty pool has nobody", () => {
      expect(balance(policy, {}).balancer.pick()).toBeUndefined();
    });

    test("one upstream is always it", () => {
      expect(balance(policy, { a: 1 }).count(50)).toEqual({ a: 50 });
    });

    test("nobody is picked who was tried before, and nobody at all once all were", () => {
      const { pool, balancer } = balance(policy, { a: 5, b: 1, c: 1 });
      for (let round = 0; round < 100; round++) {
        const tried: Upstream[] = [];
        for (let upstream = balancer.pick(); upstream !== undefined; upstream = balancer.pick({ exclude: tried })) {
          expect(tried).not.toContain(upstream);
          tried.push(upstream);
        }
        expect(tried).toHaveLength(pool.upstreams.length);
      }
    });

    test.each<[string, Readonly<Record<string, number>>]>([
      ["equal", { a: 1, b: 1, c: 1 }],
      ["3:1", { a: 3, b: 1 }],
      ["5:1:1", { a: 5, b: 1, c: 1 }],
      ["256:1", { a: 256, b: 1 }],
      ["many", { a: 1, b: 2, c: 3, d: 4, e: 5, f: 6, g: 7 }],
    ])("shares are those of the weights: %s", (_name, weights) => {
      const { count } = balance(policy, weights);
      const cycle = Object.values(weights).reduce((sum, weight) => sum + weight, 0);
      if (exactCycle) expect(count(cycle)).toEqual(weights);
      else expectShares(count(20_000), weights, 0.03);
    });

    test("weight 0 is never picked", () => {
      const { balancer, count } = balance(policy, { a: 0, b: 1, c: 2 });
      expect(count(3_000)["a"]).toBe(0);
      for (let round = 0; round < 100; round++) {
        const first = balancer.pick();
        const second = balancer.pick({ exclude: first === undefined ? [] : [first] });
        expect([first?.id, second?.id].sort()).toEqual(["b", "c"]);
      }
    });

    test("a weight that changes midway holds from the next picks on", () => {
      const { pool, count } = balance(policy, { a: 3, b: 1 });
      count(1_001);
      pool.setWeight("a", 1);
      expectShares(count(exactCycle ? 100 : 20_000), { a: 1, b: 1 }, 0.03);
      pool.setWeight("b", 0);
      expect(count(100)).toEqual({ a: 100, b: 0 });
      pool.setWeight("b", 4);
      expectShares(count(exactCycle ? 100 : 20_000), { a: 1, b: 4 }, 0.03);
    });

    test("neither the heaviest nor the lightest gets a burst when all weights fall", () => {
      const { pool, count } = balance(policy, { a: 256, b: 256 });
      count(1_001);
      pool.setWeight("a", 1);
      pool.setWeight("b", 1);
      expectShares(count(100), { a: 1, b: 1 }, exactCycle ? 0.03 : 0.15);
    });

    test("a member that goes leaves its share to the others, and one that comes gets its own", () => {
      const { pool, count } = balance(policy, { a: 1, b: 1, c: 2 });
      count(997);
      pool.setState("c", "draining");
      expectShares(count(exactCycle ? 200 : 20_000), { a: 1, b: 1 }, 0.03);
      pool.remove("a");
      pool.add({ id: "d", url: "http://d.internal", weight: 3 });
      expectShares(count(exactCycle ? 200 : 20_000), { b: 1, d: 3 }, 0.03);
    });

    test("five equal upstreams get a fifth each of 1,500 picks, give or take four in a hundred", () => {
      expectShares(
        balance(policy, { a: 1, b: 1, c: 1, d: 1, e: 1 }).count(1_500),
        { a: 1, b: 1, c: 1, d: 1, e: 1 },
        0.04,
      );
    });

    test("the same chance gives the same picks", () => {
      const trace = () => {
        const { balancer } = balance(policy, { a: 5, b: 3, c: 1 });
        return Array.from({ length: 200 }, () => balancer.pick()?.id).join("");
      };
      expect(trace()).toBe(trace());
    });

    test("an unhealthy, a full and a disabled upstream are never offered", () => {
      const { pool, count } = balance(policy, { a: 1, b: { maxInFlight: 1 }, c: 1, d: 1 });
      pool.setHealth(memberOf(pool, "a"), "unhealthy", "status 503");
      pool.begin(memberOf(pool, "b"));
      pool.setState("c", "disabled");
      expect(count(100)).toEqual({ a: 0, b: 0, c: 0, d: 100 });
    });
  });
}
