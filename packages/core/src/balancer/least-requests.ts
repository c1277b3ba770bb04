import type { Candidate, PickContext, Policy, Weighed } from "../policy.ts";
import { figure } from "./figure.ts";
import { RoundRobin } from "./round-robin.ts";

/**
 * Picks the upstream with the fewest requests in flight for its weight; ties go by smooth round robin, as in nginx's
 * least_conn. Scans every candidate.
 */
export class LeastRequests implements Policy {
  readonly name = "least-requests";
  readonly #ties = new RoundRobin();
  /** Filled anew by each scan. */
  readonly #tied: Candidate[] = [];

  pick({ candidates }: PickContext): Candidate {
    const tied = this.#scan(candidates);
    return tied.length === 1 ? (tied[0] as Candidate) : this.#ties.pick({ candidates: tied });
  }

  weigh({ candidates }: PickContext): Weighed[] {
    const tied = this.#scan(candidates);
    const turns = this.#ties.weigh({ candidates: tied });
    return candidates.map((upstream) => {
      const turn = turns[tied.indexOf(upstream)];
      const load = `${upstream.inFlight} in flight for weight ${figure(upstream.effectiveWeight)}`;
      if (turn === undefined) return { chance: 0, because: `${load}, others have fewer` };
      return {
        chance: turn.chance,
        because: tied.length === 1 ? `${load}, the fewest` : `${load}, tied: ${turn.because}`,
      };
    });
  }

  /** Those with the least load. */
  #scan(candidates: readonly Candidate[]): readonly Candidate[] {
    const tied = this.#tied;
    tied.length = 0;
    let least = Infinity;
    for (const upstream of candidates) {
      const load = upstream.inFlight / upstream.effectiveWeight;
      if (load > least) continue;
      if (load < least) tied.length = 0;
      least = load;
      tied.push(upstream);
    }
    return tied;
  }
}
