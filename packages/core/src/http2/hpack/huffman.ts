import { errorCode, Http2Error } from "../protocol.ts";

/**
 * The lengths in bits of the Huffman codes of bytes 0 to 255 and of the end of a string, one base-36 digit each (RFC 7541
 * appendix B). The code is canonical: codes of one length are in the order of their bytes, so the lengths define all codes.
 */
const codeLengths =
  "dnsssssssoussussssssssusssssssss6aacd68baa8b8666555666666678f6ca" +
  "d67777777777777777777777878djde6f56565666577666567655677777fbeds" +
  "kmkkmmmnmnnnnnonoomnonnnnlmnmnnomlkmmnnlnmmolmnnllmlnmnnkmmmnmmn" +
  "qqkjmnmpqqqrrqopjlqrrqrollqqsrrrkoklmllnmmppooqnqrqqrrrrrsrrrrrq" +
  "u";
const endOfString = 256;

const codes = new Uint32Array(257);
const lengths = Uint8Array.from(codeLengths, (digit) => Number.parseInt(digit, 36));

/**
 * The transitions of the decoder by state and nibble: bits 0 to 7 are a completed byte, bit 8 is set if there is one, bit 9 if
 * the code is invalid, and the other bits are the next state. A state is a node of the tree of codes.
 */
const emits = 0x100;
const fails = 0x200;
const stateShift = 10;
let transitions: Uint32Array;
/** States in which a string may end: fewer than eight bits, all ones (RFC 7541 section 5.2). */
let mayEnd: Uint8Array;

assignCodes();
buildDecoder();

/** Returns the length of a Huffman-coded text in bytes. */
export function huffmanLength(text: string): number {
  let bits = 0;
  for (let index = 0; index < text.length; index++) bits += lengths[text.charCodeAt(index) & 0xff] as number;
  return Math.ceil(bits / 8);
}

/** Writes a Latin-1 text Huffman-coded and returns where it ends. */
export function writeHuffman(bytes: Buffer, start: number, text: string): number {
  let position = start;
  let pending = 0;
  let bits = 0;
  for (let index = 0; index < text.length; index++) {
    const byte = text.charCodeAt(index) & 0xff;
    let left = lengths[byte] as number;
    const code = codes[byte] as number;
    // A code has up to 30 bits, and `pending` up to 7, so codes are appended in parts that stay within 32 bits.
    while (left > 0) {
      const taken = Math.min(left, 16);
      pending = (pending << taken) | ((code >>> (left - taken)) & ((1 << taken) - 1));
      bits += taken;
      left -= taken;
      while (bits >= 8) {
        bits -= 8;
        bytes[position++] = pending >>> bits;
        pending &= (1 << bits) - 1;
      }
    }
  }
  if (bits > 0) bytes[position++] = (pending << (8 - bits)) | (0xff >>> bits);
  return position;
}

let scratch = Buffer.allocUnsafeSlow(4_096);

/** Reads a Huffman-coded string as Latin-1, or throws an `Http2Error`. */
export function readHuffman(bytes: Buffer, start: number, end: number): string {
  // The shortest code has 5 bits.
  const most = Math.ceil(((end - start) * 8) / 5);
  if (scratch.length < most) scratch = Buffer.allocUnsafeSlow(most * 2);
  let state = 0;
  let length = 0;
  for (let position = start; position < end; position++) {
    const byte = bytes[position] as number;
    const first = transitions[state * 16 + (byte >>> 4)] as number;
    if ((first & emits) !== 0) scratch[length++] = first & 0xff;
    const second = transitions[(first >>> stateShift) * 16 + (byte & 0xf)] as number;
    if ((second & emits) !== 0) scratch[length++] = second & 0xff;
    if (((first | second) & fails) !== 0) throw broken();
    state = second >>> stateShift;
  }
  if (mayEnd[state] === 0) throw broken();
  return scratch.toString("latin1", 0, length);
}

function broken(): Http2Error {
  return new Http2Error(errorCode.compressionError, "an invalid Huffman code");
}

function assignCodes(): void {
  const order = [...lengths.keys()].sort((a, b) => (lengths[a] as number) - (lengths[b] as number) || a - b);
  let code = 0;
  let length = lengths[order[0] as number] as number;
  for (const symbol of order) {
    const own = lengths[symbol] as number;
    code *= 2 ** (own - length);
    length = own;
    codes[symbol] = code++;
  }
}

/** Builds the tree of codes, and from it the transitions for four bits at a time. */
function buildDecoder(): void {
  const children: [number, number][] = [[0, 0]];
  const symbols: number[] = [-1];
  const endable: boolean[] = [true];
  for (let symbol = 0; symbol <= endOfString; symbol++) {
    let node = 0;
    for (let bit = (lengths[symbol] as number) - 1; bit >= 0; bit--) {
      const side = ((codes[symbol] as number) >>> bit) & 1;
      const pair = children[node] as [number, number];
      if (pair[side] === 0) {
        pair[side] = children.push([0, 0]) - 1;
        const depth = (lengths[symbol] as number) - bit;
        symbols.push(-1);
        endable.push((endable[node] as boolean) && side === 1 && depth < 8);
      }
      node = pair[side] as number;
    }
    symbols[node] = symbol;
  }
  transitions = new Uint32Array(children.length * 16);
  mayEnd = Uint8Array.from(endable, Number);
  for (let state = 0; state < children.length; state++) {
    for (let nibble = 0; nibble < 16; nibble++)
      transitions[state * 16 + nibble] = follow(state, nibble, children, symbols);
  }
}

function follow(
  from: number,
  nibble: number,
  children: readonly [number, number][],
  symbols: readonly number[],
): number {
  let node = from;
  let result = 0;
  for (let bit = 3; bit >= 0; bit--) {
    node = (children[node] as [number, number])[(nibble >>> bit) & 1] as number;
    const symbol = symbols[node] as number;
    // The code of the end of a string never occurs in a string.
    if (symbol === endOfString) return fails;
    if (symbol === -1) continue;
    result |= emits | symbol;
    node = 0;
  }
  return result | (node << stateShift);
}
