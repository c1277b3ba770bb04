import { limits } from "../config/defaults.ts";
import { LinearPattern } from "../config/pattern/linear-pattern.ts";

/** Searches the first 64 KiB of a body, received in chunks, for a substring or a pattern. */
export class BodyMatch {
  readonly #expected: Buffer | LinearPattern;
  readonly #bytes = Buffer.allocUnsafe(limits.probeBodyBytes);
  #length = 0;
  #found = false;

  constructor(expected: string | LinearPattern) {
    this.#expected = typeof expected === "string" ? Buffer.from(expected) : expected;
  }

  /** Adds a chunk. Returns true when no more is needed. */
  add(chunk: Buffer): boolean {
    const before = this.#length;
    this.#length += chunk.copy(this.#bytes, before);
    if (!(this.#expected instanceof LinearPattern)) {
      const from = Math.max(0, before - this.#expected.length + 1);
      this.#found = this.#bytes.subarray(from, this.#length).includes(this.#expected);
    }
    return this.#found || this.#length === this.#bytes.length;
  }

  /** The result, after `add` has returned true or the body has ended. A pattern is matched once, against the whole text. */
  matches(): boolean {
    if (!(this.#expected instanceof LinearPattern)) return this.#found || this.#expected.length === 0;
    return this.#expected.test(this.#bytes.toString("utf8", 0, this.#length));
  }
}
