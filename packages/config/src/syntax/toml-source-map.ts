/**
 * Maps the keys and values of a TOML document to their offsets, which the parser does not report.
 *
 * The text has been parsed without an error, so the scanner looks for the ends of tokens only and validates nothing. Every
 * step moves forward, so the scan ends for any text.
 */

import { parse } from "smol-toml";
import { childNode, createNode, type SourceNode } from "./source-map.ts";

export function mapTomlSource(text: string): SourceNode {
  return new TomlScanner(text).scan();
}

interface KeyPart {
  readonly name: string;
  readonly offset: number;
}

class TomlScanner {
  readonly #text: string;
  readonly #root = createNode(0);
  /** The arrays of `[[headers]]`. A header or key below one belongs to its last table. */
  readonly #tableArrays = new Set<SourceNode>();
  #offset = 0;

  constructor(text: string) {
    this.#text = text;
  }

  scan(): SourceNode {
    let table = this.#root;
    this.#skipBlank();
    while (this.#offset < this.#text.length) {
      if (this.#at("[")) table = this.#scanHeader();
      else this.#scanKeyValue(table);
      this.#skipPast(/[^\n]*/y);
      this.#skipBlank();
    }
    return this.#root;
  }

  #scanHeader(): SourceNode {
    const isArray = this.#text.startsWith("[[", this.#offset);
    this.#offset += isArray ? 2 : 1;
    const parts = this.#scanKey();
    let node = this.#root;
    for (const { name, offset } of parts.slice(0, -1)) node = this.#lastTable(childNode(node, name, offset));
    const last = parts.at(-1) ?? { name: "", offset: this.#offset };
    node = childNode(node, last.name, last.offset);
    if (isArray) {
      this.#tableArrays.add(node);
      return childNode(node, node.children.size, last.offset);
    }
    // A table's own header is its position, even if a header of a nested table comes first and implies the table.
    node.key = last.offset;
    node.value = last.offset;
    return node;
  }

  #lastTable(node: SourceNode): SourceNode {
    return this.#tableArrays.has(node) ? (node.children.get(node.children.size - 1) ?? node) : node;
  }

  #scanKeyValue(table: SourceNode): void {
    let node = table;
    for (const { name, offset } of this.#scanKey()) node = childNode(node, name, offset);
    this.#skipSpace();
    if (this.#at("=")) this.#offset++;
    this.#skipSpace();
    this.#scanValue(node);
  }

  /** Reads a dotted key and the space behind it. */
  #scanKey(): KeyPart[] {
    const parts: KeyPart[] = [];
    do {
      if (this.#at(".")) this.#offset++;
      this.#skipSpace();
      const offset = this.#offset;
      if (this.#at('"') || this.#at("'")) {
        this.#skipString();
        parts.push({ name: unquote(this.#text.slice(offset, this.#offset)), offset });
      } else {
        this.#skipPast(/[^\s.=\]"'#,}]*/y);
        parts.push({ name: this.#text.slice(offset, this.#offset), offset });
      }
      this.#skipSpace();
    } while (this.#at("."));
    return parts;
  }

  #scanValue(node: SourceNode): void {
    node.value = this.#offset;
    if (this.#at("[")) this.#scanArray(node);
    else if (this.#at("{")) this.#scanInlineTable(node);
    else if (this.#at('"') || this.#at("'")) this.#skipString();
    else this.#skipPast(/[^,\]}#\n]*/y);
  }

  #scanArray(node: SourceNode): void {
    this.#offset++;
    for (this.#skipSeparators(); this.#within("]"); this.#skipSeparators()) {
      const before = this.#offset;
      this.#scanValue(childNode(node, node.children.size, this.#offset));
      if (this.#offset === before) this.#offset++;
    }
    this.#offset++;
  }

  #scanInlineTable(node: SourceNode): void {
    this.#offset++;
    for (this.#skipSeparators(); this.#within("}"); this.#skipSeparators()) {
      const before = this.#offset;
      this.#scanKeyValue(node);
      if (this.#offset === before) this.#offset++;
    }
    this.#offset++;
  }

  /** Skips a string of any of the four kinds. A multi-line string may have up to two quotes before its closing quotes. */
  #skipString(): void {
    const quote = this.#text[this.#offset] ?? "";
    const long = this.#text.startsWith(quote.repeat(3), this.#offset);
    const end = long ? quote.repeat(3) : quote;
    const start = this.#offset + end.length;
    let close = this.#text.indexOf(end, start);
    while (quote === '"' && this.#isEscaped(close, start)) close = this.#text.indexOf(end, close + 1);
    this.#offset = close < 0 ? this.#text.length : close + end.length;
    for (let extra = 0; long && extra < 2 && this.#at(quote); extra++) this.#offset++;
  }

  /** Whether an odd number of backslashes precedes an offset. */
  #isEscaped(offset: number, start: number): boolean {
    let first = offset;
    while (first > start && this.#text[first - 1] === "\\") first--;
    return (offset - first) % 2 === 1;
  }

  #skipSpace(): void {
    this.#skipPast(/[ \t]*/y);
  }

  /** White space, line breaks and comments. */
  #skipBlank(): void {
    this.#skipPast(/\s*/y);
    while (this.#at("#")) this.#skipPast(/[^\n]*\s*/y);
  }

  #skipSeparators(): void {
    this.#skipBlank();
    while (this.#at(",")) {
      this.#offset++;
      this.#skipBlank();
    }
  }

  #within(end: string): boolean {
    return this.#offset < this.#text.length && !this.#at(end);
  }

  #at(character: string): boolean {
    return this.#text[this.#offset] === character;
  }

  /** `pattern` is sticky and matches the empty string too. */
  #skipPast(pattern: RegExp): void {
    pattern.lastIndex = this.#offset;
    this.#offset += pattern.exec(this.#text)?.[0].length ?? 0;
  }
}

/** The TOML parser decodes the escapes of a quoted key. */
function unquote(quoted: string): string {
  return String(parse(`key = ${quoted}`)["key"]);
}
