import type { Candidate, PickContext, Policy, Weighed } from "../policy.ts";
import { totalWeight } from "./by-weight.ts";
import { figure } from "./figure.ts";

/**
 * Gives each upstream its exact share, spread as evenly as whole picks allow.
 *
 * nginx's smooth weighted round robin: at each pick every candidate's counter grows by its weight, the largest counter
 * is picked, and the total of the weights is taken off it. Weights 5, 1, 1 give a a b a c a a, and the counters are back
 * at zero. Linear in the number of candidates. A weight that changes keeps its counter, but no counter is further from
 * zero than two rounds, which an unchanged set never reaches: else 256:256 that becomes 1:1 would send one upstream
 * hundreds of requests in a row to even out the last of the old weights.
 */
export class RoundRobin implements Policy {
  readonly name = "round-robin";
  /** By slot. */
  readonly #counters: number[] = [];

  pick({ candidates }: Pick<PickContext, "candidates">): Candidate {
    const total = totalWeight(candidates);
    let best = candidates[0] as Candidate;
    let bestCounter = -Infinity;
    for (const upstream of candidates) {
      const counter = this.#nextCounter(upstream, total);
      this.#counters[upstream.slot] = counter;
      if (counter > bestCounter) {
        best = upstream;
        bestCounter = counter;
      }
    }
    this.#counters[best.slot] = bestCounter - total;
    return best;
  }

  weigh({ candidates }: Pick<PickContext, "candidates">): Weighed[] {
    const total = totalWeight(candidates);
    const counters = candidates.map((upstream) => this.#nextCounter(upstream, total));
    const next = counters.indexOf(Math.max(...counters));
    return counters.map((counter, index) => ({
      chance: index === next ? 1 : 0,
      because: `counter ${figure(counter)}, ${index === next ? "its turn" : `behind ${figure(counters[next] as number)}`}`,
    }));
  }

  #nextCounter({ slot, effectiveWeight }: Candidate, total: number): number {
    const bound = 2 * total;
    let counter = this.#counters[slot] ?? 0;
    if (counter > bound) counter = bound;
    if (counter < -bound) counter = -bound;
    return counter + effectiveWeight;
  }
}
