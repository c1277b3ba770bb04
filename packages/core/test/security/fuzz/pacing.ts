import fc, { type Arbitrary } from "fast-check";

/** Places at which bytes are cut into packets, modulo their number; "bytes" is everywhere. */
export type Cuts = readonly number[] | "bytes";

export const cuts: Arbitrary<Cuts> = fc.oneof(
  { weight: 10, arbitrary: fc.constant([]) },
  { weight: 6, arbitrary: fc.array(fc.nat(2_000), { minLength: 1, maxLength: 6 }) },
  { weight: 1, arbitrary: fc.constant("bytes" as const) },
);

/** Beyond this, single bytes would only take time. */
const mostSingleBytes = 150;

export function cut(bytes: Buffer, places: Cuts): Buffer[] {
  const all =
    places !== "bytes"
      ? places.map((place) => place % (bytes.length + 1))
      : Array.from({ length: Math.min(bytes.length, mostSingleBytes) }, (_, index) => index + 1);
  const ends = [...new Set([...all, bytes.length])].sort((a, b) => a - b);
  return ends.map((end, index) => bytes.subarray(ends[index - 1] ?? 0, end)).filter(({ length }) => length > 0);
}
