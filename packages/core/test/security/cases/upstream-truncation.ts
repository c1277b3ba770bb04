import type { Socket } from "node:net";
import { answeredWith, answers, both, cutOff, holds, oneOf, upstreamDropped } from "../../support/expectations.ts";
import type { RawCase } from "../../support/raw-case.ts";
import { saying } from "../../support/recording-upstream.ts";
import { handshake } from "./handshake.ts";

const get = "GET /case HTTP/1.1\r\nHost: h\r\n\r\n";
const end = (socket: Socket) => void socket.end();
const reset = (socket: Socket) => void socket.resetAndDestroy();
const stay = () => {};

const length = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n";
const chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

const truncated: readonly RawCase[] = [
  ["D04 half a length", `${length}${"a".repeat(50)}`],
  ["D04 nothing of a length", length],
  ["D04 all of a length but a byte", `${length}${"a".repeat(99)}`],
  ["D05 no last chunk", `${chunked}4\r\nhalf\r\n`],
  ["D05 nothing but a head", chunked],
  ["D05 within a chunk", `${chunked}ff\r\nhalf`],
  ["D05 within a size", `${chunked}4\r\nhalf\r\n1`],
  ["D05 a last chunk without its line end", `${chunked}4\r\nhalf\r\n0`],
  ["D05 a last chunk without the last line", `${chunked}4\r\nhalf\r\n0\r\n`],
  ["D05 a last chunk without the last byte", `${chunked}4\r\nhalf\r\n0\r\n\r`],
  ["D05 within a trailer", `${chunked}4\r\nhalf\r\n0\r\nX: 1\r\n`],
].flatMap(([id = "", said = ""]) =>
  (
    [
      ["an end", end],
      ["a reset", reset],
    ] as const
  ).flatMap(([how, then]) =>
    [
      ["HTTP/1.1", ""],
      ["HTTP/1.0", ""],
      ["HTTP/1.0", "Connection: keep-alive\r\n"],
    ].map(([version = "", line = ""]) => ({
      id: `${id}, by ${how}, to ${version} ${line.trim()}`,
      bytes: `GET /case ${version}\r\nHost: h\r\n${line}\r\n`,
      upstream: saying(said, then),
      expect: oneOf(both(cutOff, noBodyEnd), answeredWith(502)),
      packets: ["one packet"] as const,
    })),
  ),
);

const brokenChunks: readonly RawCase[] = [
  "zz\r\n",
  "0x4\r\nevil\r\n",
  "+4\r\nevil\r\n",
  "-4\r\n",
  " 4\r\nevil\r\n",
  "4 \r\nevil\r\n",
  "4\nevil\n",
  "4\r\nevil!\r\n",
  "4\r\nevil\n0\r\n\r\n",
  "fffffffffffffffff\r\n",
  `4;${"a".repeat(20_000)}\r\nevil\r\n`,
  "4;\0\r\nevil\r\n",
  "0\r\nX : 1\r\n\r\n",
  "0\r\n X: 1\r\n\r\n",
  `0\r\n${"X: 1\r\n".repeat(5_000)}\r\n`,
  "0\r\n\n",
  "\r\n",
].map((body) => ({
  id: `D05 broken behind a good chunk: ${JSON.stringify(body).slice(0, 40)}`,
  bytes: get,
  upstream: saying(`${chunked}4\r\ngood\r\n${body}`, stay),
  expect: oneOf(both(cutOff, upstreamDropped), answeredWith(502)),
  packets: ["one packet"] as const,
}));

/** The head alone frames a message, and RFC 9110 section 6.5.1 has such trailers ignored. */
const lateFraming: readonly RawCase[] = ["Content-Length: 4", "Content-Length: 05", "Transfer-Encoding: chunked"].map(
  (line) => ({
    id: `${line} as a trailer of an answer`,
    bytes: "GET /case HTTP/1.1\r\nHost: h\r\nTE: trailers\r\nConnection: TE\r\n\r\n",
    upstream: saying(`${chunked}4\r\ngood\r\n0\r\n${line}\r\nX-Sum: 1\r\n\r\n`, stay),
    expect: both(
      answers(200),
      holds("whole", ({ responses }) => responses[0]?.body.toString() === "good"),
      holds("without it", ({ text }) => text.includes("0\r\nX-Sum: 1\r\n\r\n")),
    ),
  }),
);

const untilClose: readonly RawCase[] = ["HTTP/1.1", "HTTP/1.0"].map((version) => ({
  id: `a body that lasts until the end, to ${version}`,
  bytes: `GET /case ${version}\r\nHost: h\r\n\r\n`,
  upstream: saying("HTTP/1.1 200 OK\r\n\r\nall of it", end),
  expect: both(
    answers(200),
    holds("whole", ({ responses }) => responses[0]?.body.toString() === "all of it"),
  ),
}));

/** The reset arrives together with the data: nothing but the reset itself says that the body is not whole. */
const untilReset: readonly RawCase[] = ["HTTP/1.1", "HTTP/1.0"].map((version) => ({
  id: `D05 a body that would last until the end, by a reset, to ${version}`,
  bytes: `GET /case ${version}\r\nHost: h\r\n\r\n`,
  upstream: saying("HTTP/1.1 200 OK\r\n\r\nhalf of it", reset),
  expect: oneOf(both(cutOff, noBodyEnd), answeredWith(502)),
  packets: ["one packet"],
}));

/** The refusal of a handshake comes another way. */
const refusalUntilReset: RawCase = {
  id: "D05 a handshake's refusal that would last until the end, by a reset",
  bytes: handshake(),
  upstream: saying("HTTP/1.1 403 No\r\n\r\nhalf of it", reset),
  expect: oneOf(both(cutOff, noBodyEnd), answeredWith(502)),
  packets: ["one packet"],
};

function noBodyEnd({ text }: { readonly text: string }): string[] {
  return text.includes("0\r\n\r\n") ? ["a last chunk"] : [];
}

export const upstreamTruncation: readonly RawCase[] = [
  ...truncated,
  ...brokenChunks,
  ...lateFraming,
  ...untilClose,
  ...untilReset,
  refusalUntilReset,
];
