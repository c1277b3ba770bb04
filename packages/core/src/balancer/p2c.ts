import type { Candidate, PickContext, Policy } from "../policy.ts";
import { drawByWeight } from "./random.ts";

/**
 * Picks the less busy of two distinct upstreams drawn at random: the power of two choices.
 *
 * Unlike a scan for the least busy it does not herd when several proxies share the upstreams. Both draws are by weight and
 * the comparison is of in-flight requests per weight, where the first draw wins a tie: an idle pool is shared exactly by
 * weight, and a busy one is levelled. (Drawing evenly and comparing (inFlight + 1) / weight would send an idle pool's whole
 * traffic to its heaviest upstream.)
 */
export class PowerOfTwoChoices implements Policy {
  readonly name = "p2c";

  pick({ candidates, random }: PickContext): Candidate {
    const first = drawByWeight(candidates, random);
    if (candidates.length === 1) return first;
    const second = drawByWeight(candidates, random, first);
    return second.inFlight * first.effectiveWeight < first.inFlight * second.effectiveWeight ? second : first;
  }
}
