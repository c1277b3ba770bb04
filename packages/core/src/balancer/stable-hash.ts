import { limits } from "../config/defaults.ts";

/**
 * A 64-bit hash as two 32-bit halves, identical on every process and machine: FNV-1a over UTF-16 code units with a
 * different basis for each half, then murmur3's finalizer for a uniform distribution. Not for secrets.
 */
export interface Hash64 {
  readonly high: number;
  readonly low: number;
}

const prime = 0x01000193;

export function hash64(whole: string): Hash64 {
  const text = whole.length <= limits.hashKeyLength ? whole : bothEndsOf(whole);
  let high = 0x811c9dc5;
  let low = 0x050c5d1f;
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index);
    high = Math.imul(high ^ unit, prime);
    low = Math.imul(low ^ ((unit << 8) | (unit >>> 8)), prime);
  }
  return { high: spread(high), low: spread(low ^ high) };
}

/** Combines two 64-bit hashes (given as 32-bit halves) into a uniform number in (0, 1). */
export function combineHashes(high: number, low: number, otherHigh: number, otherLow: number): number {
  const upper = combineUpperBits(high, low, otherHigh, otherLow);
  // 52 bits plus one half: never 0, and exact, so it is never rounded to 1.
  return (upper * 1_048_576 + (combineLowerBits(low, otherLow) >>> 12) + 0.5) / 4_503_599_627_370_496;
}

/** The first 32 bits of `combineHashes`, as an integer. Cheaper, and different for most pairs of hashes. */
export function combineUpperBits(high: number, low: number, otherHigh: number, otherLow: number): number {
  return spread(high ^ otherHigh ^ combineLowerBits(low, otherLow)) >>> 0;
}

function combineLowerBits(low: number, otherLow: number): number {
  return Math.imul(low + otherLow, 0x9e3779b1);
}

/** Bounds the time of hashing. The length distinguishes long texts with the same ends. */
function bothEndsOf(text: string): string {
  const half = limits.hashKeyLength / 2;
  return `${text.length} ${text.slice(0, half)}${text.slice(-half)}`;
}

function spread(bits: number): number {
  let mixed = bits;
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return mixed ^ (mixed >>> 16);
}
