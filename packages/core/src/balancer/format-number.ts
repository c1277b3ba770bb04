/** Formats a number for a sentence, with three significant digits. */
export function formatNumber(value: number): string {
  return String(Number(value.toPrecision(3)));
}
