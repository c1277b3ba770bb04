/**
 * Requests from a grammar, and what goes wrong with them: one or two on a connection, then one that shows where a parser takes
 * the end of the others to be.
 */

import type { Random } from "../../../../src/runtime/random.ts";
import { Dice } from "../../../transport/fuzz/dice.ts";
import { allFaults, type Fault } from "../../../transport/fuzz/faults.ts";
import {
  type Field,
  insertField,
  randomField,
  toBytes,
  valueCharacters,
  writeChunks,
  writeFields,
} from "../../../transport/fuzz/message-tokens.ts";

export interface ReadRequest {
  readonly method: string;
  readonly target: string;
  readonly httpVersion: string;
  readonly headers: readonly string[];
  /** In Latin-1. */
  readonly body: string;
}

export interface Case {
  readonly bytes: Buffer;
  /** The requests, if they are well formed; undefined when faults were put in. */
  readonly expected: readonly ReadRequest[] | undefined;
}

const methods = ["GET", "GET", "POST", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "PROPFIND", "M-SEARCH"];
const targets = ["/", "/a/b?c=d", "/%41//..", "*", "http://h/x", "/[x]|^`{}", "/a;b=c,d'()"];
const requestLines = [
  ...[
    "GET / HTTP/1.2",
    "GET / HTTP/0.9",
    "GET / HTTP/2.0",
    "GET /",
    "GET / HTTP/1.10",
    "GET / HTTP/11",
    "GET / http/1.1",
  ],
  ...["GET  / HTTP/1.1", "GET /  HTTP/1.1", "GET / HTTP/1.1 ", " GET / HTTP/1.1", "GET\t/ HTTP/1.1", "GET /\tHTTP/1.1"],
  ...["GET /a b HTTP/1.1", "GET /\x01 HTTP/1.1", "GET /\xe4 HTTP/1.1", "GET /\x7f HTTP/1.1", "GET /#a HTTP/1.1"],
  ...["get / HTTP/1.1", "Get / HTTP/1.1", "FOO / HTTP/1.1", "G(T / HTTP/1.1", "G\xe4T / HTTP/1.1", "PRI * HTTP/2.0"],
  ...["GET / RTSP/1.0", "DESCRIBE rtsp://h/ RTSP/1.0", "SOURCE / ICE/1.0", "SOURCE / HTTP/1.1", "PLAY / HTTP/1.1"],
  ...[
    "GET http://h HTTP/1.1",
    "GET h HTTP/1.1",
    "GET \\ HTTP/1.1",
    "GET ? HTTP/1.1",
    "GET //h HTTP/1.1",
    "QUERY / HTTP/1.1",
  ],
  ...["GET / HTTP/1.1\rX: 1", "GET / HTTP/1.1\nX: 1", "GET\r\n / HTTP/1.1", "HTTP/1.1 200 OK", "\x16\x03\x01", ""],
];

const requestFaults: readonly Fault[] = [
  ...allFaults.filter(({ name }) => name !== "replaceStatusLine"),
  replaceRequestLine,
  replaceRequestLine,
  function emptyLineInFront(tokens, dice) {
    tokens.unshift("\r\n".repeat(1 + dice.below(4)));
  },
];

function replaceRequestLine(tokens: string[], dice: Dice): void {
  tokens.splice(0, Math.max(1, tokens.indexOf("\r\n")), dice.of(requestLines));
}

/** The request behind all others. */
const sentinel: ReadRequest = {
  method: "GET",
  target: "/sentinel",
  httpVersion: "1.1",
  headers: ["Host", "h", "Connection", "close"],
  body: "",
};
const sentinelBytes = "GET /sentinel HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";

/** Makes one case: as it should be, or with up to three faults. */
export function generate(random: Random): Case {
  const dice = new Dice(random);
  const tokens: string[] = [];
  const expected: ReadRequest[] = [];
  for (let count = 1 + dice.below(2); count > 0; count--) expected.push(wellFormed(tokens, dice));
  const close = expected.findIndex(endsConnection);
  if (dice.chance(0.3)) {
    const requests = close === -1 ? [...expected, sentinel] : expected.slice(0, close + 1);
    return { bytes: toBytes([...tokens, sentinelBytes]), expected: requests };
  }
  for (let faults = 1 + dice.below(dice.chance(0.7) ? 1 : 3); faults > 0; faults--)
    dice.of(requestFaults)(tokens, dice);
  const text = tokens.join("");
  if (dice.chance(0.1)) return { bytes: toBytes([text.slice(0, dice.below(text.length + 1))]), expected: undefined };
  return { bytes: toBytes([text, sentinelBytes]), expected: undefined };
}

function endsConnection({ httpVersion, headers }: ReadRequest): boolean {
  const at = headers.findIndex((text, index) => index % 2 === 0 && text === "Connection");
  const options = (headers[at + 1] ?? "").toLowerCase();
  return at === -1 ? httpVersion === "1.0" : options === "close" || (httpVersion === "1.0" && options !== "keep-alive");
}

function wellFormed(tokens: string[], dice: Dice): ReadRequest {
  const method = dice.of(methods);
  const target = dice.of(targets);
  const httpVersion = dice.chance(0.1) ? "1.0" : "1.1";
  const framing = dice.of(
    httpVersion === "1.0" ? ["none", "length"] : ["none", "none", "length", "chunked", "chunked"],
  );
  const body = framing === "none" ? "" : dice.text(`${valueCharacters}\r\n\0GET / HTTP/1.1`, dice.of([0, 1, 20, 200]));
  const fields = [["Host", "h"], ...Array.from({ length: dice.below(5) }, () => field(dice))] as Field[];
  if (framing === "chunked") insertField(fields, ["Transfer-Encoding", dice.of(["chunked", "Chunked"])], dice);
  if (framing === "length")
    insertField(fields, [dice.of(["Content-Length", "content-length"]), String(body.length)], dice);
  if (dice.chance(0.2)) insertField(fields, ["Connection", dice.of(["close", "keep-alive", "Keep-Alive"])], dice);
  tokens.push(method, " ", target, " ", "HTTP/", httpVersion, "\r\n");
  writeFields(tokens, fields, dice);
  tokens.push("\r\n");
  if (framing === "chunked") writeChunks(tokens, body, dice, () => field(dice));
  else tokens.push(body);
  return { method, target, httpVersion, headers: fields.flat(), body };
}

function field(dice: Dice): Field {
  return randomField(dice, ["Accept", "Cookie", "cookie", "X-Y", "User-Agent", "Via"], ["", "a=b; c", "*/*"]);
}
