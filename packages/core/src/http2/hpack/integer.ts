import { errorCode, Http2Error } from "../protocol.ts";

/** The position behind the integer that `readInteger` has read last. To be used right after its call. */
export let integerEnd = 0;

/** Far above any valid length or index, and low enough that sums stay exact. */
const maxInteger = 0x0fff_ffff;

/**
 * Reads an integer with a prefix of `prefixBits` bits (RFC 7541 section 5.1) and sets `integerEnd`. Throws an `Http2Error` for an
 * integer that is too large or has too many bytes.
 */
export function readInteger(bytes: Buffer, start: number, end: number, prefixBits: number): number {
  if (start >= end) throw new Http2Error(errorCode.compressionError, "a header block that ends early");
  const mask = (1 << prefixBits) - 1;
  let value = (bytes[start] as number) & mask;
  if (value < mask) {
    integerEnd = start + 1;
    return value;
  }
  let position = start + 1;
  for (let shift = 0; shift <= 28; shift += 7) {
    if (position >= end) throw new Http2Error(errorCode.compressionError, "a header block that ends early");
    const byte = bytes[position++] as number;
    value += (byte & 0x7f) * 2 ** shift;
    if (value > maxInteger) break;
    if ((byte & 0x80) === 0) {
      integerEnd = position;
      return value;
    }
  }
  throw new Http2Error(errorCode.compressionError, "an integer out of range");
}

/** Writes an integer of at most 6 bytes behind the bits above its prefix, and returns the position behind it. */
export function writeInteger(bytes: Buffer, start: number, above: number, prefixBits: number, value: number): number {
  const mask = (1 << prefixBits) - 1;
  let position = start;
  if (value < mask) {
    bytes[position++] = above | value;
    return position;
  }
  bytes[position++] = above | mask;
  let rest = value - mask;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes[position++] = (rest % 128) | 0x80;
  bytes[position++] = rest;
  return position;
}
