import { inBackground } from "./async-context.ts";
import { afterInput, type Clock } from "./clock.ts";
import { IndexedSet, type IndexedSetMember } from "./indexed-set.ts";

/** An object with a deadline for `Ticker`. */
export interface Timed extends IndexedSetMember {
  /** Milliseconds of the monotonic clock; Infinity for none. */
  deadline: number;
  onDeadline(): void;
}

/** The interval between two checks of all deadlines, and so the longest delay of `onDeadline` while the event loop runs. */
const tickMs = 20;

/**
 * One coarse timer for many deadlines, most of which are moved or removed before they pass.
 *
 * To move a deadline, write a number: no timer is created, refreshed or cleared. While anything is watched, one timer
 * checks every deadline each `tickMs`.
 *
 * A late tick indicates an event loop stall. Input that arrived during the stall is still unread, so each deadline that
 * passed during the stall is extended by the time that it had left when the stall began. That is enough to read the input
 * and to continue a handshake of several round trips. If the next tick is late too and the deadline has not moved,
 * `onDeadline` is called, after all input that has arrived was read.
 */
export class Ticker {
  readonly #clock: Clock;
  readonly #timed = new IndexedSet<Timed>();
  /** The deadlines extended since the last punctual tick. */
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
      return this.#checkDeadlines(now);
    }
    this.#extend(now, this.#dueAt - tickMs);
    inBackground(() => afterInput(this.#clock, () => this.#checkDeadlines(now)));
  }

  /** `now` is the time of the tick. It can be in the past: after a late tick, input is read first. */
  #checkDeadlines(now: number): void {
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

/** Returns the only ticker of a clock. */
export function tickerOf(clock: Clock): Ticker {
  const known = tickers.get(clock);
  if (known !== undefined) return known;
  const ticker = new Ticker(clock);
  tickers.set(clock, ticker);
  return ticker;
}
