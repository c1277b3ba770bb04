/**
 * A 64-bit hash as two 32-bit halves, the same on every process and machine: FNV-1a over UTF-16 code units, each half
 * from a basis of its own, and murmur3's finalizer to spread what the multiplications have not. Not for secrets.
 */
export interface Hash64 {
  readonly high: number;
  readonly low: number;
}

const prime = 0x01000193;

export function hash64(text: string): Hash64 {
  let high = 0x811c9dc5;
  let low = 0x050c5d1f;
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index);
    high = Math.imul(high ^ unit, prime);
    low = Math.imul(low ^ ((unit << 8) | (unit >>> 8)), prime);
  }
  return { high: spread(high), low: spread(low ^ high) };
}

/** A number above 0 and below 1 that two hashes have between them, evenly spread over the pairs. */
export function unitOf(one: Hash64, other: Hash64): number {
  const high = spread(one.high ^ Math.imul(other.high, 0x9e3779b1)) >>> 0;
  const low = spread(one.low + other.low) >>> 0;
  // 53 bits and a half, so that it is never 0.
  return ((spread(high ^ low) >>> 0) * 2_097_152 + (low >>> 11) + 0.5) / 9_007_199_254_740_992;
}

function spread(bits: number): number {
  let mixed = bits;
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return mixed ^ (mixed >>> 16);
}
