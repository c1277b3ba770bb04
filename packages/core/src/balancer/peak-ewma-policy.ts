import { limits } from "../config/defaults.ts";
import type { Candidate, PickContext, Policy, Weighed } from "../policy.ts";
import { figure } from "./format-number.ts";
import { type Comparison, TwoChoices } from "./two-draws.ts";

/** A success rate below this counts as this, so that an upstream which has failed for long is not out for good. */
const leastSuccess = 0.05;
/** What the second draw's wait may be of the first's. */
const clearlyBetter = 2 / 3;

/** As in p2c, half of this request is counted with what the second draw carries. */
const wait: Comparison = {
  ofFirst: (upstream, now, typicalWeight) => waitFor(upstream, upstream.inFlight, now, typicalWeight) * clearlyBetter,
  ofSecond: (upstream, now, typicalWeight) => waitFor(upstream, upstream.inFlight + 0.5, now, typicalWeight),
};

/**
 * Picks the one of two, drawn by weight, that is likely to answer sooner: recent latency, times what it carries already for
 * its weight, over its share of successes (Finagle's Peak EWMA with the error term that linkerd and Envoy found missing).
 *
 * The second draw has to be clearly better. Latencies are noisy, and a peak is remembered for ten seconds: were the
 * slightest difference enough, one of several equal upstreams would be left alone after each peak (Traefik issue 12306), and
 * a heavy one would lose to light ones more than they can lose to it. With two thirds and half a request, five equal
 * upstreams keep a fifth each, give or take four in a hundred, where 1 answer in 100 takes twice the usual time; and
 * one that is ten times slower than the others gets 1 % of the requests.
 */
export class PeakEwmaPolicy implements Policy {
  readonly name = "peak-ewma";
  readonly #two = new TwoChoices(wait);

  pick(context: PickContext): Candidate {
    return this.#two.pick(context);
  }

  weigh(context: PickContext): Weighed[] {
    const chances = this.#two.chances(context);
    return context.candidates.map(({ responsiveness, inFlight, effectiveWeight }, index) => ({
      chance: chances[index] as number,
      because:
        `weight ${figure(effectiveWeight)}, ${figure(responsiveness.costAt(context.now))} ms to the headers, ` +
        `${figure(100 * responsiveness.successAt(context.now))} % successes, ${inFlight} in flight`,
    }));
  }
}

/**
 * In milliseconds. Of an upstream that has never answered nothing is known: it gets one request, and hardly more before
 * that has come back. Weights have counted in the draw already; here they say how much a request in flight means.
 */
function waitFor(
  { responsiveness, effectiveWeight }: Candidate,
  load: number,
  now: number,
  typicalWeight: number,
): number {
  const known = responsiveness.costAt(now);
  const cost = known === 0 && load >= 1 ? limits.failurePenaltyMs : known;
  return (
    (cost * (1 + (load * typicalWeight) / effectiveWeight)) / Math.max(leastSuccess, responsiveness.successAt(now))
  );
}
