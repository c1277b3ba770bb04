import { limits } from "../config/defaults.ts";

/** Limits the number of concurrent lookups. Those that a connection waits for go before those that only refresh. */
export class LookupSlots {
  #free: number = limits.dnsLookupsAtOnce;
  readonly #urgent: Set<() => void> = new Set();
  readonly #others: Set<() => void> = new Set();

  /** Calls `run` now or later. The caller calls `leave` once after each call of `run`. */
  enter(run: () => void, urgent: boolean): void {
    if (this.#free === 0) {
      (urgent ? this.#urgent : this.#others).add(run);
      return;
    }
    this.#free--;
    run();
  }

  /** Moves a lookup to the urgent ones: a connection waits for it. */
  prioritize(run: () => void): void {
    if (this.#others.delete(run)) this.#urgent.add(run);
  }

  leave(): void {
    for (const waiting of [this.#urgent, this.#others]) {
      for (const run of waiting) {
        waiting.delete(run);
        return run();
      }
    }
    this.#free++;
  }
}
