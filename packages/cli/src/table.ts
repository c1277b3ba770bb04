import { toSafeText } from "./log/escape.ts";

/** Rows of cells as lines, each column as wide as its widest cell. */
export function toTable(rows: readonly (readonly string[])[]): string[] {
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0))) ?? [];
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join("  ")
      .trimEnd(),
  );
}

/** Prints lines; what they hold of others' text does nothing to a terminal. */
export function print(lines: readonly string[]): void {
  process.stdout.write(`${lines.map(toSafeText).join("\n")}\n`);
}
