import type { Candidate, PickContext } from "../policy.ts";
import { weightedLists } from "./weighted-list.ts";

/** What two draws are compared by. `typicalWeight` is the mean of the candidates'. */
export interface Comparison {
  ofFirst(upstream: Candidate, now: number, typicalWeight: number): number;
  ofSecond(upstream: Candidate, now: number, typicalWeight: number): number;
}

/**
 * The power of two choices: draw two, take the better one. It levels load nearly as well as a scan for the best, and does
 * not herd: several proxies that share upstreams do not all fall on the same one.
 *
 * Both draws are by weight, so that weights hold while nothing speaks against the first draw. What speaks against it is
 * the policy's business: it says what the first draw is worth, and what the second, each as a number where less is better.
 * The second is taken only when its number is the lower one.
 */
export class TwoChoices {
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

  /** How likely each candidate is to be picked, exactly: every ordered pair is looked at. */
  chances({ candidates, now }: PickContext): number[] {
    if (candidates.length === 1) return [1];
    const { total } = this.#weighted(candidates);
    const typicalWeight = total / candidates.length;
    const chances = candidates.map(() => 0);
    const worth = candidates.map((upstream) => this.#comparison.ofSecond(upstream, now, typicalWeight));
    for (const [one, first] of candidates.entries()) {
      const bound = this.#comparison.ofFirst(first, now, typicalWeight);
      const drawn = first.effectiveWeight / total / (total - first.effectiveWeight);
      for (const [other, second] of candidates.entries()) {
        if (one === other) continue;
        const taken = (worth[other] as number) < bound ? other : one;
        (chances[taken] as number) += drawn * second.effectiveWeight;
      }
    }
    return chances;
  }
}
