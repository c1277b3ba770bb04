import { limits } from "../config/defaults.ts";
import type { Clock } from "../runtime/clock.ts";

/**
 * Bounds how fast we reset streams of one connection. Otherwise clients that abort many requests would make us send what the
 * upstream takes for an attack (CVE-2023-44487), and it would close the connection for all requests on it.
 */
export class ResetBudget {
  readonly #clock: Clock;
  #tokens: number = limits.http2ResetStreams;
  #filledAt: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#filledAt = clock.now();
  }

  /** Counts a reset stream. False when the connection must not be used for new requests. */
  spend(): boolean {
    if (--this.#tokens >= 0) return true;
    const now = this.#clock.now();
    const earned = Math.floor(((now - this.#filledAt) / 1_000) * limits.http2ResetStreamsPerSecond);
    this.#tokens = Math.min(limits.http2ResetStreams, earned) - 1;
    this.#filledAt = now;
    return this.#tokens >= 0;
  }
}
