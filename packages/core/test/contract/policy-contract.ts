import { describe, expect, test } from "vitest";
import { Balancer } from "../../src/balancer/balancer.ts";
import { sharesByWeight } from "../../src/balancer/weight-share.ts";
import type { PoolSettings } from "../../src/config/options.ts";
import type { Policy, Weighed } from "../../src/policy.ts";
import type { Pool } from "../../src/pool/pool.ts";
import type { Upstream } from "../../src/pool/upstream.ts";
import { type MemberSketch, memberOf, poolOf } from "../support/pools.ts";

/** How a policy applies weights. */
export interface PolicyTraits {
  /**
   * "exact": exact shares over as many picks as the weights sum to. "random": each pick at random by weight. "by-key": by
   * weight over many keys, with one upstream for each key. "first": no weights, the first upstream takes everything.
   */
  readonly shares: "exact" | "random" | "by-key" | "first";
}

type Weights = Readonly<Record<string, number>>;

const fifths: Weights = { a: 1, b: 1, c: 1, d: 1, e: 1 };

/** The contract of every policy. */
export function policyContract(name: string, create: () => Policy, { shares }: PolicyTraits): void {
  /** Enough picks to measure the shares. */
  const enough = shares === "exact" ? 200 : 20_000;

  /** A pool with a balancer, both with a seeded random source. */
  function balance(members: Readonly<Record<string, MemberSketch>>, settings: PoolSettings = {}) {
    const { pool, runtime, clock } = poolOf(members, settings);
    const balancer = new Balancer(pool, { policy: create() }, runtime);
    let requests = 0;
    const pick = (exclude: readonly Upstream[] = []): Upstream | undefined =>
      balancer.pick({ exclude, ...(shares === "by-key" && { key: `user-${requests++}` }) });
    /** Counts the picks of each upstream when requests do not overlap. */
    const count = (picks: number): Record<string, number> => {
      const counts = Object.fromEntries(pool.upstreams.map(({ id }) => [id, 0]));
      for (let done = 0; done < picks; done++) {
        const id = pick()?.id ?? "no upstream";
        counts[id] = (counts[id] ?? 0) + 1;
      }
      return counts;
    };
    return { pool, runtime, clock, balancer, pick, count };
  }

  function expectShares(counts: Weights, weights: Weights, tolerance = 0.03): void {
    const picks = sum(counts);
    if (shares === "first") {
      const first = Object.keys(weights).find((id) => weights[id] !== 0);
      expect(counts[first as string]).toBe(picks);
      return;
    }
    for (const [id, weight] of Object.entries(weights)) {
      const deviation = Math.abs((counts[id] ?? 0) / picks - weight / sum(weights));
      expect(deviation, `share of ${id}`).toBeLessThanOrEqual(tolerance);
    }
  }

  describe(`the contract of ${name}`, () => {
    test("has its name", () => {
      expect(balance({}).balancer.policy.name).toBe(name);
    });

    test("an empty pool yields undefined", () => {
      expect(balance({}).pick()).toBeUndefined();
    });

    test("a single upstream is always picked", () => {
      expect(balance({ a: 1 }).count(50)).toEqual({ a: 50 });
    });

    test("an excluded upstream is not picked, and undefined is returned once all are excluded", () => {
      const { pool, pick } = balance({ a: 5, b: 1, c: 1 });
      for (let round = 0; round < 100; round++) {
        const tried: Upstream[] = [];
        for (let upstream = pick(); upstream !== undefined; upstream = pick(tried)) {
          expect(tried).not.toContain(upstream);
          tried.push(upstream);
        }
        expect(tried).toHaveLength(pool.upstreams.length);
      }
    });

    test.each<[string, Weights]>([
      ["equal", { a: 1, b: 1, c: 1 }],
      ["3:1", { a: 3, b: 1 }],
      ["5:1:1", { a: 5, b: 1, c: 1 }],
      ["256:1", { a: 256, b: 1 }],
      ["many", { a: 1, b: 2, c: 3, d: 4, e: 5, f: 6, g: 7 }],
    ])("shares equal the weights: %s", (_name, weights) => {
      const { count } = balance(weights);
      if (shares === "exact") expect(count(sum(weights))).toEqual(weights);
      else expectShares(count(enough), weights);
    });

    test("weight 0 is never picked", () => {
      const { pick, count } = balance({ a: 0, b: 1, c: 2 });
      expect(count(3_000)["a"]).toBe(0);
      for (let round = 0; round < 100; round++) {
        const first = pick();
        const second = pick(first === undefined ? [] : [first]);
        expect([first?.id, second?.id].sort()).toEqual(["b", "c"]);
      }
    });

    test("slow start scales the weight as it grows", () => {
      const { pool, clock, count } = balance({ a: 1, b: 1 }, { slowStart: { window: "40s" } });
      pool.setHealth(memberOf(pool, "b"), "unhealthy", "status 503");
      count(20);
      pool.setHealth(memberOf(pool, "b"), "healthy", "status 200");
      expectShares(count(enough), { a: 1, b: 0.1 });
      clock.advance(20_000);
      expectShares(count(enough), { a: 1, b: 0.5 });
      clock.advance(20_000);
      expectShares(count(enough), { a: 1, b: 1 });
    });

    test("feedback and announced load scale the weight, fractions included", () => {
      const { pool, count } = balance({ a: 2, b: 1, c: 1 });
      pool.effectiveWeights.setFeedback(memberOf(pool, "a"), 0.25, "slow");
      pool.effectiveWeights.announce(memberOf(pool, "c"), 0.7);
      expectShares(count(enough), { a: 0.5, b: 1, c: 0.3 });
    });

    test("a changed weight applies from the next pick on", () => {
      const { pool, count } = balance({ a: 3, b: 1 });
      count(1_001);
      pool.setWeight("a", 1);
      expectShares(count(enough), { a: 1, b: 1 });
      pool.setWeight("b", 0);
      expect(count(100)).toEqual({ a: 100, b: 0 });
      pool.setWeight("b", 4);
      expectShares(count(enough), { a: 1, b: 4 });
    });

    test("no upstream gets a burst when all weights fall", () => {
      const { pool, count } = balance({ a: 256, b: 256 });
      count(1_001);
      pool.setWeight("a", 1);
      pool.setWeight("b", 1);
      expectShares(count(100), { a: 1, b: 1 }, shares === "exact" ? 0.03 : 0.15);
    });

    test("a member that leaves frees its share, and one that joins gets its share", () => {
      const { pool, count } = balance({ a: 1, b: 1, c: 2 });
      count(997);
      pool.setState("c", "draining");
      expectShares(count(enough), { a: 1, b: 1 });
      pool.remove("a");
      pool.add({ id: "d", url: "http://d.internal", weight: 3 });
      expectShares(count(enough), { b: 1, d: 3 });
    });

    test("five equal upstreams get 16 to 24 % each of 1,500 picks", () => {
      expectShares(balance(fifths).count(1_500), fifths, 0.04);
    });

    test("the same seed gives the same picks", () => {
      const trace = () => {
        const { pick } = balance({ a: 5, b: 3, c: 1 });
        return Array.from({ length: 200 }, () => pick()?.id).join("");
      };
      expect(trace()).toBe(trace());
    });

    test("unhealthy, full and disabled upstreams are never candidates", () => {
      const { pool, count } = balance({ a: 1, b: { maxInFlight: 1 }, c: 1, d: 1 });
      pool.setHealth(memberOf(pool, "a"), "unhealthy", "status 503");
      pool.begin(memberOf(pool, "b"));
      pool.setState("c", "disabled");
      expect(count(100)).toEqual({ a: 0, b: 0, c: 0, d: 100 });
    });
  });

  describe(`weigh of ${name}`, () => {
    /** A policy after some traffic, with the context for `weigh`. The last member has a fractional weight. */
    function asked(members: Weights, inFlight: Weights) {
      const { pool, runtime, clock } = poolOf(members);
      const policy = create();
      const context = (key = "user-7") => ({
        candidates: pool.candidatesExcept([]),
        key: shares === "by-key" ? key : undefined,
        random: runtime.random,
        now: clock.now(),
      });
      for (let warmUp = 0; warmUp < 17; warmUp++) policy.pick(context());
      respondOnce(pool);
      pool.effectiveWeights.setFeedback(pool.upstreams.at(-1) as Upstream, 0.25, "slow");
      clock.advance(500);
      for (const [id, requests] of Object.entries(inFlight)) {
        for (let open = 0; open < requests; open++) pool.begin(memberOf(pool, id));
      }
      const weigh = (): readonly Weighed[] => policy.weigh?.(context()) ?? sharesByWeight(context().candidates);
      return { policy, context, weigh };
    }

    test.each<[string, Weights, Weights]>([
      ["one", { a: 3 }, { a: 2 }],
      ["idle", { a: 3, b: 1, c: 1 }, {}],
      ["busy", { a: 3, b: 1, c: 1, d: 2 }, { a: 5, b: 2, c: 0, d: 1 }],
      ["equal and busy", fifths, { a: 1, b: 2, c: 1, d: 1, e: 3 }],
    ])("gives the probabilities of the next pick, and changes nothing: %s", (_name, members, inFlight) => {
      const { policy, context, weigh } = asked(members, inFlight);
      const weighed = weigh();
      expect(sum(weighed.map(({ chance }) => chance))).toBeCloseTo(1, 9);
      expect(weighed.every(({ because }) => because.length > 0)).toBe(true);
      expect(weigh()).toEqual(weighed);

      const { candidates } = context();
      const picks = shares === "random" ? 20_000 : 1;
      const counts = candidates.map(() => 0);
      for (let done = 0; done < picks; done++) {
        const picked = candidates.indexOf(policy.pick(context()) as Upstream);
        counts[picked] = (counts[picked] ?? 0) + 1;
      }
      for (const [index, { chance }] of weighed.entries()) {
        const seen = (counts[index] ?? 0) / picks;
        if (shares === "random") expect(Math.abs(seen - chance), candidates[index]?.id).toBeLessThan(0.02);
        else expect(seen).toBe(chance);
      }
    });
  });
}

/** Settles one request on each member, each slower than the one before. */
function respondOnce(pool: Pool): void {
  for (const [index, upstream] of pool.upstreams.entries()) {
    const attempt = pool.begin(upstream);
    attempt.responded(20 * (index + 1), 200);
    attempt.settle("success");
  }
}

function sum(numbers: Weights | readonly number[]): number {
  return Object.values(numbers).reduce((total, number) => total + number, 0);
}
