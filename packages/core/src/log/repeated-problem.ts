import { limits } from "../config/defaults.ts";
import type { Clock, Timer } from "../runtime/clock.ts";

/**
 * Reports a problem that may occur thousands of times a second: at once, then with the number of occurrences at intervals that
 * grow to an hour (`limits.logIntervalsMs`). After `limits.logCalmMs` without an occurrence the next one is reported at once.
 */
export class RepeatedProblem {
  readonly #clock: Clock;
  readonly #report: (count: number) => void;
  #count = 0;
  #step = 0;
  #lastAt = -Infinity;
  #timer: Timer | undefined;

  /** `report` gets the number of occurrences since the last report. */
  constructor(clock: Clock, report: (count: number) => void) {
    this.#clock = clock;
    this.#report = report;
  }

  add(): void {
    const now = this.#clock.now();
    if (now - this.#lastAt >= limits.logCalmMs) {
      this.#stopTimer();
      this.#step = 0;
    }
    this.#lastAt = now;
    this.#count++;
    if (this.#timer === undefined) this.#reportNow();
  }

  /** Reports the remaining occurrences and stops the timer. */
  close(): void {
    this.#stopTimer();
    if (this.#count > 0) this.#report(this.#count);
    this.#count = 0;
  }

  #reportNow(): void {
    this.#report(this.#count);
    this.#count = 0;
    const delayMs = limits.logIntervalsMs[this.#step] as number;
    this.#step = Math.min(this.#step + 1, limits.logIntervalsMs.length - 1);
    this.#timer = this.#clock.setTimeout(() => {
      this.#timer = undefined;
      if (this.#count > 0) this.#reportNow();
    }, delayMs);
  }

  #stopTimer(): void {
    if (this.#timer !== undefined) this.#clock.clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
