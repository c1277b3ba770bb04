import { parseDuration } from "../config/duration.ts";
import type { Duration } from "../config/options.ts";
import type { Clock, Timer } from "../runtime/clock.ts";
import { VirtualClock } from "../runtime/virtual-clock.ts";

/** A clock that moves only when `advance` is called. Created by `virtualClock`. */
export class TestClock implements Clock {
  readonly #clock: VirtualClock;

  constructor(wallStart: number | undefined) {
    this.#clock = new VirtualClock(wallStart);
  }

  /**
   * Moves by a duration such as `"30s"` and runs each timer due on the way at its own time. Promises settle between timers.
   * Rejects with a `TypeError` for an invalid duration.
   */
  async advance(duration: Duration): Promise<void> {
    const ms = parseDuration(duration);
    if (ms === undefined) throw new TypeError(`expected a duration such as "30s", found ${JSON.stringify(duration)}`);
    await this.#clock.advanceAsync(ms);
  }

  now(): number {
    return this.#clock.now();
  }

  wallNow(): number {
    return this.#clock.wallNow();
  }

  setTimeout(callback: () => void, delayMs: number): Timer {
    return this.#clock.setTimeout(callback, delayMs);
  }

  clearTimeout(timer: Timer): void {
    this.#clock.clearTimeout(timer);
  }
}

/** Creates a clock for `createProxy(options, { clock })`. `wallStart` is its first date. Default: 2025-01-01T00:00:00Z. */
export function virtualClock(wallStart?: Date): TestClock {
  return new TestClock(wallStart?.getTime());
}
