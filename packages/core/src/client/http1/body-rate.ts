/** The time that a client may be slow in addition to what the lowest rate allows. */
const graceMs = 5_000;

/** Measures how fast a client sends a body, in the time in which the server reads it. */
export class BodyRate {
  readonly #bytesPerMs: number;
  #bytes = 0;
  #readingMs = 0;
  #since: number | undefined;

  constructor(bytesPerSecond: number) {
    this.#bytesPerMs = bytesPerSecond / 1_000;
  }

  get reading(): boolean {
    return this.#since !== undefined;
  }

  add(bytes: number): void {
    this.#bytes += bytes;
  }

  start(now: number): void {
    this.#since ??= now;
  }

  stop(now: number): void {
    if (this.#since !== undefined) this.#readingMs += now - this.#since;
    this.#since = undefined;
  }

  /** Milliseconds of reading until the body is too slow, unless more of it is received. */
  remainingMs(now: number): number {
    const used = this.#readingMs + (this.#since === undefined ? 0 : now - this.#since);
    return graceMs + this.#bytes / this.#bytesPerMs - used;
  }
}
