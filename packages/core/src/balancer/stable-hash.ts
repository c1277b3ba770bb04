import { limits } from "../config/defaults.ts";

/**
 * A 64-bit hash as two 32-bit halves, the same on every process and machine: FNV-1a over UTF-16 code units, each half
 * from a basis of its own, and murmur3's finalizer to spread what the multiplications have not. Not for secrets.
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

/** A number above 0 and below 1 that two hashes have between them, evenly spread over the pairs; each comes in its halves. */
export function unitOf(high: number, low: number, otherHigh: number, otherLow: number): number {
  const upper = upperBits(high, low, otherHigh, otherLow);
  // 52 bits and a half: never 0, and exact, so that it is never rounded to 1.
  return (upper * 1_048_576 + (lowerBits(low, otherLow) >>> 12) + 0.5) / 4_503_599_627_370_496;
}

/** The first 32 bits of `unitOf`, as an integer: less work, and enough to tell most hashes apart. */
export function upperBits(high: number, low: number, otherHigh: number, otherLow: number): number {
  return spread(high ^ otherHigh ^ lowerBits(low, otherLow)) >>> 0;
}

function lowerBits(low: number, otherLow: number): number {
  return Math.imul(low + otherLow, 0x9e3779b1);
}

/** Hashing takes a bounded time. The length tells apart what has the same ends. */
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
