import type { Candidate, PickContext, Policy, Weighed } from "../policy.ts";
import type { Random } from "../runtime/random.ts";
import { formatNumber } from "./format-number.ts";
import { SmoothWeightedRoundRobin, weighCounters } from "./smooth-weighted-round-robin.ts";
import { type WeightedList, weightedLists } from "./weighted-list.ts";

/**
 * Picks the upstream with the fewest requests in flight relative to its weight. Ties are resolved by smooth weighted round
 * robin, as in nginx's least_conn. Scans every candidate.
 */
export class LeastRequests implements Policy {
  readonly name = "least-requests";
  readonly #weighted = weightedLists();
  readonly #ties: SmoothWeightedRoundRobin;
  /** Reused by every scan. */
  readonly #tied: number[] = [];

  constructor(random?: Random) {
    this.#ties = new SmoothWeightedRoundRobin(random);
  }

  pick({ candidates }: PickContext): Candidate {
    const list = this.#weighted(candidates);
    const tied = this.#scan(list);
    const picked = tied.length === 1 ? tied[0] : this.#ties.next(list, tied);
    return candidates[picked as number] as Candidate;
  }

  weigh({ candidates }: PickContext): Weighed[] {
    const list = this.#weighted(candidates);
    const tied = this.#scan(list);
    const turns = weighCounters(this.#ties.peek(list, tied));
    return candidates.map(({ inFlight, effectiveWeight }, index) => {
      const turn = turns[tied.indexOf(index)];
      const load = `${inFlight} in flight for weight ${formatNumber(effectiveWeight)}`;
      if (turn === undefined) return { chance: 0, because: `${load}, others have fewer` };
      return {
        chance: turn.chance,
        because: tied.length === 1 ? `${load}, the fewest` : `${load}, tied: ${turn.because}`,
      };
    });
  }

  /** Returns the indices of the candidates with the least load. */
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
