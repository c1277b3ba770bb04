import type { ConfigMistake } from "./config-error.ts";
import { maskSource } from "./mask-source.ts";

/** A position in a text. Lines and columns count from 1, columns in UTF-16 code units. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

/** The text of a configuration file and the offsets of its lines. */
export class SourceText {
  /** Without a byte order mark. */
  readonly text: string;
  readonly #lineStarts: readonly number[];
  readonly #shownKeys: ReadonlySet<string> | undefined;
  #masked: string | undefined;

  /** `shownKeys` are the keys whose values an error may show. Undefined shows all that are not named like a secret. */
  constructor(text: string, shownKeys?: ReadonlySet<string>) {
    this.#shownKeys = shownKeys;
    this.text = text.startsWith("\ufeff") ? text.slice(1) : text;
    const lineStarts = [0];
    for (let at = this.text.indexOf("\n"); at >= 0; at = this.text.indexOf("\n", at + 1)) lineStarts.push(at + 1);
    this.#lineStarts = lineStarts;
  }

  positionOf(offset: number): Position {
    // Binary search for the last line that starts at or before the offset.
    let line = 0;
    let end = this.#lineStarts.length;
    while (end - line > 1) {
      const middle = (line + end) >> 1;
      if ((this.#lineStarts[middle] ?? 0) <= offset) line = middle;
      else end = middle;
    }
    return { line: line + 1, column: offset - (this.#lineStarts[line] ?? 0) + 1 };
  }

  /** Returns a line as an error may show it: with possible secrets masked, in its full length, without its line break. */
  maskedLineAt(line: number): string {
    const start = this.#lineStarts[line - 1];
    if (start === undefined) return "";
    this.#masked ??= maskSource(this.text, this.#shownKeys);
    return this.#masked.slice(start, this.#lineStarts[line]).replace(/\r?\n$/, "");
  }

  mistakeAt(offset: number, path: ConfigMistake["path"], message: string): ConfigMistake {
    return { path, message, ...this.positionOf(offset) };
  }
}
