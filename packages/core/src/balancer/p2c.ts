import type { Candidate, PickContext, Policy, Weighed } from "../policy.ts";
import { formatNumber } from "./format-number.ts";
import { type Comparison, TwoDraws } from "./two-draws.ts";

/**
 * Requests in flight per weight. Half of the new request counts for the second draw: the middle between its load now and its
 * load with the request. With equal weights the second draw must have one request less than the first to be picked.
 */
const loadPerWeight: Comparison = {
  ofFirst: ({ inFlight, effectiveWeight }) => inFlight / effectiveWeight,
  ofSecond: ({ inFlight, effectiveWeight }) => (inFlight + 0.5) / effectiveWeight,
};

/**
 * Picks the less loaded of two upstreams drawn by weight: an idle pool is shared by weight, the load of a busy one is
 * levelled.
 *
 * The half request keeps shares within 3 % of the weights at any load. Without it, an idle light upstream beats a heavy one
 * with a single request: with weights 10:1:1 and one request for each, the heavy one gets 62 % instead of 83 %. With a whole
 * request for both draws (nginx's random two) it gets 98 %, since the weight alone then decides while nothing is in flight.
 */
export class PowerOfTwoChoices implements Policy {
  readonly name = "p2c";
  readonly #draws = new TwoDraws(loadPerWeight);

  pick(context: PickContext): Candidate {
    return this.#draws.pick(context);
  }

  weigh(context: PickContext): Weighed[] {
    return this.#draws.weigh(
      context,
      ({ inFlight, effectiveWeight }) => `weight ${formatNumber(effectiveWeight)}, ${inFlight} in flight`,
    );
  }
}
