import type { Clock, Timer } from "./clock.ts";
import { TimerHeap, type VirtualTimer } from "./timer-heap.ts";

/**
 * A clock that stands still until it is told to move. Timers run in the order of their time, then of their making.
 *
 * Making, clearing and running a timer takes time in proportion to the logarithm of how many there are.
 */
export class VirtualClock implements Clock {
  readonly #startedAt: number;
  readonly #timers = new TimerHeap();
  #now = 0;
  #made = 0;

  /** `wallStart` is what `wallNow` says at first, milliseconds since 1970. */
  constructor(wallStart: number = Date.UTC(2025, 0, 1)) {
    this.#startedAt = wallStart;
  }

  /** How many timers are waiting. */
  get pending(): number {
    return this.#timers.size;
  }

  /** When the next timer falls due, on this clock; Infinity when none is waiting. */
  get nextAt(): number {
    return this.#timers.first?.at ?? Infinity;
  }

  now(): number {
    return this.#now;
  }

  wallNow(): number {
    return this.#startedAt + this.#now;
  }

  setTimeout(callback: () => void, delayMs: number): Timer {
    const timer: VirtualTimer = { at: this.#now + Math.max(0, delayMs), order: this.#made++, place: -1, callback };
    this.#timers.add(timer);
    return timer;
  }

  clearTimeout(timer: Timer): void {
    if (timer !== undefined) this.#timers.remove(timer as VirtualTimer);
  }

  /** Moves on to the next timer and runs it; false when none is waiting. */
  step(): boolean {
    const timer = this.#timers.first;
    if (timer === undefined) return false;
    this.#timers.remove(timer);
    this.#now = Math.max(this.#now, timer.at);
    timer.callback();
    return true;
  }

  /** Moves on by `ms`, running whatever falls due on the way at its own time, timers made meanwhile included. */
  advance(ms: number): void {
    const end = this.#now + ms;
    while (this.nextAt <= end) this.step();
    this.#now = Math.max(this.#now, end);
  }

  /** Like `advance`, but lets promises settle before each timer and at the end. */
  async advanceAsync(ms: number): Promise<void> {
    const end = this.#now + ms;
    await settle();
    while (this.nextAt <= end) {
      this.step();
      await settle();
    }
    this.#now = Math.max(this.#now, end);
  }

  /** Lets time pass with nothing running, as when something blocks the event loop. What fell due is late then. */
  stall(ms: number): void {
    this.#now += ms;
  }
}

/** Waits until every promise that can settle has done so: by the time a macrotask runs they have. */
export function settle(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
