import type { Candidate, PickContext, Policy } from "../policy.ts";
import { RoundRobin } from "./round-robin.ts";

/**
 * Picks the upstream with the fewest requests in flight for its weight; ties go by smooth round robin, as in nginx's
 * least_conn. Scans every candidate.
 */
export class LeastRequests implements Policy {
  readonly name = "least-requests";
  readonly #ties = new RoundRobin();

  pick(context: PickContext): Candidate {
    let least = Infinity;
    let tied: Candidate[] = [];
    for (const upstream of context.candidates) {
      const load = upstream.inFlight / upstream.effectiveWeight;
      if (load > least) continue;
      if (load < least) tied = [];
      least = load;
      tied.push(upstream);
    }
    return tied.length === 1 ? (tied[0] as Candidate) : this.#ties.pick({ ...context, candidates: tied });
  }
}
