import type { Upstream } from "../pool/upstream.ts";
import type { PickContext, Policy } from "./policy.ts";

/**
 * Gives each upstream its exact share, spread as evenly as whole picks allow.
 *
 * nginx's smooth weighted round robin: at each pick every candidate's counter grows by its weight, the largest counter
 * is picked, and the total of the weights is taken off it. Weights 5, 1, 1 give a a b a c a a, and the counters are back
 * at zero. Linear in the number of candidates. The counters always sum to zero over an unchanged set; a weight that
 * changes keeps its counter, so that nobody gets a burst.
 */
export class RoundRobin implements Policy {
  readonly name = "round-robin";
  /** By slot. */
  readonly #counters: number[] = [];

  pick({ candidates }: PickContext): Upstream {
    let total = 0;
    let best = candidates[0] as Upstream;
    let bestCounter = -Infinity;
    for (const upstream of candidates) {
      const weight = upstream.effectiveWeight;
      const counter = (this.#counters[upstream.slot] ?? 0) + weight;
      this.#counters[upstream.slot] = counter;
      total += weight;
      if (counter > bestCounter) {
        best = upstream;
        bestCounter = counter;
      }
    }
    this.#counters[best.slot] = bestCounter - total;
    return best;
  }
}
