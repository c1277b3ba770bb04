import { toSafeJson, toSafeText } from "./log/escape.ts";

/** Formats rows of cells as lines. Each column is as wide as its widest cell; columns in `right` are aligned to the right. */
export function formatTable(rows: readonly (readonly string[])[], right: ReadonlySet<number> = new Set()): string[] {
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0))) ?? [];
  return rows.map((row) =>
    row
      .map((cell, column) =>
        right.has(column) ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0),
      )
      .join("  ")
      .trimEnd(),
  );
}

/** Prints lines. Control characters in them are escaped, so that they cannot control the terminal. */
export function printLines(lines: readonly string[]): void {
  process.stdout.write(`${lines.map(toSafeText).join("\n")}\n`);
}

/** Like `printLines`, for a text of several lines. */
export function printText(text: string): void {
  printLines(text.trimEnd().split("\n"));
}

/** Prints a value as indented JSON. */
export function printJson(value: unknown): void {
  process.stdout.write(`${toSafeJson(value, 2)}\n`);
}
