import type { Clock } from "../runtime/clock.ts";

/**
 * Bounds how fast streams of one connection are abandoned, as a token bucket. A stream that is opened and reset costs its opener
 * nothing, and the other side a request (CVE-2023-44487).
 */
export class ResetBudget {
  readonly #clock: Clock;
  readonly #burst: number;
  readonly #perSecond: number;
  #tokens: number;
  #filledAt: number;

  constructor(clock: Clock, { burst, perSecond }: { readonly burst: number; readonly perSecond: number }) {
    this.#clock = clock;
    this.#burst = burst;
    this.#perSecond = perSecond;
    this.#tokens = burst;
    this.#filledAt = clock.now();
  }

  /** Counts a stream that has ended with a response: it pays for one that is abandoned. */
  earn(): void {
    if (this.#tokens < this.#burst) this.#tokens++;
  }

  /** Counts a reset stream. False when there have been too many. */
  spend(): boolean {
    if (--this.#tokens >= 0) return true;
    const now = this.#clock.now();
    const earned = Math.floor(((now - this.#filledAt) / 1_000) * this.#perSecond);
    this.#tokens = Math.min(this.#burst, earned) - 1;
    this.#filledAt = now;
    return this.#tokens >= 0;
  }
}
