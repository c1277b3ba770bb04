import { limits } from "../config/defaults.ts";
import type { Clock } from "../runtime/clock.ts";

/**
 * Bounds how fast we reset streams of one connection. Clients that leave as soon as they have come would otherwise make us
 * do to the upstream what it takes for an attack (CVE-2023-44487), and lose the connection for all that share it.
 */
export class ResetBudget {
  readonly #clock: Clock;
  #tokens: number = limits.http2ResetStreams;
  #filledAt: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#filledAt = clock.now();
  }

  /** A stream is reset. False when another connection has to be used from now on. */
  spend(): boolean {
    if (--this.#tokens >= 0) return true;
    const now = this.#clock.now();
    const earned = Math.floor(((now - this.#filledAt) / 1_000) * limits.http2ResetStreamsPerSecond);
    this.#tokens = Math.min(limits.http2ResetStreams, earned) - 1;
    this.#filledAt = now;
    return this.#tokens >= 0;
  }
}
