import { formatPath } from "evenkeel";
import { limits } from "../defaults.ts";
import { ConfigError, type ConfigErrorKind, type ConfigMistake } from "./config-error.ts";
import type { SourceText } from "./source-text.ts";

/** Makes an error that lists mistakes in the order of their lines, each with its position, its message and the line. */
export function toConfigError(
  kind: ConfigErrorKind,
  file: string,
  source: SourceText,
  mistakes: readonly ConfigMistake[],
): ConfigError {
  const sorted = mistakes.toSorted((a, b) => a.line - b.line || a.column - b.column);
  const shown = sorted.slice(0, limits.mistakesShown).map((mistake) => describe(file, source, mistake));
  if (shown.length < sorted.length) shown.push(`and ${sorted.length - shown.length} more`);
  return new ConfigError(kind, file, shown.join("\n\n"), { mistakes: sorted });
}

function describe(file: string, source: SourceText, { path, message, line, column }: ConfigMistake): string {
  const place = path.length === 0 ? "" : `${clip(formatPath(path))}: `;
  const { text, caret } = excerpt(source.maskedLineAt(line), column);
  const margin = `${line}`.length;
  return [
    `${file}:${line}:${column}: ${printable(`${place}${message}`)}`,
    `  ${line} | ${printable(text)}`.trimEnd(),
    `  ${" ".repeat(margin)} | ${caret}^`,
  ].join("\n");
}

/** Returns the part of a line around a column, and the indent of the caret below it. */
function excerpt(line: string, column: number): { text: string; caret: string } {
  const index = column - 1;
  const start = line.length <= limits.lineWidth ? 0 : Math.max(0, index - limits.lineWidth / 2);
  const end = start + limits.lineWidth;
  const before = `${start > 0 ? "…" : ""}${line.slice(start, index)}`;
  return {
    text: `${start > 0 ? "…" : ""}${line.slice(start, end)}${end < line.length ? "…" : ""}`,
    // Tabs stay tabs, so that the caret is below the column at any tab width.
    caret: before.replace(/[^\t]/g, " "),
  };
}

function clip(text: string): string {
  return text.length <= limits.lineWidth ? text : `${text.slice(0, limits.lineWidth)}…`;
}

/** Replaces control and bidirectional characters, which could change what a terminal shows. */
function printable(text: string): string {
  return text.replace(/[^\P{C}\t]|[\u2028\u2029]/gu, "\ufffd");
}
