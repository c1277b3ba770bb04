import type { Clock, Timer } from "../runtime/clock.ts";

/** Shorter delays are normal (garbage collection, a busy machine), however short the timeout. */
const minStallMs = 100;

/**
 * Detects stalls of the event loop of this process. The result of a probe during a stall says nothing about its upstream:
 * the response may have arrived in time but was not read.
 *
 * A timer checks the clock four times within the limit. A gap between two checks that exceeds the limit is a stall.
 */
export class EventLoopStallDetector {
  readonly #clock: Clock;
  readonly #limitMs: number;
  #timer: Timer | undefined;
  #lastCheck = 0;
  #count = 0;

  /** A stall is longer than `limitMs`, or than 100 ms if that is more. */
  constructor(clock: Clock, limitMs: number) {
    this.#clock = clock;
    this.#limitMs = Math.max(limitMs, minStallMs);
  }

  /** The number of stalls so far. If it has changed, there was a stall in between. */
  get count(): number {
    this.#check();
    return this.#count;
  }

  start(): void {
    this.stop();
    this.#lastCheck = this.#clock.now();
    this.#schedule();
  }

  stop(): void {
    this.#clock.clearTimeout(this.#timer);
  }

  #schedule(): void {
    this.#timer = this.#clock.setTimeout(() => {
      this.#check();
      this.#schedule();
    }, this.#limitMs / 4);
  }

  #check(): void {
    const now = this.#clock.now();
    if (now - this.#lastCheck > this.#limitMs) this.#count++;
    this.#lastCheck = now;
  }
}
