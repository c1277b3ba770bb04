import type { Candidate, PickContext, Policy } from "../policy.ts";

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

  pick({ candidates }: PickContext): Candidate {
    let total = 0;
    for (const upstream of candidates) total += upstream.effectiveWeight;
    const bound = 2 * total;
    let best = candidates[0] as Candidate;
    let bestCounter = -Infinity;
    for (const upstream of candidates) {
      const before = this.#counters[upstream.slot] ?? 0;
      const counter = Math.max(-bound, Math.min(bound, before)) + upstream.effectiveWeight;
      this.#counters[upstream.slot] = counter;
      if (counter > bestCounter) {
        best = upstream;
        bestCounter = counter;
      }
    }
    this.#counters[best.slot] = bestCounter - total;
    return best;
  }
}
