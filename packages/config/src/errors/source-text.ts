import type { ConfigMistake } from "./config-error.ts";
import { maskSource } from "./mask-source.ts";

/** A place in a text as people count: from 1, columns in UTF-16 code units. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

/** The text of a configuration file with its lines. */
export class SourceText {
  /** Without a byte order mark. */
  readonly text: string;
  readonly #lineStarts: readonly number[];
  readonly #shownKeys: ReadonlySet<string> | undefined;
  #masked: string | undefined;

  /** `shownKeys` are the keys whose values an error may show; undefined shows all but what is named like a secret. */
  constructor(text: string, shownKeys?: ReadonlySet<string>) {
    this.#shownKeys = shownKeys;
    this.text = text.startsWith("\ufeff") ? text.slice(1) : text;
    const lineStarts = [0];
    for (let at = this.text.indexOf("\n"); at >= 0; at = this.text.indexOf("\n", at + 1)) lineStarts.push(at + 1);
    this.#lineStarts = lineStarts;
  }

  positionOf(offset: number): Position {
    // The last line that starts at or before the offset is between `line` and `end`, which halves with each step.
    let line = 0;
    let end = this.#lineStarts.length;
    while (end - line > 1) {
      const middle = (line + end) >> 1;
      if ((this.#lineStarts[middle] ?? 0) <= offset) line = middle;
      else end = middle;
    }
    return { line: line + 1, column: offset - (this.#lineStarts[line] ?? 0) + 1 };
  }

  /** A line for an error to show: without its line break, and with what may be secret masked. As long as in the file. */
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
