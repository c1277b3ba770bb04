/**
 * Peak EWMA (Finagle, linkerd): a moving average of latency that follows peaks at once. A slower response sets the average.
 * Faster responses lower it over time, and so does time without responses, so that an avoided upstream is tried again. A
 * failure counts as a slow response: an upstream that fails fast must not look fast.
 */

import { limits } from "../../config/defaults.ts";
import type { Responsiveness } from "../../policy.ts";

/** The recent latency and success rate of one upstream. Constant in time and memory. */
export class PeakEwma implements Responsiveness {
  #costMs = 0;
  #failureShare = 0;
  #updatedAt = 0;

  /** Records an attempt whose response headers arrived, or which failed, after `ms`. */
  record(ms: number, failed: boolean, now: number): void {
    const kept = this.#decayAt(now);
    const cost = failed ? Math.max(ms, limits.failurePenaltyMs) : ms;
    this.#costMs = cost > this.#costMs ? cost : this.#costMs * kept + cost * (1 - kept);
    this.#failureShare = this.#failureShare * kept + (failed ? 1 - kept : 0);
    this.#updatedAt = now;
  }

  costAt(now: number): number {
    return this.#costMs * this.#decayAt(now);
  }

  successAt(now: number): number {
    return 1 - this.#failureShare * this.#decayAt(now);
  }

  #decayAt(now: number): number {
    return Math.exp((this.#updatedAt - now) / limits.responsivenessMs);
  }
}
