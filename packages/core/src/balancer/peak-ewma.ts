import { limits } from "../config/defaults.ts";
import type { Candidate, PickContext, Policy } from "../policy.ts";
import { drawByWeight } from "./random.ts";

/** A success rate below this counts as this, so that an upstream which has failed for long is not out for good. */
const leastSuccess = 0.05;
/** How much better the second draw has to be: nearly equal upstreams share by weight, and none starves (Traefik issue 12306). */
const clearlyBetter = 0.8;

/**
 * Picks the one of two, drawn by weight, that is likely to answer sooner: recent latency, times what waits for it already,
 * over its share of successes (Finagle's Peak EWMA with the error term that linkerd and Envoy found missing).
 */
export class PeakEwmaPolicy implements Policy {
  readonly name = "peak-ewma";

  pick({ candidates, random, now }: PickContext): Candidate {
    const first = drawByWeight(candidates, random);
    if (candidates.length === 1) return first;
    const second = drawByWeight(candidates, random, first);
    return costOf(second, now) < costOf(first, now) * clearlyBetter ? second : first;
  }
}

/**
 * The expected wait. Both draws are by weight already, so the weight counts here for what is in flight alone. Of an upstream
 * that has never answered nothing is known: it gets one request, and no more before that has come back.
 */
function costOf({ responsiveness, inFlight, effectiveWeight }: Candidate, now: number): number {
  const known = responsiveness.costAt(now);
  const cost = known === 0 && inFlight > 0 ? limits.failurePenaltyMs : known;
  return (cost * (1 + inFlight / effectiveWeight)) / Math.max(leastSuccess, responsiveness.successAt(now));
}
