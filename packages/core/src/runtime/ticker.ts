import { inBackground } from "./async-context.ts";
import type { Clock, Timer } from "./clock.ts";
import { type Listed, Roster } from "./roster.ts";

/** Something with a deadline, in milliseconds of the monotonic clock; Infinity for none. */
export interface Timed extends Listed {
  deadline: number;
  onDeadline(): void;
}

/** How often deadlines are looked at, and so how late one may be noticed. */
const tickMs = 20;

/**
 * A coarse wheel for a great many deadlines that are nearly always moved or dropped before they pass.
 *
 * Moving a deadline is writing a number: no timer is made, refreshed or cleared for it. One timer ticks for all while there
 * is anybody, and looks at everybody. A tick that comes late itself looks at nobody, once: the event loop has stalled, and
 * what has arrived meanwhile is to be read before anybody is blamed for silence.
 */
export class Ticker {
  readonly #clock: Clock;
  readonly #timed = new Roster<Timed>();
  #timer: Timer | undefined;
  #dueAt = 0;
  #passedOver = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  watch(timed: Timed): void {
    this.#timed.add(timed);
    if (this.#timer === undefined) this.#schedule();
  }

  forget(timed: Timed): void {
    this.#timed.delete(timed);
  }

  #schedule(): void {
    this.#dueAt = this.#clock.now() + tickMs;
    this.#timer = inBackground(() => this.#clock.setTimeout(() => this.#tick(), tickMs));
  }

  #tick(): void {
    const now = this.#clock.now();
    this.#passedOver = !this.#passedOver && now - this.#dueAt > tickMs;
    if (!this.#passedOver) {
      this.#timed.forEach((timed) => {
        if (timed.deadline <= now) timed.onDeadline();
      });
    }
    this.#timer = undefined;
    if (this.#timed.size > 0) this.#schedule();
  }
}

const tickers = new WeakMap<Clock, Ticker>();

/** The one ticker of a clock. */
export function tickerOf(clock: Clock): Ticker {
  const known = tickers.get(clock);
  if (known !== undefined) return known;
  const ticker = new Ticker(clock);
  tickers.set(clock, ticker);
  return ticker;
}
