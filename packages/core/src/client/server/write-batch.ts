/** Output of a connection that waits to be written. */
export interface Flushable {
  flush(): void;
}

/**
 * Collects output until the end of the event loop's turn, and writes that of all connections together.
 *
 * Under load one turn reads the responses of many upstreams. A write that wakes the process at the other end costs several
 * times as much as one that finds it awake, and code that does the same thing many times stays in the CPU's caches. A single
 * response leaves at once, since the turn ends with it.
 */
export class WriteBatch {
  #waiting: Flushable[] = [];
  readonly #flushAll = (): void => {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const output of waiting) output.flush();
  };

  add(output: Flushable): void {
    if (this.#waiting.push(output) === 1) setImmediate(this.#flushAll);
  }
}

/** Of the process: all its servers write together. */
export const writeBatch: WriteBatch = new WriteBatch();
