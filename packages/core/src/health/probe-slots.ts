/** Limits the number of probes in flight. Further ones wait, first in, first out. */
export class ProbeSlots {
  #free: number;
  /** A set keeps the order of insertion and deletes in constant time. */
  readonly #waiting = new Set<() => void>();

  constructor(count: number) {
    this.#free = count;
  }

  /** Calls `run` now or once a slot is free. The slot must be released after the call. */
  acquire(run: () => void): void {
    if (this.#free > 0) {
      this.#free--;
      run();
    } else {
      this.#waiting.add(run);
    }
  }

  release(): void {
    for (const run of this.#waiting) {
      this.#waiting.delete(run);
      run();
      return;
    }
    this.#free++;
  }

  /** Removes a waiting `run`. */
  cancel(run: () => void): void {
    this.#waiting.delete(run);
  }

  /** Removes every waiting `run`, so that a release calls none. */
  clear(): void {
    this.#waiting.clear();
  }
}
