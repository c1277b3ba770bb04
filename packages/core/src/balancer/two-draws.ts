import type { Candidate, PickContext, Weighed } from "../policy.ts";
import { weightedLists } from "./weighted-list.ts";

/** The cost of each draw; less is better. `typicalWeight` is the mean weight of the candidates. */
export interface Comparison {
  ofFirst(upstream: Candidate, now: number, typicalWeight: number): number;
  ofSecond(upstream: Candidate, now: number, typicalWeight: number): number;
}

/**
 * The power of two choices: draws two candidates and picks the better one. It levels load nearly as well as a scan for the
 * best, and several proxies with the same upstreams do not all pick the same one.
 *
 * Both draws are by weight. The policy supplies the cost of each draw, and the second is picked only when its cost is lower:
 * so shares equal the weights while the costs do not differ.
 */
export class TwoDraws {
  readonly #comparison: Comparison;
  readonly #weighted = weightedLists();

  constructor(comparison: Comparison) {
    this.#comparison = comparison;
  }

  pick({ candidates, random, now }: PickContext): Candidate {
    if (candidates.length === 1) return candidates[0] as Candidate;
    const list = this.#weighted(candidates);
    const drawn = list.draw(random);
    const first = candidates[drawn] as Candidate;
    const second = candidates[list.drawAnother(random, drawn)] as Candidate;
    const typicalWeight = list.total / candidates.length;
    const bound = this.#comparison.ofFirst(first, now, typicalWeight);
    return this.#comparison.ofSecond(second, now, typicalWeight) < bound ? second : first;
  }

  /** Returns the exact probability of each candidate, with the numbers that `describe` formats. */
  weigh(context: PickContext, describe: (upstream: Candidate, now: number) => string): Weighed[] {
    const chances = this.#chances(context);
    return context.candidates.map((upstream, index) => ({
      chance: chances[index] as number,
      because: describe(upstream, context.now),
    }));
  }

  /** From every ordered pair of draws. */
  #chances({ candidates, now }: PickContext): number[] {
    if (candidates.length === 1) return [1];
    const { total } = this.#weighted(candidates);
    const typicalWeight = total / candidates.length;
    const chances = candidates.map(() => 0);
    const costs = candidates.map((upstream) => this.#comparison.ofSecond(upstream, now, typicalWeight));
    for (const [one, first] of candidates.entries()) {
      const bound = this.#comparison.ofFirst(first, now, typicalWeight);
      const drawn = first.effectiveWeight / total / (total - first.effectiveWeight);
      for (const [other, second] of candidates.entries()) {
        if (one === other) continue;
        const taken = (costs[other] as number) < bound ? other : one;
        (chances[taken] as number) += drawn * second.effectiveWeight;
      }
    }
    return chances;
  }
}
