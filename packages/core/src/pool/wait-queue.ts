import type { Clock, Timer } from "../runtime/clock.ts";

/** A request that waits for an upstream with room. */
export interface Waiter {
  /** There is room: pick now. */
  onRoom(): void;
  onTimeout(): void;
}

/**
 * Requests that wait while every available upstream is full: first in, first out, with a limit on their number
 * and on their patience. Woken by a release, never by polling (HAProxy's queue rather than Caddy's).
 */
export class WaitQueue {
  /** Replaced whole by a reload. */
  options: { readonly max: number; readonly timeoutMs: number };
  readonly #clock: Clock;
  /** A map keeps the order of arrival and forgets in constant time. */
  readonly #waiting = new Map<Waiter, Timer>();

  constructor(options: { readonly max: number; readonly timeoutMs: number }, clock: Clock) {
    this.options = options;
    this.#clock = clock;
  }

  get depth(): number {
    return this.#waiting.size;
  }

  /** False when the queue is full. */
  enter(waiter: Waiter): boolean {
    if (this.#waiting.size >= this.options.max) return false;
    const expire = () => {
      this.#waiting.delete(waiter);
      waiter.onTimeout();
    };
    this.#waiting.set(waiter, this.#clock.setTimeout(expire, this.options.timeoutMs));
    return true;
  }

  /** For a client that left. */
  leave(waiter: Waiter): void {
    const timer = this.#waiting.get(waiter);
    if (timer === undefined) return;
    this.#clock.clearTimeout(timer);
    this.#waiting.delete(waiter);
  }

  /** Wakes the one that has waited longest; false when nobody waits. */
  wakeFirst(): boolean {
    for (const waiter of this.#waiting.keys()) {
      this.leave(waiter);
      waiter.onRoom();
      return true;
    }
    return false;
  }
}
