import { limits } from "./limits.ts";

/**
 * Turns trouble that may come thousands of times a second into a warning at once and then one with a count from time
 * to time.
 */
export class Tally {
  readonly #warn: (count: number) => void;
  #count = 0;
  #timer: NodeJS.Timeout | undefined;

  /** `warn` is given how often it has happened since the last warning. */
  constructor(warn: (count: number) => void) {
    this.#warn = warn;
  }

  add(): void {
    this.#count++;
    if (this.#timer === undefined) this.#report();
  }

  /** Reports what is left and stops the clock. */
  close(): void {
    clearTimeout(this.#timer);
    if (this.#count > 0) this.#warn(this.#count);
    this.#count = 0;
  }

  #report(): void {
    this.#timer = undefined;
    if (this.#count === 0) return;
    this.#warn(this.#count);
    this.#count = 0;
    this.#timer = setTimeout(() => this.#report(), limits.repeatedWarningMs).unref();
  }
}
