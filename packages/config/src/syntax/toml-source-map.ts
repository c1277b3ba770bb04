/**
 * Finds the places of the keys and values of a TOML document, which its parser does not tell.
 *
 * Runs on text that has parsed, so it needs to know only where things begin and end, not whether they are right. Every
 * step moves forward, so it ends on any text.
 */

import { parse } from "smol-toml";
import { childPlace, createPlace, type Place } from "./source-map.ts";

export function findTomlPlaces(text: string): Place {
  return new TomlScanner(text).scan();
}

interface KeyPart {
  readonly name: string;
  readonly offset: number;
}

class TomlScanner {
  readonly #text: string;
  readonly #root = createPlace(0);
  /** The arrays made by `[[headers]]`: a header or key below one means its last table. */
  readonly #tableArrays = new Set<Place>();
  #offset = 0;

  constructor(text: string) {
    this.#text = text;
  }

  scan(): Place {
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

  #scanHeader(): Place {
    const isArray = this.#text.startsWith("[[", this.#offset);
    this.#offset += isArray ? 2 : 1;
    const parts = this.#scanKey();
    let place = this.#root;
    for (const { name, offset } of parts.slice(0, -1)) place = this.#lastTable(childPlace(place, name, offset));
    const last = parts.at(-1) ?? { name: "", offset: this.#offset };
    place = childPlace(place, last.name, last.offset);
    if (isArray) {
      this.#tableArrays.add(place);
      return childPlace(place, place.children.size, last.offset);
    }
    // A header of its own says more about where a table is than one further down that merely implied it.
    place.key = last.offset;
    place.value = last.offset;
    return place;
  }

  #lastTable(place: Place): Place {
    return this.#tableArrays.has(place) ? (place.children.get(place.children.size - 1) ?? place) : place;
  }

  #scanKeyValue(table: Place): void {
    let place = table;
    for (const { name, offset } of this.#scanKey()) place = childPlace(place, name, offset);
    this.#skipSpace();
    if (this.#at("=")) this.#offset++;
    this.#skipSpace();
    this.#scanValue(place);
  }

  /** A dotted key, up to what follows it. */
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

  #scanValue(place: Place): void {
    place.value = this.#offset;
    if (this.#at("[")) this.#scanArray(place);
    else if (this.#at("{")) this.#scanInlineTable(place);
    else if (this.#at('"') || this.#at("'")) this.#skipString();
    else this.#skipPast(/[^,\]}#\n]*/y);
  }

  #scanArray(place: Place): void {
    this.#offset++;
    for (this.#skipSeparators(); this.#within("]"); this.#skipSeparators()) {
      const before = this.#offset;
      this.#scanValue(childPlace(place, place.children.size, this.#offset));
      if (this.#offset === before) this.#offset++;
    }
    this.#offset++;
  }

  #scanInlineTable(place: Place): void {
    this.#offset++;
    for (this.#skipSeparators(); this.#within("}"); this.#skipSeparators()) {
      const before = this.#offset;
      this.#scanKeyValue(place);
      if (this.#offset === before) this.#offset++;
    }
    this.#offset++;
  }

  /** A string of any of the four kinds. One of several lines may have up to two quotes right before its end. */
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

  /** Whether an odd number of backslashes stands right before an offset. */
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

/** The parser reads a quoted key best, escapes and all. */
function unquote(quoted: string): string {
  return String(parse(`key = ${quoted}`)["key"]);
}
