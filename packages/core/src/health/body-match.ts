import * as vm from "node:vm";
import { limits } from "../config/defaults.ts";

/** A pattern that takes longer on 64 KiB is backtracking without end; a plain one takes less than one. */
const patternTimeoutMs = 100;

/** Looks for a substring or a pattern in the first 64 KiB of a body that comes in pieces. */
export class BodyMatch {
  readonly #expected: Buffer | RegExp;
  readonly #bytes = Buffer.allocUnsafe(limits.probeBodyBytes);
  #length = 0;
  #found = false;

  constructor(expected: string | RegExp) {
    this.#expected = typeof expected === "string" ? Buffer.from(expected) : expected;
  }

  /** Takes in a piece, and returns whether there is no need for more. */
  add(piece: Buffer): boolean {
    const before = this.#length;
    this.#length += piece.copy(this.#bytes, before);
    if (!(this.#expected instanceof RegExp)) {
      const from = Math.max(0, before - this.#expected.length + 1);
      this.#found = this.#bytes.subarray(from, this.#length).includes(this.#expected);
    }
    return this.#found || this.#length === this.#bytes.length;
  }

  /** Whether it is there, once `add` needs no more or the body has ended. A pattern sees all of it at once. */
  matches(): boolean {
    if (!(this.#expected instanceof RegExp)) return this.#found || this.#expected.length === 0;
    return matchesInTime(this.#expected, this.#bytes.toString("utf8", 0, this.#length));
  }
}

/** Where patterns run: only a script has a time limit in JavaScript. */
let sandbox: { readonly script: vm.Script; readonly context: vm.Context } | undefined;

/**
 * Matches within a time limit. The text is the upstream's, and even a harmless-looking pattern such as `\s*x` takes
 * quadratic time on the right one. Too long is no match.
 */
function matchesInTime(pattern: RegExp, text: string): boolean {
  sandbox ??= { script: new vm.Script("pattern.test(text)"), context: vm.createContext({}) };
  Object.assign(sandbox.context, { pattern, text });
  try {
    return sandbox.script.runInContext(sandbox.context, { timeout: patternTimeoutMs }) === true;
  } catch {
    return false;
  } finally {
    sandbox.context["text"] = "";
  }
}
