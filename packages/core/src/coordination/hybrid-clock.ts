import type { Clock } from "../runtime/clock.ts";
import type { Stamp } from "./coordination.ts";

/** The largest count that stays exact, whatever another participant has sent. */
const maxCount = 2 ** 52;

/**
 * A hybrid logical clock (Kulkarni et al., 2014): wall time where clocks agree, and an order that follows cause and effect
 * where they do not.
 */
export class HybridClock {
  readonly #clock: Clock;
  readonly #by: string;
  readonly #maxAheadMs: number;
  /** The wall time at the start of the monotonic clock, so that a wall clock that is set back stops nothing. */
  readonly #origin: number;
  #time = 0;
  #count = 0;

  /** A stamp more than `maxAheadMs` ahead of this clock is refused: it would win until that time is reached. */
  constructor(clock: Clock, by: string, maxAheadMs: number) {
    this.#clock = clock;
    this.#by = by;
    this.#maxAheadMs = maxAheadMs;
    this.#origin = clock.wallNow() - clock.now();
  }

  /** A stamp later than all that were made and accepted before. */
  next(): Stamp {
    const now = this.#now();
    if (now > this.#time) {
      this.#time = now;
      this.#count = 0;
    } else if (this.#count < maxCount) this.#count++;
    else {
      this.#time++;
      this.#count = 0;
    }
    return { time: this.#time, count: this.#count, by: this.#by };
  }

  /** Advances to a stamp of another participant. Returns false if it is refused. */
  accept({ time, count }: Stamp): boolean {
    if (time > this.#now() + this.#maxAheadMs) return false;
    if (time > this.#time) {
      this.#time = time;
      this.#count = count;
    } else if (time === this.#time) this.#count = Math.max(this.#count, count);
    return true;
  }

  #now(): number {
    return Math.floor(Math.max(this.#clock.wallNow(), this.#origin + this.#clock.now()));
  }
}

/** Negative if `a` is earlier, 0 only for the same stamp. */
export function compareStamps(a: Stamp, b: Stamp): number {
  if (a.time !== b.time) return a.time - b.time;
  if (a.count !== b.count) return a.count - b.count;
  if (a.by === b.by) return 0;
  return a.by < b.by ? -1 : 1;
}
