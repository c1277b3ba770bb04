import type { Clock, Timer } from "./clock.ts";
import { TimerHeap, type VirtualTimer } from "./timer-heap.ts";

/**
 * A clock that moves only when its methods move it. Timers run in the order of their time, then of their creation.
 *
 * Creating, clearing and running a timer is O(log n) in the number of pending timers.
 */
export class VirtualClock implements Clock {
  readonly #startedAt: number;
  readonly #timers = new TimerHeap();
  #now = 0;
  #created = 0;

  /** `wallStart` is the first value of `wallNow`, in milliseconds since 1970. */
  constructor(wallStart: number = Date.UTC(2025, 0, 1)) {
    this.#startedAt = wallStart;
  }

  /** The number of pending timers. */
  get pending(): number {
    return this.#timers.size;
  }

  /** The time of the next timer on this clock; Infinity when none is pending. */
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
    const timer: VirtualTimer = { at: this.#now + Math.max(0, delayMs), order: this.#created++, index: -1, callback };
    this.#timers.add(timer);
    return timer;
  }

  clearTimeout(timer: Timer): void {
    if (timer !== undefined) this.#timers.remove(timer as VirtualTimer);
  }

  /** Moves to the time of the next timer and runs it. Returns false when none is pending. */
  step(): boolean {
    const timer = this.#timers.first;
    if (timer === undefined) return false;
    this.#timers.remove(timer);
    this.#now = Math.max(this.#now, timer.at);
    timer.callback();
    return true;
  }

  /** Moves by `ms` and runs each timer due on the way at its own time, including timers created on the way. */
  advance(ms: number): void {
    const end = this.#now + ms;
    while (this.nextAt <= end) this.step();
    this.#now = Math.max(this.#now, end);
  }

  /** Like `advance`, but lets promises settle before each timer and after the last. */
  async advanceAsync(ms: number): Promise<void> {
    const end = this.#now + ms;
    await settle();
    while (this.nextAt <= end) {
      this.step();
      await settle();
    }
    this.#now = Math.max(this.#now, end);
  }

  /** Moves by `ms` without running timers, as a blocked event loop does. Timers that were due then run late. */
  stall(ms: number): void {
    this.#now += ms;
  }
}

/** Resolves in the next macrotask, after every promise that can settle has settled. */
export function settle(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
