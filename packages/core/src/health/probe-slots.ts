/** Permission for a limited number of probes to run at once; the others wait, first in, first out. */
export class ProbeSlots {
  #free: number;
  /** A set keeps the order of arrival and forgets in constant time. */
  readonly #waiting = new Set<() => void>();

  constructor(count: number) {
    this.#free = count;
  }

  /** Calls `run` now or once there is a slot. Whoever was called owes a `leave`. */
  enter(run: () => void): void {
    if (this.#free > 0) {
      this.#free--;
      run();
    } else {
      this.#waiting.add(run);
    }
  }

  leave(): void {
    for (const run of this.#waiting) {
      this.#waiting.delete(run);
      run();
      return;
    }
    this.#free++;
  }

  /** Takes back an `enter` that has not been called yet. */
  cancel(run: () => void): void {
    this.#waiting.delete(run);
  }

  /** Takes back every `enter` that has not been called yet, so that those who leave let nobody in. */
  clear(): void {
    this.#waiting.clear();
  }
}
