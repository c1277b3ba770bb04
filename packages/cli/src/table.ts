import { toSafeText } from "./log/escape.ts";

/** Formats rows of cells as lines. Each column is as wide as its widest cell. */
export function formatTable(rows: readonly (readonly string[])[]): string[] {
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0))) ?? [];
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join("  ")
      .trimEnd(),
  );
}

/** Prints lines. Control characters in them are escaped, so that they cannot control the terminal. */
export function printLines(lines: readonly string[]): void {
  process.stdout.write(`${lines.map(toSafeText).join("\n")}\n`);
}
