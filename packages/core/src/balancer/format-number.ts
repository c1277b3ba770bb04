/** A number as it is put into a sentence: three digits that matter, and no more. */
export function figure(value: number): string {
  return String(Number(value.toPrecision(3)));
}
