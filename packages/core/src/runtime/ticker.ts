import type { Clock, Timer } from "./clock.ts";

/** Something with a deadline, in milliseconds of the monotonic clock; Infinity for none. */
export interface Timed {
  deadline: number;
  onDeadline(): void;
}

/** How often deadlines are looked at, and so how late one may be noticed. */
const tickMs = 20;

/**
 * A coarse wheel for a great many deadlines that are nearly always moved or dropped before they pass.
 *
 * Moving a deadline is writing a number: no timer is made, refreshed or cleared for it. One timer ticks for all while there
 * is anybody, and looks at everybody. `now` is the clock as of the last tick, for those who need no better.
 */
export class Ticker {
  readonly #clock: Clock;
  readonly #timed = new Set<Timed>();
  #timer: Timer | undefined;
  #now: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#now = clock.now();
  }

  /** At most a tick behind the clock while somebody is watched. */
  get now(): number {
    return this.#now;
  }

  watch(timed: Timed): void {
    this.#timed.add(timed);
    if (this.#timer === undefined) {
      this.#now = this.#clock.now();
      this.#schedule();
    }
  }

  forget(timed: Timed): void {
    this.#timed.delete(timed);
  }

  #schedule(): void {
    this.#timer = this.#clock.setTimeout(() => this.#tick(), tickMs);
  }

  #tick(): void {
    this.#timer = undefined;
    this.#now = this.#clock.now();
    for (const timed of this.#timed) {
      if (timed.deadline <= this.#now) timed.onDeadline();
    }
    if (this.#timed.size > 0) this.#schedule();
  }
}

const tickers = new WeakMap<Clock, Ticker>();

/** The one ticker of a clock. */
export function tickerOf(clock: Clock): Ticker {
  let ticker = tickers.get(clock);
  if (ticker === undefined) tickers.set(clock, (ticker = new Ticker(clock)));
  return ticker;
}
