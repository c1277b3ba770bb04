import { limits } from "../config/defaults.ts";
import type { Clock } from "../runtime/clock.ts";

/**
 * The streams of a connection that we have reset. Frames that were on their way may still come for them, while for a stream
 * that both sides have ended they are a violation.
 *
 * It also bounds how fast we reset: clients that leave as soon as they have come would otherwise make us do to the upstream
 * what it takes for an attack (CVE-2023-44487), and lose the connection for all who share it.
 */
export class ResetRecord {
  readonly #clock: Clock;
  readonly #streams = new Set<number>();
  /** The highest stream that has been forgotten; of those up to it nothing is known. */
  #forgotten = 0;
  #tokens: number = limits.http2ResetStreams;
  #filledAt: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#filledAt = clock.now();
  }

  has(streamId: number): boolean {
    return streamId <= this.#forgotten || this.#streams.has(streamId);
  }

  /** Remembers a stream. False when another connection has to be used from now on. */
  add(streamId: number): boolean {
    this.#streams.add(streamId);
    if (this.#streams.size > limits.http2RememberedResets) this.#forgetOldest();
    if (--this.#tokens >= 0) return true;
    const now = this.#clock.now();
    const earned = Math.floor(((now - this.#filledAt) / 1_000) * limits.http2ResetStreamsPerSecond);
    this.#tokens = Math.min(limits.http2ResetStreams, earned) - 1;
    this.#filledAt = now;
    return this.#tokens >= 0;
  }

  #forgetOldest(): void {
    for (const streamId of this.#streams) {
      this.#streams.delete(streamId);
      this.#forgotten = Math.max(this.#forgotten, streamId);
      return;
    }
  }
}
