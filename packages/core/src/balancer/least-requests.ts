import type { Candidate, PickContext, Policy, Weighed } from "../policy.ts";
import { figure } from "./format-number.ts";
import { SmoothTurns, weighTurns } from "./smooth-weighted-round-robin.ts";
import { type WeightedList, weightedLists } from "./weighted-list.ts";

/**
 * Picks the upstream with the fewest requests in flight for its weight; ties go by smooth round robin, as in nginx's
 * least_conn. Scans every candidate.
 */
export class LeastRequests implements Policy {
  readonly name = "least-requests";
  readonly #weighted = weightedLists();
  readonly #ties = new SmoothTurns();
  /** Filled anew by each scan. */
  readonly #tied: number[] = [];

  pick({ candidates }: PickContext): Candidate {
    const list = this.#weighted(candidates);
    const tied = this.#scan(list);
    const picked = tied.length === 1 ? tied[0] : this.#ties.take(list, tied);
    return candidates[picked as number] as Candidate;
  }

  weigh({ candidates }: PickContext): Weighed[] {
    const list = this.#weighted(candidates);
    const tied = this.#scan(list);
    const turns = weighTurns(this.#ties.ahead(list, tied));
    return candidates.map(({ inFlight, effectiveWeight }, index) => {
      const turn = turns[tied.indexOf(index)];
      const load = `${inFlight} in flight for weight ${figure(effectiveWeight)}`;
      if (turn === undefined) return { chance: 0, because: `${load}, others have fewer` };
      return {
        chance: turn.chance,
        because: tied.length === 1 ? `${load}, the fewest` : `${load}, tied: ${turn.because}`,
      };
    });
  }

  /** The indices of those with the least load. */
  #scan({ candidates, weights }: WeightedList): readonly number[] {
    const tied = this.#tied;
    tied.length = 0;
    let least = Infinity;
    for (let index = 0; index < weights.length; index++) {
      const load = (candidates[index] as Candidate).inFlight / (weights[index] as number);
      if (load > least) continue;
      if (load < least) tied.length = 0;
      least = load;
      tied.push(index);
    }
    return tied;
  }
}
