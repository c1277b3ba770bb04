import {
  aboutTheServer,
  both,
  forwarded,
  holds,
  oneOf,
  refusedConnect,
  rejected,
  rejectedUnread,
} from "../../support/expectations.ts";
import type { RawCase } from "../../support/raw-case.ts";
import { everyPackets } from "../../support/raw-client.ts";
import { get } from "./targets-and-routing.ts";

const methods: readonly RawCase[] = [
  ...'(),/:;<=>?@[\\]{}"'.split("").map((c) => [`G${c}T`, 400]),
  ["get", 400],
  ["Get", 400],
  ["GET?", 400],
  ['G="<>(e)', 400],
  ["FOO", 400],
  ["X".repeat(10_240), 400],
].map(([method]) => ({
  id: `A32 method ${String(method).slice(0, 12)}`,
  bytes: get("/case", "h", String(method)),
  expect: rejected(400, 405, 501),
  packets: String(method).length > 100 ? (["one packet"] as const) : everyPackets,
}));

const versions: readonly RawCase[] = [
  ["HTTP/0.9", "GET /\r\n"],
  ["HTTP/0.9 with headers", "GET /\r\nHost: h\r\n\r\n"],
  ["HTTP/1.32", "GET / HTTP/1.32\r\nHost: h\r\n\r\n"],
  ["HTTP/1.2", "GET / HTTP/1.2\r\nHost: h\r\n\r\n"],
  ["HTTP/0.9 in words", "GET / HTTP/0.9\r\nHost: h\r\n\r\n"],
  ["HTTP/2.0", "GET / HTTP/2.0\r\nHost: h\r\n\r\n"],
  ["the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"],
  ["a version of too many digits", "GET / HTTP/4294967295.255\r\nHost: h\r\n\r\n"],
  ["no slash", "GET / HTTP1.1\r\nHost: h\r\n\r\n"],
  ["lower case", "GET / http/1.1\r\nHost: h\r\n\r\n"],
  ["a comma", "GET / HTTP/1,1\r\nHost: h\r\n\r\n"],
  ["a line feed before the version", "GET /\nHTTP/1.1\r\nHost: h\r\n\r\n"],
  ["nothing but a version", "HTTP/1.1\r\n\r\n"],
  ["a space before the method", " GET / HTTP/1.1\r\nHost: h\r\n\r\n"],
  ["a space behind the version", "GET / HTTP/1.1 \r\nHost: h\r\n\r\n"],
  ["a tab", "GET\t/ HTTP/1.1\r\nHost: h\r\n\r\n"],
  ["a space in the target", "GET /a b HTTP/1.1\r\nHost: h\r\n\r\n"],
  ["TLS", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"],
  ["nothing but garbage", "\xff\xfe\xfd\r\n\r\n"],
  ["a response", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"],
].map(([id = "", bytes = ""]) => ({
  id: `A31 ${id}`,
  bytes,
  // A parser that looks for more is not to be waited for.
  answers: id === "HTTP/0.9" ? 0 : 1,
  expect: rejected(400, 405, 501, 505),
}));

// Node's parser takes the first two for HTTP and does not say so: what goes on is HTTP/1.1 of our own making.
const lenient: readonly RawCase[] = [
  ["A31 RTSP", "GET /case RTSP/1.0\r\nHost: h\r\n\r\n"],
  ["A31 ICE", "SOURCE /case ICE/1.0\r\nHost: h\r\n\r\n"],
  ["A31 two spaces", "GET  /case HTTP/1.1\r\nHost: h\r\n\r\n"],
  ["A31 empty lines in front", "\r\n\r\nGET /case HTTP/1.1\r\nHost: h\r\n\r\n"],
].map(([id = "", bytes = ""]) => ({
  id,
  bytes,
  expect: oneOf(rejected(400, 405, 501, 505), forwarded({ target: "/case" })),
}));

const special: readonly RawCase[] = [
  {
    id: "A33 TRACE",
    bytes: "TRACE /case HTTP/1.1\r\nHost: h\r\nCookie: secret=1\r\n\r\n",
    expect: both(
      rejected(405, 501),
      holds("no echo", ({ text }) => !text.includes("secret")),
    ),
  },
  {
    id: "A33 TRACE with a body",
    bytes: `TRACE /case HTTP/1.1\r\nHost: h\r\nContent-Length: ${get("/smuggled").length}\r\n\r\n${get("/smuggled")}`,
    expect: rejected(400, 405, 501),
  },
  ...["h:443", "/", "*", "http://h/", "h", ":443", "h:0", "127.0.0.1:22"].map((target) => ({
    id: `A34 CONNECT ${target}`,
    bytes: `${get(target, "h", "CONNECT")}${get("/smuggled")}`,
    expect: refusedConnect,
  })),
  {
    id: "A34 CONNECT with a body",
    bytes: `CONNECT h:443 HTTP/1.1\r\nHost: h\r\nContent-Length: ${get("/smuggled").length}\r\n\r\n${get("/smuggled")}`,
    expect: refusedConnect,
  },
  {
    id: "A34 CONNECT over HTTP/1.0",
    bytes: "CONNECT h:443 HTTP/1.0\r\n\r\n",
    expect: refusedConnect,
  },
  {
    id: "B09 OPTIONS *",
    bytes: get("*", "h", "OPTIONS"),
    expect: aboutTheServer,
  },
  {
    id: "B17 a query of 10,001 parameters",
    bytes: get(`/q?${"a&".repeat(5_000)}`),
    expect: forwarded({ target: `/q?${"a&".repeat(5_000)}` }),
    packets: ["one packet"],
  },
  ...[16_385, 1_000_000].map((length) => ({
    id: `B18 a target of ${length} bytes`,
    bytes: get(`/${"a".repeat(length)}`),
    expect: rejectedUnread(414, 431),
    packets: ["one packet", "line by line"] as const,
  })),
];

// B13: there is no cache of URLs or routes to collide in. B15: no regular expression comes from the configuration of a route.
// B16 is in hooks.test.ts.

export const requestLine: readonly RawCase[] = [...methods, ...versions, ...lenient, ...special];
