import type { Clock } from "./clock.ts";

const slots = 10;

/** A sum over a sliding window of `windowMs`, in ten slots: amounts expire one tenth of the window at a time. */
export class SlidingSum {
  readonly #clock: Clock;
  readonly #slotMs: number;
  readonly #sums = new Float64Array(slots);
  #slot = 0;

  constructor(windowMs: number, clock: Clock) {
    this.#clock = clock;
    this.#slotMs = windowMs / slots;
  }

  add(amount: number): void {
    this.#expireSlots();
    (this.#sums[this.#slot % slots] as number) += amount;
  }

  get total(): number {
    this.#expireSlots();
    let total = 0;
    for (const sum of this.#sums) total += sum;
    return total;
  }

  clear(): void {
    this.#sums.fill(0);
  }

  /** Clears the slots that have begun since the last call. */
  #expireSlots(): void {
    const now = Math.floor(this.#clock.now() / this.#slotMs);
    const passed = Math.min(now - this.#slot, slots);
    for (let step = 0; step < passed; step++) this.#sums[(now - step) % slots] = 0;
    this.#slot = now;
  }
}
