import type { Clock, Timer } from "../runtime/clock.ts";

/** Less than this is everyday life (garbage collection, a busy machine), however short the timeout. */
const shortestStallMs = 100;

/**
 * Notices when this process's own event loop stood still. A probe that ran meanwhile says nothing of its upstream:
 * the answer may have been there in time with nobody to read it.
 *
 * A timer beats four times within the limit; a longer gap than the limit between two looks at the clock is a stall.
 */
export class StallWatch {
  readonly #clock: Clock;
  readonly #limitMs: number;
  #timer: Timer | undefined;
  #lastLook = 0;
  #count = 0;

  /** `limitMs` is what a stall has to exceed; less than 100 is taken as 100. */
  constructor(clock: Clock, limitMs: number) {
    this.#clock = clock;
    this.#limitMs = Math.max(limitMs, shortestStallMs);
  }

  /** How many stalls there have been. Different before and after means that there was one in between. */
  get count(): number {
    this.#look();
    return this.#count;
  }

  start(): void {
    this.stop();
    this.#lastLook = this.#clock.now();
    this.#schedule();
  }

  stop(): void {
    this.#clock.clearTimeout(this.#timer);
  }

  #schedule(): void {
    this.#timer = this.#clock.setTimeout(() => {
      this.#look();
      this.#schedule();
    }, this.#limitMs / 4);
  }

  #look(): void {
    const now = this.#clock.now();
    if (now - this.#lastLook > this.#limitMs) this.#count++;
    this.#lastLook = now;
  }
}
