const firstDelayMs = 200;
const longestDelayMs = 30_000;
/** A worker that has lived this long has not failed because of how it was started. */
const settledMs = 10_000;

/** The delay before a worker is replaced: none at first, then a growing one while its replacements end soon. */
export class BackOff {
  /** The last delay. Undefined if the last worker has lived long. */
  #delayMs: number | undefined;

  /** Returns the milliseconds until the replacement of a worker that has lived `livedMs`. */
  next(livedMs: number): number {
    if (livedMs >= settledMs) this.#delayMs = undefined;
    this.#delayMs =
      this.#delayMs === undefined ? 0 : Math.min(Math.max(firstDelayMs, this.#delayMs * 2), longestDelayMs);
    return this.#delayMs;
  }
}
