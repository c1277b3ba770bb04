import { limits } from "./limits.ts";

/**
 * Warns about a problem that may occur thousands of times a second: at once, and then at most once per interval with the
 * number of occurrences.
 */
export class ThrottledWarning {
  readonly #warn: (count: number) => void;
  #count = 0;
  #timer: NodeJS.Timeout | undefined;

  /** `warn` gets the number of occurrences since the last warning. */
  constructor(warn: (count: number) => void) {
    this.#warn = warn;
  }

  add(count = 1): void {
    this.#count += count;
    if (this.#timer === undefined) this.#report();
  }

  /** Reports the remaining occurrences and stops the timer. */
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
