import { inBackground } from "./async-context.ts";
import { afterInput, type Clock } from "./clock.ts";
import { IndexedSet, type Listed } from "./indexed-set.ts";

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
 * is anything to watch, and looks at everything.
 *
 * A tick that comes late itself shows that the event loop stood still. Nothing that arrived meanwhile has been read, so what
 * passed its deadline meanwhile gets the time that it had left before: that is enough to read what is there, and to go on with
 * a handshake of several round trips. If the next tick is late as well and the deadline has not moved, it has passed, but only
 * after what has arrived was read.
 */
export class Ticker {
  readonly #clock: Clock;
  readonly #timed = new IndexedSet<Timed>();
  /** What was given more time, and until when, since the last tick in time. */
  readonly #extended = new Map<Timed, number>();
  #ticking = false;
  #dueAt = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  watch(timed: Timed): void {
    this.#timed.add(timed);
    if (!this.#ticking) this.#schedule();
  }

  forget(timed: Timed): void {
    this.#timed.delete(timed);
  }

  #schedule(): void {
    this.#ticking = true;
    this.#dueAt = this.#clock.now() + tickMs;
    inBackground(() => this.#clock.setTimeout(() => this.#tick(), tickMs));
  }

  #tick(): void {
    const now = this.#clock.now();
    if (now - this.#dueAt <= tickMs) {
      if (this.#extended.size > 0) this.#extended.clear();
      return this.#look(now);
    }
    this.#extend(now, this.#dueAt - tickMs);
    inBackground(() => afterInput(this.#clock, () => this.#look(now)));
  }

  /** `now` is when the tick came, which may be a moment ago. */
  #look(now: number): void {
    this.#timed.forEach((timed) => {
      if (timed.deadline <= now) timed.onDeadline();
    });
    this.#ticking = false;
    if (this.#timed.size > 0) this.#schedule();
    else this.#extended.clear();
  }

  #extend(now: number, stalledSince: number): void {
    this.#timed.forEach((timed) => {
      if (timed.deadline > now || this.#extended.get(timed) === timed.deadline) return;
      timed.deadline = now + Math.max(tickMs, timed.deadline - stalledSince);
      this.#extended.set(timed, timed.deadline);
    });
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
