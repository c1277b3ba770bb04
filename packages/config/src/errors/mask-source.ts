/**
 * Masks possible secrets in the text of a configuration file, so that an error can show the line of a mistake.
 *
 * The text may be malformed: a syntax error shows a line too. The whole value is masked for a key that is not a known
 * option, for a header, and for a key that is named like a secret. In other values user info, secret query parameters and
 * PEM are masked. The text keeps its length and its line breaks, so that a column stays the same.
 */

import { didYouMean, isHeaderTable, isSecretName, maskSecrets } from "evenkeel";

/** A table or an array around the current offset. */
interface Frame {
  readonly isArray: boolean;
  /** The key of the current value; in an array, the key of the array. */
  key: string | undefined;
  /** It is a table of headers, or inside one. */
  readonly headers: boolean;
}

/** Bounds the distinct keys of one text that are compared with all options. The values of further unknown keys are masked. */
const maxComparedKeys = 1_000;

/** `shown` are the keys whose values may be shown. Undefined shows the values of all keys that are not named like a secret. */
export function maskSource(text: string, shown: ReadonlySet<string> | undefined): string {
  return new SourceMasker(text, shown, false).run();
}

/** A further "#" counts as a space: a comment contains no comments. */
function maskComment(comment: string, shown: ReadonlySet<string> | undefined): string {
  const masked = new SourceMasker(comment.replaceAll("#", " "), shown, true).run();
  return masked.replace(/ /g, (space, offset: number) => comment[offset] ?? space);
}

class SourceMasker {
  readonly #text: string;
  readonly #shown: ReadonlySet<string> | undefined;
  /** The text is prose: only `key = value` is a setting, not a quoted string behind a word. */
  readonly #isComment: boolean;
  readonly #pieces: string[] = [];
  /** Whether the value of a key is hidden, for the keys seen so far. */
  readonly #hidden = new Map<string, boolean>();
  /** The first frame is the document and is never removed. */
  #frames: Frame[] = [{ isArray: false, key: undefined, headers: false }];
  /** The last word or string that was neither key nor value. If an "=" is missing, it is the key of the next string. */
  #lastWord: string | undefined;
  #offset = 0;

  constructor(text: string, shown: ReadonlySet<string> | undefined, isComment: boolean) {
    this.#text = text;
    this.#shown = shown;
    this.#isComment = isComment;
  }

  run(): string {
    this.#scanHeader();
    while (this.#offset < this.#text.length) this.#step();
    return this.#pieces.join("");
  }

  get #frame(): Frame {
    return this.#frames.at(-1) as Frame;
  }

  #step(): void {
    const char = this.#text[this.#offset] ?? "";
    if (char === "\n") this.#onLineEnd();
    else if (char === "#") this.#onComment();
    else if (char === '"' || char === "'") this.#onString();
    else if (char === "=" || char === ":") this.#onValue();
    else if (char === "{" || char === "[") this.#open(char === "[");
    else if (char === "}" || char === "]") this.#close();
    else if (char === ",") this.#onComma();
    else if (/\s/.test(char)) this.#keep(this.#match(/[^\S\n]+/y));
    else this.#onWord(this.#match(/[^\s[\]{},=:"'#]+/y));
  }

  #onLineEnd(): void {
    this.#keep("\n");
    this.#lastWord = undefined;
    if (this.#frames.length > 1) return;
    this.#frame.key = undefined;
    this.#scanHeader();
  }

  /** Reads `[table]` at the beginning of a line. All keys below it belong to this table. */
  #scanHeader(): void {
    const header = this.#match(/[ \t]*\[\[?[^\]\n]*\]?\]?/y);
    if (header === "") return;
    this.#keep(header);
    const names = header.match(/[\w-]+/g) ?? [];
    this.#frames = [{ isArray: false, key: undefined, headers: names.some(isHeaderTable) }];
  }

  /** A comment may contain settings that were commented out. */
  #onComment(): void {
    const comment = this.#match(/#[^\n]*/y);
    this.#offset += comment.length;
    this.#pieces.push(maskComment(comment, this.#shown));
  }

  #onComma(): void {
    this.#keep(",");
    this.#lastWord = undefined;
    if (!this.#frame.isArray) this.#frame.key = undefined;
  }

  #onWord(word: string): void {
    this.#keep(word);
    if (this.#isKey()) this.#setKey(word);
    else this.#lastWord = word;
  }

  #onString(): void {
    const quoted = this.#string();
    if (this.#isKey(quoted.length)) {
      this.#keep(quoted);
      this.#setKey(quoted.replace(/^["']+|["']+$/g, ""));
      return;
    }
    const key = this.#frame.key ?? (this.#isComment ? undefined : this.#lastWord);
    this.#lastWord = quoted;
    this.#maskString(quoted, this.#hides(key));
  }

  /** Reads "=" or ":" and the string or the bare value behind it. Tables and arrays are left to `#open`. */
  #onValue(): void {
    this.#keep(this.#match(/[=:][ \t]*/y));
    const { key } = this.#frame;
    const next = this.#text[this.#offset] ?? "";
    if (key === undefined || next === "{" || next === "[") return;
    const hidden = this.#hides(key);
    if (next === '"' || next === "'") {
      this.#maskString(this.#string(), hidden);
      // The string may contain an unescaped quote: the rest of the value is masked too.
      if (hidden) this.#hideBare(this.#frames.length === 1 ? /[^\n#]*/y : /[^\n,\]}]*/y);
    } else if (hidden) this.#hideBare(this.#frames.length === 1 ? /[^\n]*/y : /[^\n,\]}]*/y, key);
    else {
      const bare = this.#match(/[^\n,\]}#]*/y);
      this.#offset += bare.length;
      this.#pieces.push(maskSecrets(bare));
    }
  }

  /** Keeps booleans and short numbers, which cannot be secrets, unless the key is named like a secret. */
  #hideBare(pattern: RegExp, key?: string): void {
    const bare = this.#match(pattern);
    this.#offset += bare.length;
    const harmless = /^\s*(?:true|false|[-+]?[\d._]{1,5})\s*(?:#.*)?$/.test(bare) && !isSecretName(key ?? "");
    this.#pieces.push(harmless ? bare : bare.replace(/\S(?:.*\S)?/s, toStars));
  }

  #maskString(quoted: string, hidden: boolean): void {
    this.#offset += quoted.length;
    const [quotes = ""] = /^(?:"""|'''|["'])/.exec(quoted) ?? [];
    const end = quoted.length >= 2 * quotes.length && quoted.endsWith(quotes) ? quotes : "";
    const inside = quoted.slice(quotes.length, quoted.length - end.length);
    this.#pieces.push(quotes, mask(inside, hidden), end);
  }

  /** Returns the string at the offset. A string without closing quotes ends with its line, a multi-line one with the text. */
  #string(): string {
    const long = this.#match(/"""|'''/y);
    if (long === "") return this.#match(/"(?:\\[^\n]|[^"\\\n])*["\\]?|'[^'\n]*'?/y);
    const start = this.#offset + 3;
    let end = this.#text.indexOf(long, start);
    while (long === '"""' && end > 0 && isEscaped(this.#text, end, start)) end = this.#text.indexOf(long, end + 1);
    // A multi-line string may have up to two quotes before its closing quotes.
    for (let extra = 0; end >= 0 && extra < 2 && this.#text[end + 3] === long[0]; extra++) end++;
    return this.#text.slice(this.#offset, end < 0 ? undefined : end + 3);
  }

  /** Whether "=" or ":" follows after `ahead` characters. */
  #isKey(ahead = 0): boolean {
    const pattern = ahead === 0 ? /[ \t]*[=:]/y : /[ \t]*(?:[=:]|\.[ \t]*[\w"'-])/y;
    pattern.lastIndex = this.#offset + ahead;
    return pattern.test(this.#text);
  }

  /** The last part of a dotted key is the key. A table of headers among the other parts makes it a header. */
  #setKey(key: string): void {
    const parts = key.split(".");
    const headers = parts.slice(0, -1).some(isHeaderTable);
    this.#frame.key = headers ? "" : parts.at(-1);
    this.#lastWord = undefined;
  }

  #hides(key: string | undefined): boolean {
    if (this.#frame.headers) return true;
    if (key === undefined) return false;
    const known = this.#hidden.get(key);
    if (known !== undefined) return known;
    const hidden =
      isSecretName(key) || isHeaderTable(key) || (this.#shown !== undefined && !this.#isOption(key, this.#shown));
    if (this.#hidden.size < maxComparedKeys) this.#hidden.set(key, hidden);
    return hidden;
  }

  /** Whether a key is an option or a typo of one. The value of an option may be shown, even if its key is misspelt. */
  #isOption(key: string, options: ReadonlySet<string>): boolean {
    if (options.has(key)) return true;
    if (this.#hidden.size >= maxComparedKeys) return false;
    const initial = key.slice(0, 1).toLowerCase();
    const candidates = [...options].filter((option) => option.startsWith(initial));
    return didYouMean(key, candidates).startsWith(", did you mean");
  }

  #open(isArray: boolean): void {
    const { key, headers } = this.#frame;
    this.#keep(isArray ? "[" : "{");
    this.#lastWord = undefined;
    if (this.#frames.length > 1_000) return;
    const inHeaders = headers || key === "" || isHeaderTable(key ?? "");
    this.#frames.push({ isArray, key: isArray ? key : undefined, headers: inHeaders });
  }

  #close(): void {
    this.#keep(this.#text[this.#offset] ?? "");
    if (this.#frames.length > 1) this.#frames.pop();
  }

  #keep(text: string): void {
    this.#offset += text.length;
    this.#pieces.push(text);
  }

  /** Returns the match of a sticky pattern at the offset. */
  #match(pattern: RegExp): string {
    pattern.lastIndex = this.#offset;
    return pattern.exec(this.#text)?.[0] ?? "";
  }
}

/** Whether an odd number of backslashes precedes an offset. */
function isEscaped(text: string, offset: number, start: number): boolean {
  let first = offset;
  while (first > start && text[first - 1] === "\\") first--;
  return (offset - first) % 2 === 1;
}

function mask(inside: string, hidden: boolean): string {
  // The secret is in the environment, not in the file.
  if (/^\$\{\w+\}$/.test(inside)) return inside;
  if (hidden) return toStars(inside);
  // With the closing quote missing, the further lines are other settings.
  const [first = "", ...rest] = maskSecrets(inside).split("\n");
  return [first, ...rest.map(toStars)].join("\n");
}

/** Replaces each character by a star. Line breaks stay. */
function toStars(text: string): string {
  return text.replace(/[^\r\n]/g, "*");
}
