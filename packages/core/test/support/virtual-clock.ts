import type { Clock, Timer } from "../../src/runtime/clock.ts";

interface PendingTimer {
  readonly at: number;
  readonly order: number;
  readonly callback: () => void;
}

/** A clock that stands still until it is told to move. Timers run in the order of their time, then of their making. */
export class VirtualClock implements Clock {
  readonly #startedAt: number;
  readonly #pending = new Set<PendingTimer>();
  #now = 0;
  #made = 0;

  /** `wallStart` is what `wallNow` says at first, milliseconds since 1970. */
  constructor(wallStart: number = Date.UTC(2025, 0, 1)) {
    this.#startedAt = wallStart;
  }

  /** How many timers are waiting. */
  get pending(): number {
    return this.#pending.size;
  }

  now(): number {
    return this.#now;
  }

  wallNow(): number {
    return this.#startedAt + this.#now;
  }

  setTimeout(callback: () => void, delayMs: number): Timer {
    const timer: PendingTimer = { at: this.#now + Math.max(0, delayMs), order: this.#made++, callback };
    this.#pending.add(timer);
    return timer;
  }

  clearTimeout(timer: Timer): void {
    this.#pending.delete(timer as PendingTimer);
  }

  /** Moves on by `ms`, running whatever falls due on the way at its own time, timers made meanwhile included. */
  advance(ms: number): void {
    const end = this.#now + ms;
    for (let next = this.#due(end); next !== undefined; next = this.#due(end)) this.#run(next);
    this.#now = Math.max(this.#now, end);
  }

  /** Like `advance`, but lets promises settle before each timer and at the end. */
  async advanceAsync(ms: number): Promise<void> {
    const end = this.#now + ms;
    await settle();
    for (let next = this.#due(end); next !== undefined; next = this.#due(end)) {
      this.#run(next);
      await settle();
    }
    this.#now = Math.max(this.#now, end);
  }

  /** Lets time pass with nothing running, as when something blocks the event loop. What fell due is late then. */
  stall(ms: number): void {
    this.#now += ms;
  }

  #due(end: number): PendingTimer | undefined {
    let first: PendingTimer | undefined;
    for (const timer of this.#pending) {
      if (timer.at > end || (first !== undefined && compare(first, timer) <= 0)) continue;
      first = timer;
    }
    return first;
  }

  #run(timer: PendingTimer): void {
    this.#pending.delete(timer);
    this.#now = Math.max(this.#now, timer.at);
    timer.callback();
  }
}

function compare(a: PendingTimer, b: PendingTimer): number {
  return a.at - b.at || a.order - b.order;
}

/** All promises that can settle have done so by the time a macrotask runs. */
function settle(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
