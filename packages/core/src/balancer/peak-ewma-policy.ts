import { limits } from "../config/defaults.ts";
import type { Candidate, PickContext, Policy, Weighed } from "../policy.ts";
import { formatNumber } from "./format-number.ts";
import { type Comparison, TwoDraws } from "./two-draws.ts";

/** Lower bound of the success rate, so that an upstream that has failed for long is still tried. */
const minSuccess = 0.05;
/** The second draw is picked only when its wait is below this fraction of the first's. */
const clearlyBetter = 2 / 3;

/** Half of the new request counts for the second draw, as in p2c. */
const expectedWait: Comparison = {
  ofFirst: (upstream, now, typicalWeight) => waitOf(upstream, upstream.inFlight, now, typicalWeight) * clearlyBetter,
  ofSecond: (upstream, now, typicalWeight) => waitOf(upstream, upstream.inFlight + 0.5, now, typicalWeight),
};

/**
 * Draws two upstreams by weight and picks the one with the shorter expected wait: recent latency, times load per weight,
 * divided by the success rate (Finagle's Peak EWMA with the error term that linkerd and Envoy found missing).
 *
 * The second draw must be clearly better. Latencies are noisy, and a peak is remembered for ten seconds. If any difference
 * sufficed, an upstream would get no requests after each peak (Traefik issue 12306), and a heavy upstream would lose more
 * requests to light ones than it could win. With two thirds and half a request, five equal upstreams keep 16 to 24 % each
 * when 1 response in 100 takes twice the usual time, and an upstream ten times slower than the others gets 1 %.
 */
export class PeakEwmaPolicy implements Policy {
  readonly name = "peak-ewma";
  readonly #draws = new TwoDraws(expectedWait);

  pick(context: PickContext): Candidate {
    return this.#draws.pick(context);
  }

  weigh(context: PickContext): Weighed[] {
    return this.#draws.weigh(context, describe);
  }
}

function describe({ responsiveness, inFlight, effectiveWeight }: Candidate, now: number): string {
  const latency = `${formatNumber(responsiveness.costAt(now))} ms to the headers`;
  const successes = `${formatNumber(100 * responsiveness.successAt(now))} % successes`;
  return `weight ${formatNumber(effectiveWeight)}, ${latency}, ${successes}, ${inFlight} in flight`;
}

/**
 * Milliseconds. An upstream that has never responded has no latency: it gets one request, and hardly more before the
 * response. The draw has applied the weights already; here they scale the cost of a request in flight.
 */
function waitOf(
  { responsiveness, effectiveWeight }: Candidate,
  load: number,
  now: number,
  typicalWeight: number,
): number {
  const known = responsiveness.costAt(now);
  const cost = known === 0 && load >= 1 ? limits.failurePenaltyMs : known;
  return (cost * (1 + (load * typicalWeight) / effectiveWeight)) / Math.max(minSuccess, responsiveness.successAt(now));
}
