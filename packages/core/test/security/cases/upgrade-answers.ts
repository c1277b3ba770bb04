import type { Socket } from "node:net";
import { answeredWith, both, closed, holds, oneOf, saidClose } from "../../support/expectations.ts";
import type { RawCase } from "../../support/raw-case.ts";
import { saying } from "../../support/recording-upstream.ts";
import { handshake, neverSmuggled, smuggled } from "./handshake.ts";

const end = (socket: Socket) => void socket.end();

/** Row 20 and 21: whatever is not the right 101. */
const answered: readonly RawCase[] = [
  ["200", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", 200],
  ["401 in chunks", "HTTP/1.1 401 X\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nno\r\n0\r\n\r\n", 401],
  ["403 that ends with the connection", "HTTP/1.1 403 X\r\n\r\nno", 403],
  ["204", "HTTP/1.1 204 X\r\n\r\n", 204],
  ["302", "HTTP/1.1 302 X\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n", 302],
  ["426", "HTTP/1.1 426 X\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nContent-Length: 0\r\n\r\n", 426],
  ["600", "HTTP/1.1 600 X\r\nContent-Length: 2\r\n\r\nno", 600],
].map(([what, said, status]) => ({
  id: `E01 a handshake answered with ${what as string}`,
  bytes: `${handshake()}${smuggled}`,
  upstream: saying(said as string, end),
  expect: both(
    holds(
      `${status as number}, whole`,
      ({ responses }) => responses.length === 1 && responses[0]?.status === status && responses[0]?.complete === true,
    ),
    saidClose,
    neverSmuggled,
    holds("one event", ({ events }) => events.length === 1),
  ),
}));

const switched = "HTTP/1.1 101 Switching Protocols\r\n";
const accept = "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n";

const mismatches: readonly RawCase[] = [
  ["no Accept", `${switched}Upgrade: websocket\r\nConnection: Upgrade\r\n\r\n`],
  [
    "a wrong Accept",
    `${switched}Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n\r\n`,
  ],
  ["two Accepts", `${switched}Upgrade: websocket\r\nConnection: Upgrade\r\n${accept}${accept.replace("s3", "t3")}\r\n`],
  ["another protocol", `${switched}Upgrade: foo\r\nConnection: Upgrade\r\n${accept}\r\n`],
  ["no Upgrade", `${switched}Connection: Upgrade\r\n${accept}\r\n`],
  ["no Connection", `${switched}Upgrade: websocket\r\n${accept}\r\n`],
  ["no headers", `${switched}\r\n`],
  ["no HTTP", "SSH-2.0-x\r\n"],
  ["a contradiction", "HTTP/1.1 400 X\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"],
  ["two lengths", "HTTP/1.1 400 X\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nabc"],
  ["a length with a zero in front", "HTTP/1.1 403 X\r\nContent-Length: 05\r\n\r\nabcde"],
  ["no length where there is one", "HTTP/1.1 403 X\r\nContent-Length:\r\n\r\nabcde"],
  ["another coding", "HTTP/1.1 403 X\r\nTransfer-Encoding: gzip\r\n\r\nabcde"],
  ["a control character", "HTTP/1.1 403 \x7f\r\nContent-Length: 0\r\n\r\n"],
  ["status 99", "HTTP/1.1 99 X\r\n\r\n"],
  ["nothing", ""],
  ["half a head", `${switched}Upgrade: websocket\r\n`],
  ["a folded header", `${switched}Upgrade: websocket\r\nX: 1\r\n 2\r\nConnection: Upgrade\r\n${accept}\r\n`],
  [
    "a head of 64 KiB",
    `${switched}Upgrade: websocket\r\nConnection: Upgrade\r\nX: ${"a".repeat(65_536)}\r\n${accept}\r\n`,
  ],
  ["300 fields", `${switched}Upgrade: websocket\r\nConnection: Upgrade\r\n${"X: 1\r\n".repeat(300)}${accept}\r\n`],
  ["a flood of 103", "HTTP/1.1 103 x\r\n\r\n".repeat(1_000)],
].map(([what = "", said = ""]) => ({
  id: `a handshake answered with ${what}`,
  bytes: `${handshake()}${smuggled}`,
  upstream: saying(said, end),
  expect: both(answeredWith(502), closed, neverSmuggled),
  packets: ["one packet", "line by line"] as const,
}));

/** A 101 that has what it should not: refused, or opened without it. */
const doubtful: readonly RawCase[] = [
  [
    "chunks",
    `${switched}Upgrade: websocket\r\nConnection: Upgrade\r\nTransfer-Encoding: chunked\r\n${accept}\r\n0\r\n\r\n`,
  ],
  ["HTTP/1.0", `HTTP/1.0 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n${accept}\r\n`],
  ["a length", `${switched}Upgrade: websocket\r\nConnection: Upgrade\r\nContent-Length: 4\r\n${accept}\r\nevil`],
].map(([what = "", said = ""]) => ({
  id: `a handshake answered with ${what}`,
  bytes: handshake(),
  upstream: { onRequest: (socket: Socket) => void socket.write(said), onTunnel: () => {} },
  expect: oneOf(
    both(answeredWith(502), closed),
    holds(
      "101 without framing",
      ({ responses: [response] }) => response?.status === 101 && !/^content-length/im.test(response.head),
    ),
  ),
}));

export const upgradeAnswers: readonly RawCase[] = [...answered, ...mismatches, ...doubtful];
