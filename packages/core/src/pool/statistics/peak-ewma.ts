/**
 * Peak EWMA (Finagle, linkerd): a moving average of latency that is quick to believe bad news. A slower answer is taken at
 * once, faster ones pull the average down with the time that passes, and so does silence, so that an upstream which has
 * been avoided is tried again. A failure counts as a slow answer: one that fails fast must not look fast.
 */

import { limits } from "../../config/defaults.ts";
import type { Responsiveness } from "../../policy.ts";

/** One upstream's recent latency and success. Constant in time and memory. */
export class PeakEwma implements Responsiveness {
  #costMs = 0;
  /** Share of failures. */
  #failing = 0;
  #heardAt = 0;

  /** Takes in an attempt whose headers came after `ms`, or which failed after as long. */
  record(ms: number, failed: boolean, now: number): void {
    const kept = this.#keptAt(now);
    const cost = failed ? Math.max(ms, limits.failurePenaltyMs) : ms;
    this.#costMs = cost > this.#costMs ? cost : this.#costMs * kept + cost * (1 - kept);
    this.#failing = this.#failing * kept + (failed ? 1 - kept : 0);
    this.#heardAt = now;
  }

  costAt(now: number): number {
    return this.#costMs * this.#keptAt(now);
  }

  successAt(now: number): number {
    return 1 - this.#failing * this.#keptAt(now);
  }

  #keptAt(now: number): number {
    return Math.exp((this.#heardAt - now) / limits.responsivenessMs);
  }
}
