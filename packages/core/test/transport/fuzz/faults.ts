import type { Dice } from "./dice.ts";

/** Puts something wrong into a response, in place. */
export type Fault = (tokens: string[], dice: Dice) => void;

/** Faults that some parsers are known to read differently. */
const nastyLines = [
  ...["Content-Length: 5", "Content-Length: 0", "Content-Length: +5", "Content-Length: -1", "Content-Length: 0x5"],
  ...["Content-Length: 05", "Content-Length: 5, 5", "Content-Length:", "Content-Length: 5 5", "Content-Length: 1_0"],
  ...["Content-Length: 18446744073709551616", "Content-Length: 9007199254740993", "Content-Length : 5"],
  ...[
    "Transfer-Encoding: chunked",
    "Transfer-Encoding: gzip",
    "Transfer-Encoding: gzip, chunked",
    "Transfer-Encoding:",
  ],
  ...["Transfer-Encoding: chunked, gzip", "Transfer-Encoding: identity", "Transfer-Encoding: chunked, chunked"],
  ...["Transfer-Encoding: xchunked", "Transfer-Encoding : chunked", "transfer-encoding:\tchunked", "X: a\r\n b"],
  ...[
    "X: a\r\n\tTransfer-Encoding: chunked",
    ": a",
    "X",
    " X: a",
    "X: a\rb",
    "X: a\nb",
    "X: a\0b",
    "X: \x7f",
    "X\xe4: a",
  ],
  ...[
    "Connection: close",
    "Connection: upgrade\r\nUpgrade: websocket",
    "Upgrade: h2c",
    "Trailer: X",
    "Keep-Alive: timeout=0",
  ],
];
const nastyBytes = [
  "\r",
  "\n",
  "\r\n",
  "\0",
  " ",
  "\t",
  ":",
  ";",
  ",",
  "\x0b",
  "\x7f",
  "\xff",
  "0",
  "-",
  "+",
  "x",
  "\r\n\r\n",
  "0\r\n\r\n",
];
const surpluses = ["x", "\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nstolen", "0\r\n\r\n", "\0"];
const statusLines = [
  "HTTP/1.1 101 Switching Protocols",
  "HTTP/1.1 99 x",
  "HTTP/1.1 1000 x",
  "HTTP/1.1 600 x",
  "HTTP/1.1 200OK",
  "HTTP/2.0 200 OK",
];
const otherStatusLines = [
  "HTTP/0.9 200 OK",
  "HTTP/1.2 200 OK",
  "ICY 200 OK",
  "http/1.1 200 OK",
  "HTTP/1.1  200 OK",
  "HTTP/1.1\t200 OK",
  "SSH-2.0-x",
];

/** Each as likely as the others; what matters most is there twice. */
export const allFaults: readonly Fault[] = [
  function dropToken(tokens, dice) {
    tokens.splice(dice.below(tokens.length), 1);
  },
  function repeatToken(tokens, dice) {
    const index = dice.below(tokens.length);
    tokens.splice(index, 0, tokens[index] as string);
  },
  function swapTokens(tokens, dice) {
    const [a, b] = [dice.below(tokens.length), dice.below(tokens.length)];
    [tokens[a], tokens[b]] = [tokens[b] as string, tokens[a] as string];
  },
  function insertBytes(tokens, dice) {
    tokens.splice(dice.below(tokens.length + 1), 0, dice.of(nastyBytes));
  },
  function insertBytesWithin(tokens, dice) {
    const index = dice.below(tokens.length);
    const token = tokens[index] as string;
    const at = dice.below(token.length + 1);
    tokens[index] = token.slice(0, at) + dice.of(nastyBytes) + token.slice(at);
  },
  function replaceByte(tokens, dice) {
    const index = dice.below(tokens.length);
    const token = tokens[index] as string;
    const at = dice.below(token.length);
    tokens[index] = token.slice(0, at) + String.fromCharCode(dice.below(256)) + token.slice(at + 1);
  },
  insertLine,
  insertLine,
  function changeLineEnd(tokens, dice) {
    const index = tokens.indexOf("\r\n", dice.below(tokens.length));
    if (index !== -1) tokens[index] = dice.of(["\n", "\r", "\r\r\n", "\n\r", "\r\n\r\n", " \r\n", "\r\n ", ""]);
  },
  changeNumber,
  changeNumber,
  function replaceStatusLine(tokens, dice) {
    tokens.splice(0, Math.max(1, tokens.indexOf("\r\n")), dice.of(dice.chance(0.5) ? statusLines : otherStatusLines));
  },
  function addSurplus(tokens, dice) {
    tokens.push(dice.of(surpluses));
  },
  function manyFields(tokens, dice) {
    tokens.splice(tokens.indexOf("\r\n") + 1, 0, "X: y\r\n".repeat(dice.of([190, 200, 205])));
  },
  function largeField(tokens, dice) {
    if (dice.chance(0.2))
      tokens.splice(tokens.indexOf("\r\n") + 1, 0, `X: ${"y".repeat(15_000 + dice.below(3_000))}\r\n`);
  },
];

function insertLine(tokens: string[], dice: Dice): void {
  const ends = tokens.flatMap((token, index) => (token === "\r\n" ? [index + 1] : []));
  tokens.splice(dice.of([...ends, 0]), 0, `${dice.of(nastyLines)}\r\n`);
}

/** A status, a length or a size that is nearly right. */
function changeNumber(tokens: string[], dice: Dice): void {
  const places = tokens.flatMap((token, index) => (/^[0-9a-f]{1,4}$/i.test(token) ? [index] : []));
  if (places.length === 0) return;
  const index = dice.of(places);
  const token = tokens[index] as string;
  const number = Number.parseInt(token, 10) || 0;
  tokens[index] = dice.of([
    ...[
      `${number + 1}`,
      `${Math.max(0, number - 1)}`,
      `0${token}`,
      `000000000000000${token}`,
      `+${token}`,
      `-${token}`,
    ],
    ...[
      `0x${token}`,
      `${token}_`,
      ` ${token}`,
      `${token} `,
      `${token};`,
      "",
      `${token}.0`,
      "ffffffffffffffff",
      `${token}\t`,
    ],
  ]);
}
