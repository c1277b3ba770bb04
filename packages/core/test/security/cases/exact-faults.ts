/** What Node's parser accepts, or cannot tell apart, and what our own server refuses with the exact status. */

import { both, closed, forwarded, holds, rejected } from "../../support/expectations.ts";
import type { RawCase } from "../../support/raw-case.ts";

const get = (...lines: string[]) => `${["GET /case HTTP/1.1", "Host: h", ...lines].join("\r\n")}\r\n\r\n`;
const quick = ["one packet", "line by line"] as const;

const refused: readonly RawCase[] = [
  ["RTSP", "GET /case RTSP/1.0\r\nHost: h\r\n\r\n", 400],
  ["ICE", "SOURCE /case ICE/1.0\r\nHost: h\r\n\r\n", 400],
  ["a method of RTSP over HTTP", "DESCRIBE /case HTTP/1.1\r\nHost: h\r\n\r\n", 501],
  ["a method of ICE over HTTP", "SOURCE /case HTTP/1.1\r\nHost: h\r\n\r\n", 501],
  ["an unknown method", "FOO /case HTTP/1.1\r\nHost: h\r\n\r\n", 501],
  ["a method in lower case", "get /case HTTP/1.1\r\nHost: h\r\n\r\n", 501],
  ["a method that is no token", "G(T /case HTTP/1.1\r\nHost: h\r\n\r\n", 400],
  ["two spaces in the request line", "GET  /case HTTP/1.1\r\nHost: h\r\n\r\n", 400],
  ["a tab in the request line", "GET\t/case HTTP/1.1\r\nHost: h\r\n\r\n", 400],
  ["a target with a byte beyond ASCII", "GET /c\xe4se HTTP/1.1\r\nHost: h\r\n\r\n", 400],
  ["HTTP/0.9 that waits", "GET /case\r\n", 400],
  ["HTTP/0.9 in words", "GET /case HTTP/0.9\r\nHost: h\r\n\r\n", 505],
  ["HTTP/1.2", "GET /case HTTP/1.2\r\nHost: h\r\n\r\n", 505],
  ["HTTP/2.0", "GET /case HTTP/2.0\r\nHost: h\r\n\r\n", 505],
  ["HTTP/3.0", "GET /case HTTP/3.0\r\nHost: h\r\n\r\n", 505],
  ["HTTP/1.10", "GET /case HTTP/1.10\r\nHost: h\r\n\r\n", 400],
  ["HTTP/01.1", "GET /case HTTP/01.1\r\nHost: h\r\n\r\n", 400],
  ["the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505],
  ["the beginning of a TLS handshake", "\x16\x03\x01\x02\x00\x01", 400],
  ["a space behind the version", "GET /case HTTP/1.1 \r\nHost: h\r\n\r\n", 400],
  ["two codings", get("Transfer-Encoding: gzip, chunked"), 501],
  ["a coding twice", get("Transfer-Encoding: chunked", "Transfer-Encoding: chunked"), 400],
  ["a length of 010", get("Content-Length: 010"), 400],
  ["a length with a tab behind it", get("Content-Length: 5\t"), 400],
  ["three empty lines in front", `\r\n\r\n\r\n${get()}`, 400],
  ["a bare LF in front", `\n${get()}`, 400],
].map(([id, bytes, status]) => ({
  id: `${id}: ${status}`,
  bytes: bytes as string,
  expect: rejected(status as number),
}));

/** The response is received, whatever the client still sends. */
const tooLong: readonly RawCase[] = [
  ["a request line of 16 kB", `GET /${"a".repeat(16_385)} HTTP/1.1\r\nHost: h\r\n\r\n`, 414],
  ["a request line of 1 MB", `GET /${"a".repeat(1_000_000)} HTTP/1.1\r\nHost: h\r\n\r\n`, 414],
  ["a head of 16 kB", get(`X: ${"a".repeat(16_384)}`), 431],
  ["a head of 1 MB", get(`X: ${"a".repeat(1_000_000)}`), 431],
  ["white space of 20 kB", get(`X: ${" ".repeat(20_000)}1`), 431],
  ["a head without an end", `GET /case HTTP/1.1\r\nHost: h\r\n${"X: 1\r\n".repeat(10_000)}`, 431],
].map(([id, bytes, status]) => ({
  id: `${id}: ${status}`,
  bytes: bytes as string,
  expect: rejected(status as number),
  packets: quick,
}));

/** The bounds themselves are still accepted. */
const accepted: readonly RawCase[] = [
  {
    id: "a head of exactly 16,384 bytes",
    bytes: get(`X: ${"a".repeat(16_384 + 4 - get("X: ").length)}`),
    expect: forwarded({ target: "/case" }),
    packets: quick,
  },
  {
    id: "a head of one byte more",
    bytes: get(`X: ${"a".repeat(16_384 + 5 - get("X: ").length)}`),
    expect: rejected(431),
    packets: quick,
  },
  {
    id: "one empty line in front",
    bytes: `\r\n${get()}`,
    expect: forwarded({ target: "/case" }),
  },
  {
    id: "white space around values, and none",
    bytes: get("A:1", "B: \t 2 \t ", "C:", "D:   "),
    expect: forwarded({ fields: { A: ["1"], B: ["2"], C: [""], D: [""] } }),
  },
];

const ends: readonly RawCase[] = [
  {
    id: "HTTP/1.0 that asks to be kept alive",
    bytes: `GET /case HTTP/1.0\r\nHost: h\r\nConnection: keep-alive\r\n\r\n${get()}`,
    answers: 2,
    expect: both(
      forwarded({ target: "/case" }, { target: "/case" }),
      holds("kept", ({ followed }) => followed),
    ),
  },
  {
    id: "an offer of another protocol is ignored, with its body",
    bytes: `POST /case HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 5\r\n\r\nhello${get()}`,
    answers: 2,
    expect: forwarded({ body: "hello" }, { target: "/case" }),
  },
  {
    id: "a handshake without Connection: Upgrade is an ordinary request",
    bytes: get("Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="),
    expect: both(
      forwarded({ fields: { Upgrade: [] } }),
      holds("kept", ({ followed }) => followed),
    ),
  },
  {
    id: "what follows CONNECT is no request",
    bytes: `CONNECT h:443 HTTP/1.1\r\nHost: h\r\n\r\n${get()}`,
    expect: both(rejected(405), closed),
  },
];

/** What was sent in front of a fault gets its responses in order, then the fault its own; nothing behind it is a request. */
const faultsInPipelines: readonly RawCase[] = [
  ["a malformed request line", "GET  /smuggled HTTP/1.1\r\nHost: h\r\n\r\n", 400],
  [
    "both framings",
    "POST /smuggled HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    400,
  ],
  ["a version", "GET /smuggled HTTP/1.2\r\nHost: h\r\n\r\n", 505],
  ["an unknown method", "FOO /smuggled HTTP/1.1\r\nHost: h\r\n\r\n", 501],
  ["a large head", `GET /smuggled HTTP/1.1\r\nHost: h\r\nX: ${"a".repeat(17_000)}\r\n\r\n`, 431],
  ["two Hosts", "GET /smuggled HTTP/1.1\r\nHost: h\r\nHost: h\r\n\r\n", 400],
].map(([what, bytes, status]) => ({
  id: `F06 a thousand requests at once with ${what} among them`,
  bytes: `${get().repeat(500)}${bytes}${get().replaceAll("/case", "/smuggled").repeat(500)}`,
  answers: 501,
  expect: holds(
    "501 responses, the last one a refusal; 500 requests, none of them from behind it",
    ({ responses, requests, heads, how, events }) =>
      responses.length === 501 &&
      responses.slice(0, 500).every((response) => response.status === 200) &&
      responses[500]?.status === status &&
      requests.length === 500 &&
      heads.every(({ target }) => target === "/case") &&
      events.length === 501 &&
      how !== undefined,
  ),
  packets: ["one packet"] as const,
}));

export const exactFaults: readonly RawCase[] = [...refused, ...tooLong, ...accepted, ...ends, ...faultsInPipelines];
