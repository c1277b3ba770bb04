/**
 * Parses the part of JavaScript's regular expressions that can be matched in linear time: everything but lookaround and
 * backreferences (ECMA-262, 22.2.1 and Annex B.1.2, without flags).
 */

/** The syntax tree. A `char` matches one UTF-16 code unit; `text` is its source, from which a RegExp is created. */
export type PatternNode =
  | { readonly kind: "char"; readonly text: string }
  | { readonly kind: "assertion"; readonly at: "start" | "end" | "word" | "not-word" }
  | { readonly kind: "sequence"; readonly items: readonly PatternNode[] }
  | { readonly kind: "choice"; readonly items: readonly PatternNode[] }
  | { readonly kind: "repeat"; readonly item: PatternNode; readonly min: number; readonly max: number };

/** The most nested groups. It bounds the recursion. */
const maxDepth = 50;

/** Parses a pattern that `new RegExp` accepts. Throws an `Error` for unsupported syntax. */
export function parsePattern(source: string): PatternNode {
  return new PatternParser(source).parse();
}

class PatternParser {
  readonly #source: string;
  #offset = 0;
  #depth = 0;

  constructor(source: string) {
    this.#source = source;
  }

  parse(): PatternNode {
    return this.#choice();
  }

  #choice(): PatternNode {
    const items = [this.#sequence()];
    while (this.#take("|")) items.push(this.#sequence());
    return items.length === 1 ? (items[0] as PatternNode) : { kind: "choice", items };
  }

  #sequence(): PatternNode {
    const items: PatternNode[] = [];
    while (this.#offset < this.#source.length && this.#next !== "|" && this.#next !== ")") items.push(this.#term());
    return { kind: "sequence", items };
  }

  get #next(): string {
    return this.#source[this.#offset] ?? "";
  }

  #term(): PatternNode {
    const item = this.#atom();
    const [quantifier = "", symbol, min = "", comma, max = ""] =
      this.#match(/(?:([*+?])|\{(\d+)(?:(,)(\d*))?\})\??/y) ?? [];
    if (quantifier === "") return item;
    if (symbol !== undefined)
      return { kind: "repeat", item, min: symbol === "+" ? 1 : 0, max: symbol === "?" ? 1 : Infinity };
    const most = comma === undefined ? Number(min) : max === "" ? Infinity : Number(max);
    return { kind: "repeat", item, min: Number(min), max: most };
  }

  #atom(): PatternNode {
    if (this.#take("(")) return this.#group();
    if (this.#take("^")) return { kind: "assertion", at: "start" };
    if (this.#take("$")) return { kind: "assertion", at: "end" };
    if (this.#next === "\\") return this.#escape();
    const text = this.#match(/\[(?:\\[^]|[^\]\\])*\]|[^]/y)?.[0] ?? "";
    // Outside of a class these are literals in a pattern without flags.
    return { kind: "char", text: /^[{}\]]$/.test(text) ? `\\${text}` : text };
  }

  #group(): PatternNode {
    if (this.#next === "?" && this.#match(/\?:|\?<[^=!>]+>/y) === null) {
      throw new Error("a pattern may not contain lookaround or inline flags");
    }
    if (++this.#depth > maxDepth) throw new Error(`a pattern may not nest more than ${maxDepth} groups`);
    const inside = this.#choice();
    this.#depth--;
    this.#take(")");
    return inside;
  }

  #escape(): PatternNode {
    const text = this.#match(/\\(?:x[\da-f]{2}|u[\da-f]{4}|c[a-z]|0[0-7]{0,2}|[^])/iy)?.[0] ?? "";
    if (text === "\\b") return { kind: "assertion", at: "word" };
    if (text === "\\B") return { kind: "assertion", at: "not-word" };
    if (/^\\[1-9k]/.test(text)) throw new Error("a pattern may not contain backreferences");
    if (text !== "\\c") return { kind: "char", text };
    // `\c` without a letter is a backslash, followed by "c".
    this.#offset--;
    return { kind: "char", text: "\\\\" };
  }

  #take(char: string): boolean {
    if (this.#next !== char) return false;
    this.#offset++;
    return true;
  }

  #match(pattern: RegExp): RegExpExecArray | null {
    pattern.lastIndex = this.#offset;
    const match = pattern.exec(this.#source);
    this.#offset += match?.[0].length ?? 0;
    return match;
  }
}
