import { parseDuration } from "../config/duration.ts";
import type { Duration } from "../config/options.ts";
import type { Clock, Timer } from "../runtime/clock.ts";
import { VirtualClock } from "../runtime/virtual-clock.ts";

/** Time that stands still until it is told to move. Made by `virtualClock`. */
export class TestClock implements Clock {
  readonly #clock: VirtualClock;

  constructor(wallStart: number | undefined) {
    this.#clock = new VirtualClock(wallStart);
  }

  /**
   * Moves on by a duration such as `"30s"`, running whatever falls due on the way at its own time; promises settle in
   * between. Throws a `TypeError` for what is no duration.
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

/** Makes a clock for `createProxy(options, { clock })`. `wallStart` is its date at first; default: 2025 begins. */
export function virtualClock(wallStart?: Date): TestClock {
  return new TestClock(wallStart?.getTime());
}
