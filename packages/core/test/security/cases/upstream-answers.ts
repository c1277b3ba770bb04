import type { Socket } from "node:net";
import { answeredWith, answers, both, holds, upstreamDropped } from "../../support/expectations.ts";
import type { Expectation, RawCase } from "../../support/raw-case.ts";
import { saying } from "../../support/recording-upstream.ts";

const get = "GET /case HTTP/1.1\r\nHost: h\r\n\r\n";
const head = "HEAD /case HTTP/1.1\r\nHost: h\r\n\r\n";
const post = "POST /case HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello";
const evil = "HTTP/1.1 200 OK\r\nX-Tag: evil\r\nContent-Length: 4\r\n\r\nevil";

const end = (socket: Socket) => void socket.end();
const chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

const noEvil = holds("surplus bytes never reach a client", ({ text }) => !text.includes("evil"));

/** Whatever follows a whole answer is nobody's. */
function whole(status: number): Expectation {
  return both(answers(status), noEvil, upstreamDropped);
}

const surplus: readonly RawCase[] = [
  ["D01 204 with bytes", "HTTP/1.1 204 No Content\r\n\r\nevil", get, 204],
  ["D01 204 with an answer behind it", `HTTP/1.1 204 No Content\r\n\r\n${evil}`, get, 204],
  ["D01 204 with a length and a body", "HTTP/1.1 204 No Content\r\nContent-Length: 4\r\n\r\nevil", get, 204],
  [
    "D01 204 in chunks",
    "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nevil\r\n0\r\n\r\n",
    get,
    204,
  ],
  ["D01 304 with bytes", "HTTP/1.1 304 Not Modified\r\nContent-Length: 4\r\n\r\nevil", get, 304],
  [
    "D01 304 in chunks",
    "HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nevil\r\n0\r\n\r\n",
    get,
    304,
  ],
  ["D01 HEAD with bytes", "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil", head, 200],
  ["D01 HEAD in chunks", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nevil\r\n0\r\n\r\n", head, 200],
  ["D01 HEAD without framing, with bytes", "HTTP/1.1 200 OK\r\n\r\nevil", head, 200],
  ["a second answer", `HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok${evil}`, get, 200],
  ["a second answer to a POST", `HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok${evil}`, post, 200],
  [
    "a second answer behind chunks",
    `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n${evil}`,
    get,
    200,
  ],
  ["an answer behind one of no length", `HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n${evil}`, get, 200],
  ["one byte too many", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok\n", get, 200],
  ["a 100 behind the answer", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 100 Continue\r\n\r\n", get, 200],
  ["twenty answers", `HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok${evil.repeat(20)}`, get, 200],
].map(([id, said, bytes, status]) => ({
  id: String(id),
  bytes: String(bytes),
  upstream: saying(String(said)),
  methods: bytes === head ? ["HEAD"] : [],
  expect: whole(Number(status)),
}));

/** The surplus comes when the connection has been given back already. */
const late: readonly RawCase[] = [0, 1, 5].map((turns) => ({
  id: `a second answer ${turns} turns behind the first`,
  bytes: get,
  upstream: saying("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", (socket) => {
    const wait = (left: number) => (left === 0 ? void socket.write(evil) : void setImmediate(wait, left - 1));
    wait(turns);
  }),
  expect: both(answers(200), noEvil),
}));

const heads: readonly string[] = [
  "Content-Length: 4\r\nTransfer-Encoding: chunked",
  "Transfer-Encoding: chunked\r\nContent-Length: 4",
  "Content-Length: 4\r\nContent-Length: 5",
  "Content-Length: 4\r\ncontent-length: 4",
  "Content-Length: 4, 4",
  "Content-Length: foo",
  "Content-Length: +4",
  "Content-Length: -4",
  "Content-Length: 0x4",
  "Content-Length: 4 4",
  "Content-Length:",
  "Content-Length: 4a",
  "Content-Length: 18446744073709551620",
  "Transfer-Encoding: foo",
  "Transfer-Encoding: identity",
  "Transfer-Encoding: gzip, chunked",
  "Transfer-Encoding: chunked, gzip",
  "Transfer-Encoding: chunked, chunked",
  "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
  "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
  "Transfer-Encoding:",
  "Transfer-Encoding: xchunked",
  "Transfer-Encoding : chunked",
  "Content-Length : 4",
  "Transfer-Encoding:\x0bchunked",
  "Content-Length: 4\r\n ,4",
  ": x",
  "no colon",
  " X: 1",
  "X: a\rb",
  "X: a\nb",
  "X: a\0b",
  "X: a\x01b",
  "X: \x7f",
  "X Y: 1",
  "X\xe4: 1",
  "X(: 1",
  "\0: 1",
  "X: 1\r\n folded",
];

const brokenHeads: readonly RawCase[] = heads.map((lines) => ({
  id: `D02 ${JSON.stringify(lines)}`,
  bytes: get,
  upstream: saying(`HTTP/1.1 200 OK\r\n${lines}\r\n\r\n4\r\nevil\r\n0\r\n\r\n`, end),
  expect: both(answeredWith(502), noEvil, upstreamDropped),
  packets: ["one packet"] as const,
}));

const statusLines: readonly string[] = [
  "HTTP/1.1 99 x\r\n\r\n",
  "HTTP/1.1 1000 x\r\n\r\n",
  "HTTP/1.1 200OK\r\n\r\n",
  "HTTP/1.1 20 x\r\n\r\n",
  "HTTP/1.1 000 x\r\n\r\n",
  "HTTP/1.1 -20 x\r\n\r\n",
  "HTTP/1.1 2 00 x\r\n\r\n",
  "HTTP/1.1\r\n\r\n",
  "HTTP/2 200\r\n\r\n",
  "HTTP/2.0 200 OK\r\n\r\n",
  "HTTP/1.2 200 OK\r\n\r\n",
  "HTTP/1.10 200 OK\r\n\r\n",
  "HTTP/0.9 200 OK\r\n\r\n",
  "http/1.1 200 OK\r\n\r\n",
  "HTTP/1.1  200 OK\r\n\r\n",
  " HTTP/1.1 200 OK\r\n\r\n",
  "HTTP/1.1\t200 OK\r\n\r\n",
  "HTTP/1.1 200 O\0K\r\n\r\n",
  "HTTP/1.1 200 OK\n\n",
  "HTTP/1.1 200 OK\r\r\n\r\n",
  "HTP/1.1 200 OK\r\n\r\n",
  "ICY 200 OK\r\n\r\n",
  "SSH-2.0-OpenSSH_9.6\r\n",
  "220 smtp ready\r\n",
  "hello\n",
  "\x15\x03\x01\x00\x02\x02\x28",
  "\0\0\x12\x04\0\0\0\0\0",
  "\r\n",
  "GET / HTTP/1.1\r\nHost: h\r\n\r\n",
  "",
  "H",
  "HTTP/1.1 200 OK\r\nX: 1\r\n",
  "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n",
  "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\n",
  "HTTP/1.1 101 x\r\n\r\n",
];

const noHttp: readonly RawCase[] = statusLines.map((said) => ({
  id: `D12 ${JSON.stringify(said).slice(0, 70)}`,
  bytes: get,
  upstream: saying(said, end),
  expect: both(answeredWith(502), upstreamDropped),
  packets: ["one packet"] as const,
}));

const oversized: readonly RawCase[] = [
  ["D12 10 MB without a line end", "a".repeat(10_000_000)],
  ["D12 10 MB of a status line", `HTTP/1.1 200 ${"a".repeat(10_000_000)}`],
  ["D13 a head of 64 KiB", `HTTP/1.1 200 OK\r\nX: ${"a".repeat(65_536)}\r\n\r\n`],
  ["D13 2,000 fields", `HTTP/1.1 200 OK\r\n${"X: 1\r\n".repeat(2_000)}\r\n`],
  ["D13 fields without an end", `HTTP/1.1 200 OK\r\n${"X: 1\r\n".repeat(200_000)}`],
  ["D13 a flood of 100", "HTTP/1.1 100 Continue\r\n\r\n".repeat(1_000)],
  ["D13 a flood of 103", "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n".repeat(1_000)],
  ["D13 a flood of 199", "HTTP/1.1 199 x\r\n\r\n".repeat(33)],
  ["D13 a 103 with a head of 64 KiB", `HTTP/1.1 103 Early Hints\r\nX: ${"a".repeat(65_536)}\r\n\r\n`],
].map(([id = "", said = ""]) => ({
  id,
  bytes: get,
  upstream: saying(said),
  expect: both(answeredWith(502), upstreamDropped),
  packets: ["one packet"] as const,
}));

const passed: readonly RawCase[] = [
  [
    "D21 a redirect is not followed",
    "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/evil\r\nContent-Length: 0\r\n\r\n",
    302,
  ],
  ["D21 a 307 is not followed", "HTTP/1.1 307 Temporary\r\nLocation: /victim/0\r\nContent-Length: 0\r\n\r\n", 307],
  ["D20 a relative Location", "HTTP/1.1 301 Moved\r\nLocation: //host/x\r\nContent-Length: 0\r\n\r\n", 301],
  [
    "D17 a thousand codings",
    `HTTP/1.1 200 OK\r\nContent-Encoding: ${"gzip, ".repeat(1_000)}gzip\r\nContent-Length: 2\r\n\r\nok`,
    200,
  ],
  ["a reason with 8-bit bytes", "HTTP/1.1 200 \xe4\xf6\xfc\r\nContent-Length: 2\r\n\r\nok", 200],
  ["no reason and no space", "HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok", 200],
  ["D12 a status of 600", "HTTP/1.1 600 x\r\nContent-Length: 2\r\n\r\nok", 600],
  ["D12 a status of 999", "HTTP/1.1 999 x\r\nContent-Length: 2\r\n\r\nok", 999],
  ["HTTP/1.0", "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", 200],
  ["a Connection: close", "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok", 200],
  [
    "a 103 with Connection: close in front",
    "HTTP/1.1 103 x\r\nConnection: close\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    200,
  ],
  ["a 100 in front", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", 200],
  [
    "102 and 103 in front",
    "HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    200,
  ],
  [
    "32 informational answers",
    `${"HTTP/1.1 103 Early Hints\r\n\r\n".repeat(32)}HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok`,
    200,
  ],
  ["chunk extensions", `${chunked}2;a=b\r\nok\r\n0;c\r\n\r\n`, 200],
].map(([id, said, status]) => ({
  id: String(id),
  bytes: get,
  upstream: saying(String(said)),
  expect: both(
    answers(Number(status)),
    holds("kept", ({ followed }) => followed),
  ),
}));

/** C14: the head goes out by itself when the body keeps it waiting. */
const headFirst: RawCase = {
  id: "8-bit bytes in a head that goes ahead of its body",
  bytes: get,
  upstream: saying(`${chunked.slice(0, -2)}X-Y: \xe4\xff\r\n\r\n`, (socket) =>
    setImmediate(() => socket.write("0\r\n\r\n")),
  ),
  expect: both(
    answers(200),
    holds("byte for byte", ({ text }) => text.includes("\r\nX-Y: \xe4\xff\r\n")),
  ),
};

const informationalToOld: RawCase = {
  id: "no informational answer to HTTP/1.0",
  bytes: "GET /case HTTP/1.0\r\n\r\n",
  upstream: saying("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"),
  expect: both(
    answers(200),
    holds("none", ({ informational }) => informational.length === 0),
  ),
};

// D10 is in idle-race.test.ts; D19, D22 and a D13 that takes time are in upstream-behaviour.test.ts.
export const upstreamAnswers: readonly RawCase[] = [
  ...surplus,
  ...late,
  ...brokenHeads,
  ...noHttp,
  ...oversized,
  ...passed,
  headFirst,
  informationalToOld,
];
