/** What one side of a WebSocket may send, by the sections of the Autobahn test suite. */

import { close, encode, fragments, frame, opcode, type Sketch } from "./frames.ts";

export interface WebSocketCase {
  readonly name: string;
  readonly sketches: readonly Sketch[];
}

const { text, binary, continuation, ping, pong } = opcode;
const goodbye = close(1_000, "bye");
const sizes = [0, 1, 125, 126, 127, 128, 65_535, 65_536, 65_537];

/** "κόσμε", and text outside of the basic plane. */
const letters = "\u03ba\u1f79\u03c3\u03bc\u03b5 \u{1f600} hello";

const invalidTexts = [
  "cebae1bdb9cf83cebcceb5eda080656469746564",
  "cebae1bdb9cf83cebcceb5f4908080656469746564",
  "f888808080",
  "fc8480808080",
  "fe",
  "ff",
  "80",
  "bf",
  "c0af",
  "e080af",
  "f08080af",
  "c1bf",
  "eda080",
  "edbfbf",
  "ce",
  "f09f98",
].map((hex) => Buffer.from(hex, "hex"));

const closeCodes = [
  ...[0, 999, 1_000, 1_001, 1_002, 1_003, 1_004, 1_005, 1_006, 1_007, 1_008, 1_009, 1_010, 1_011, 1_012, 1_013, 1_014],
  ...[1_015, 1_016, 1_100, 2_000, 2_999, 3_000, 3_999, 4_000, 4_999, 5_000, 65_535],
];

const named = (name: string, ...sketches: readonly Sketch[]): WebSocketCase => ({ name, sketches });
/** Ends in good order. */
const ended = (name: string, ...sketches: readonly Sketch[]) => named(name, ...sketches, goodbye);

export const cases: readonly WebSocketCase[] = [
  // 1: framing.
  ...sizes.flatMap((size) => [
    ended(`1: text of ${size} bytes`, frame(text, "*".repeat(size))),
    ended(`1: binary of ${size} bytes`, frame(binary, Buffer.alloc(size, 0xfe))),
  ]),
  // 2: pings and pongs.
  ended("2: a ping without payload", frame(ping)),
  ended("2: a ping with text", frame(ping, "Hello, world!")),
  ended("2: a ping with bytes", frame(ping, Buffer.from([0x00, 0xff, 0xfe, 0xfd, 0xfc, 0xfb, 0x00, 0xff]))),
  ended("2: a ping of 125 bytes", frame(ping, Buffer.alloc(125, 0xfe))),
  named("2: a ping of 126 bytes", frame(ping, Buffer.alloc(126, 0xfe))),
  ended("2: a pong without a ping", frame(pong), frame(pong, "unsolicited"), frame(ping, "ping")),
  ended("2: ten pings", ...Array.from({ length: 10 }, (_, index) => frame(ping, `payload-${index}`))),
  // 3: reserved bits.
  ...[1, 2, 3, 4, 5, 6, 7].flatMap((rsv) => [
    named(`3: the reserved bits ${rsv} of text`, frame(text, "small"), frame(text, "x", { rsv }), frame(ping)),
    named(`3: the reserved bits ${rsv} of a ping`, frame(ping, "x", { rsv })),
    named(`3: the reserved bits ${rsv} of a close`, frame(opcode.close, "", { rsv })),
  ]),
  // 4: opcodes.
  ...[3, 4, 5, 6, 7, 11, 12, 13, 14, 15].flatMap((code) => [
    named(`4: the opcode ${code}`, frame(code)),
    named(`4: the opcode ${code} with a payload behind text`, frame(text, "x"), frame(code, "reserved"), frame(ping)),
  ]),
  // 5: fragmentation.
  named("5: a ping in fragments", ...fragments(ping, "fragment", 4)),
  named("5: a pong in fragments", ...fragments(pong, "fragment", 4)),
  ended("5: text in two fragments", ...fragments(text, "fragment", 4)),
  ended("5: text with pings between its fragments", ...interleaved(fragments(text, "fragments of text", 2))),
  ended(
    "5: empty fragments",
    frame(text, "", { fin: false }),
    frame(continuation, "", { fin: false }),
    frame(continuation),
  ),
  named("5: a continuation of nothing", frame(continuation, "x"), frame(text, "y")),
  named("5: a continuation of nothing that goes on", frame(continuation, "x", { fin: false }), frame(text, "y")),
  named("5: a continuation behind a whole message", frame(text, "x"), frame(continuation, "y")),
  named("5: text within fragments", frame(text, "x", { fin: false }), frame(text, "y"), frame(continuation, "z")),
  named("5: binary within fragments of text", frame(text, "x", { fin: false }), frame(binary, "y", { fin: false })),
  named("5: a close within fragments", frame(text, "x", { fin: false }), goodbye, frame(continuation, "y")),
  // 6: UTF-8.
  ended("6: text of several languages", frame(text, letters)),
  ended("6: text in fragments of one byte", ...fragments(text, letters, 1)),
  ended("6: noncharacters", frame(text, "\ufffe\uffff\u{10ffff}\u{1fffe}\0")),
  ...invalidTexts.flatMap((bytes, index) => [
    named(`6: invalid text ${index}`, frame(text, bytes), frame(ping)),
    named(`6: invalid text ${index} in fragments of one byte`, ...fragments(text, bytes, 1)),
  ]),
  // 7: closing.
  named("7: a close without a code", frame(opcode.close)),
  named("7: a close of one byte", frame(opcode.close, "x")),
  named("7: a close with a reason of 123 bytes", close(1_000, "*".repeat(123))),
  named("7: a close with a reason of 124 bytes", close(1_000, "*".repeat(124))),
  named("7: a close with an invalid reason", close(1_000, Buffer.from("cebae1bdb9eda080", "hex"))),
  named("7: data behind a close", goodbye, frame(text, "late"), frame(ping), goodbye),
  ...closeCodes.map((code) => named(`7: the code ${code}`, frame(text, "x"), close(code, "why"))),
  // 9 and 10: large messages.
  ended("9: text of 1 MB", frame(text, "*".repeat(1_048_576))),
  ended("9: binary of 4 MB in fragments of 64 KB", ...fragments(binary, Buffer.alloc(4_194_304, 0xfe), 65_536)),
  ended("9: binary of 64 KB in fragments of 64 bytes", ...fragments(binary, Buffer.alloc(65_536, 0xfe), 64)),
  ended("9: a thousand messages", ...Array.from({ length: 1_000 }, (_, index) => frame(text, `message ${index}`))),
];

function interleaved(parts: readonly Sketch[]): Sketch[] {
  return parts.flatMap((part, index) => [part, frame(ping, String(index))]);
}

/** The bytes of a case, as a client or as a server sends them. */
export function bytesOf({ sketches }: WebSocketCase, masked: boolean): Buffer {
  return encode(sketches, masked);
}
