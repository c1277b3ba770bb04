import { limits } from "../config/defaults.ts";
import { LinearPattern } from "../config/pattern/linear-pattern.ts";

/** Looks for a substring or a pattern in the first 64 KiB of a body that comes in pieces. */
export class BodyMatch {
  readonly #expected: Buffer | LinearPattern;
  readonly #bytes = Buffer.allocUnsafe(limits.probeBodyBytes);
  #length = 0;
  #found = false;

  constructor(expected: string | LinearPattern) {
    this.#expected = typeof expected === "string" ? Buffer.from(expected) : expected;
  }

  /** Takes in a piece, and returns whether there is no need for more. */
  add(piece: Buffer): boolean {
    const before = this.#length;
    this.#length += piece.copy(this.#bytes, before);
    if (!(this.#expected instanceof LinearPattern)) {
      const from = Math.max(0, before - this.#expected.length + 1);
      this.#found = this.#bytes.subarray(from, this.#length).includes(this.#expected);
    }
    return this.#found || this.#length === this.#bytes.length;
  }

  /** Whether it is there, once `add` needs no more or the body has ended. A pattern sees all of it at once. */
  matches(): boolean {
    if (!(this.#expected instanceof LinearPattern)) return this.#found || this.#expected.length === 0;
    return this.#expected.test(this.#bytes.toString("utf8", 0, this.#length));
  }
}
