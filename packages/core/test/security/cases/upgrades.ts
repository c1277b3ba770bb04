import { createHash } from "node:crypto";
import type { ProxyOptions } from "../../../src/config/options.ts";
import {
  answeredWith,
  both,
  closed,
  forwarded,
  holds,
  oneOf,
  rejected,
  rejectedMidBody,
} from "../../support/expectations.ts";
import { onePool, type RawCase } from "../../support/raw-case.ts";
import { everyPackets } from "../../support/raw-client.ts";
import { answerTag, type Script, type SeenRequest, saying } from "../../support/recording-upstream.ts";
import { valuesOf } from "../../support/strict-http.ts";
import { but, handshake, key, neverSmuggled, right, smuggled } from "./handshake.ts";

function acceptOf(request: SeenRequest): string {
  const clientKey = valuesOf(request.fields, "sec-websocket-key")[0] ?? "";
  return createHash("sha1").update(`${clientKey}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64");
}

function switching(request: SeenRequest): string {
  return `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${acceptOf(request)}\r\n\r\n`;
}

/** An upstream that opens the tunnel and sends back what it gets. */
const echoing: Script = {
  onRequest: (socket, request) => void socket.write(switching(request)),
  onTunnel: (socket, bytes) => void socket.write(bytes),
};

const refusals: readonly RawCase[] = [
  ["E05 no key", but("Sec-WebSocket-Key")],
  ["E05 an empty key", but("Sec-WebSocket-Key", "Sec-WebSocket-Key:")],
  ["E05 a short key", but("Sec-WebSocket-Key", "Sec-WebSocket-Key: dGhl")],
  ["E05 two keys", [...right, `Sec-WebSocket-Key: ${key}`]],
  ["E05 no version", but("Sec-WebSocket-Version")],
  ["E05 another version", but("Sec-WebSocket-Version", "Sec-WebSocket-Version: 8")],
  ["E05 a list of versions", but("Sec-WebSocket-Version", "Sec-WebSocket-Version: 13, 8")],
  ["E05 several protocols", but("Upgrade", "Upgrade: proto1, websocket, proto2")],
  ["E05 h2c and websocket", but("Upgrade", "Upgrade: h2c", "Upgrade: websocket")],
  ["E05 a version of the protocol", but("Upgrade", "Upgrade: websocket/13")],
  ["two Hosts", [...right, "Host: b"]],
].map(([id, lines]) => ({
  id: id as string,
  bytes: `${handshake(lines as string[])}${smuggled}`,
  expect: both(rejected(400, 426), neverSmuggled),
}));

const withBodies: readonly RawCase[] = [
  ["a length", "Content-Length: 5", "hello"],
  ["a length that hides a request", `Content-Length: ${smuggled.length}`, smuggled],
  ["chunks", "Transfer-Encoding: chunked", `0\r\n\r\n${smuggled}`],
  ["both", "Content-Length: 5\r\nTransfer-Encoding: chunked", `0\r\n\r\n${smuggled}`],
  ["a coding", "Transfer-Encoding: gzip, chunked", "0\r\n\r\n"],
].flatMap(([what = "", line = "", body = ""]) => [
  {
    id: `E08 a handshake with ${what}`,
    bytes: handshake([...right, line], {}).concat(body),
    upstream: echoing,
    expect: both(rejected(400, 501), neverSmuggled),
  },
  {
    id: `E08 Upgrade: foo with ${what}`,
    bytes: handshake(["Connection: upgrade", "Upgrade: foo", line], { method: "POST" }).concat(body),
    answers: what === "chunks" ? 2 : 1,
    expect:
      what === "chunks"
        ? forwarded({ body: "", fields: { Upgrade: [] } }, { target: "/smuggled" })
        : both(
            oneOf(rejected(400, 501), forwarded({ body, fields: { Upgrade: [] } })),
            holds("no request of its own", ({ heads }) => heads.every(({ target }) => target !== "/smuggled")),
          ),
  },
]);

/** The connection goes on as if there were no offer: what follows is the next request, with the same checks. */
const otherUpgrades: readonly RawCase[] = [
  ["E01 foo", ["Connection: Upgrade", "Upgrade: foo"]],
  ["E03 h2c", ["Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__"]],
  ["E03 h2c without the settings' name", ["Connection: Upgrade", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__"]],
  ["E03 H2C", ["CONNECTION: UPGRADE", "UPGRADE: H2C", "http2-settings: AAMAAABkAAQAAP__"]],
  ["E03 TLS/1.0", ["Connection: Upgrade", "Upgrade: TLS/1.0"]],
].map(([id, lines]) => ({
  id: `${id as string} goes on as a plain request`,
  bytes: `${handshake(lines as string[])}${smuggled}`,
  answers: 2,
  expect: forwarded(
    { target: "/case", fields: { Upgrade: [], Connection: [], "HTTP2-Settings": [] } },
    { target: "/smuggled" },
  ),
}));

/** As Java's HttpClient asks for HTTP/2 along with an ordinary POST. */
const h2cUpgrade = ["Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__"];

const ordinaryWithBodies: readonly RawCase[] = [
  ["hello", []],
  [smuggled, []],
  ["a".repeat(200_000), []],
  ["hello", ["Expect: 100-continue"]],
].map(([body, lines]) => ({
  answers: 2,
  id: `E03 h2c goes on as a plain request, with its body of ${body?.length} bytes ${String(lines)}`,
  bytes: `${handshake([...h2cUpgrade, `Content-Length: ${body?.length}`, ...(lines ?? [])], { method: "POST" })}${body as string}${smuggled}`,
  expect: forwarded(
    { method: "POST", target: "/case", body: body as string, fields: { Upgrade: [], Connection: [] } },
    { target: "/smuggled" },
  ),
  packets: (body as string).length > 1_000 ? ["one packet"] : everyPackets,
}));

const chunkedUploads: readonly RawCase[] = [
  ["in chunks", "2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n", []],
  ["in chunks, with a trailer", "5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n", ["Trailer: X-Sum"]],
  ["in no chunk", "0\r\n\r\n", []],
  ["in chunks, once it may go on", "5\r\nhello\r\n0\r\n\r\n", ["Expect: 100-continue"]],
].map(([what, body, lines]) => ({
  id: `E03 h2c with a body ${what as string}`,
  bytes: `${handshake([...h2cUpgrade, "Transfer-Encoding: chunked", ...(lines as string[])], { method: "POST" })}${body as string}${smuggled}`,
  answers: 2,
  expect: forwarded(
    { method: "POST", target: "/case", body: what === "in no chunk" ? "" : "hello", fields: { Upgrade: [] } },
    { target: "/smuggled" },
  ),
}));

const brokenUploads: readonly RawCase[] = [
  ["a chunk size that is none", ["Transfer-Encoding: chunked"], `x\r\n${smuggled}`],
  ["a length and chunks", ["Content-Length: 5", "Transfer-Encoding: chunked"], `0\r\n\r\n${smuggled}`],
].map(([what, lines, body]) => ({
  id: `E03 h2c with a body of ${what as string}`,
  bytes: `${handshake([...h2cUpgrade, ...(lines as string[])], { method: "POST" })}${body as string}`,
  expect: both(rejectedMidBody(400), neverSmuggled),
}));

const plain: readonly RawCase[] = [
  {
    id: "E03 h2c with a body, and no route",
    bytes: `${handshake([...h2cUpgrade, "Content-Length: 5"], { method: "POST" })}hello${smuggled}`,
    options: (url) => ({
      pools: { main: { upstreams: [url] } },
      routes: ["/victim", "/sentinel"].map((path) => ({ path, pool: "main" })),
    }),
    answers: 2,
    expect: both(
      holds("each 404", ({ responses }) => responses.map(({ status }) => status).join() === "404,404"),
      holds("nothing upstream", ({ heads }) => heads.length === 0),
    ),
  },
  {
    id: "E01 foo, and the upstream takes it",
    bytes: handshake(["Connection: Upgrade", "Upgrade: foo"]),
    upstream: saying("HTTP/1.1 101 Switching Protocols\r\nUpgrade: foo\r\nConnection: Upgrade\r\n\r\nfoo"),
    expect: answeredWith(502),
  },
  ...["POST", "PUT", "HEAD", "DELETE"].map((method) => ({
    id: `E09 a handshake by ${method}`,
    bytes: handshake(right, { method }),
    methods: [method],
    expect: oneOf(rejected(400), both(forwarded({ method, fields: { Upgrade: [], Connection: [] } }))),
  })),
  {
    id: "E09 a handshake over HTTP/1.0",
    bytes: handshake(right, { version: "HTTP/1.0" }),
    expect: oneOf(rejected(400), both(forwarded({ fields: { Upgrade: [], Connection: [] } }), closed)),
  },
  {
    id: "Upgrade without Connection: upgrade",
    bytes: handshake(but("Connection")),
    expect: oneOf(rejected(400), forwarded({ fields: { Upgrade: [], Connection: [] } })),
  },
  {
    id: "Connection: upgrade without Upgrade",
    bytes: handshake(but("Upgrade")),
    expect: oneOf(rejected(400), forwarded({ fields: { Upgrade: [], Connection: [] } })),
  },
];

/** The route's checks are the same as for a request. */
const routed: readonly RawCase[] = [
  "/case",
  "/apix",
  "/api/../x",
  "/api/%2e%2e/x",
  "/API",
  "http://evil/api",
  "/api#x",
  "*",
].map((target) => ({
  id: `E14 a handshake for ${target}, outside /api`,
  bytes: handshake(right, { target }),
  upstream: echoing,
  options: (url: string): ProxyOptions => ({
    pools: { main: { upstreams: [url], retry: { attempts: 0 } } },
    routes: [
      { path: "/api", pool: "main" },
      { path: "/victim", pool: "main" },
      { path: "/sentinel", pool: "main" },
    ],
  }),
  expect: both(
    holds("refused", ({ responses }) => [400, 404].includes(responses[0]?.status ?? 0)),
    neverSmuggled,
    closed,
    holds("nothing upstream", ({ heads }) => heads.length === 0),
  ),
}));

/** 101, tunnel bytes both ways, and the handshake's headers as they should be. */
const tunnels: readonly RawCase[] = [
  ["in order", right],
  ["lower case", right.map((line) => line.toLowerCase().replace(key.toLowerCase(), key))],
  ["with other options in Connection", but("Connection", "Connection: keep-alive, X-Hop, Upgrade", "X-Hop: 1")],
  ["with TE", [...right, "TE: trailers"]],
  ["with names of the handshake in Connection", but("Connection", "Connection: Upgrade, X-Forwarded-For, Host")],
].map(([what, lines]) => ({
  id: `a handshake ${what as string}, with bytes behind it`,
  bytes: `${handshake(lines as string[])}early`,
  upstream: echoing,
  until: /\r\n\r\nearly/,
  expect: holds("101, then the echo", ({ responses, text, heads, upstream }) => {
    const [request] = heads;
    const fields = request?.fields ?? [];
    return (
      responses[0]?.status === 101 &&
      /\r\n\r\nearly(?:GET \/sentinel[^]*)?$/.test(text) &&
      valuesOf(fields, "x-forwarded-for")[0] === "127.0.0.1" &&
      valuesOf(fields, "host")[0] === "h" &&
      valuesOf(fields, "x-hop").length === 0 &&
      valuesOf(fields, "te").length === 0 &&
      valuesOf(fields, "sec-websocket-key")[0] === key &&
      upstream.received.every((bytes) => !bytes.includes("early"))
    );
  }),
}));

const prototypeLines = ["__proto__: 1", "__proto__: 2", "constructor: 3", "toString: 4", "hasOwnProperty: 5"];

/** An upstream that opens the tunnel with such names in its response's head. */
const named: Script = {
  ...echoing,
  onRequest: (socket, request) =>
    void socket.write(switching(request).replace(/\r\n$/, `${prototypeLines.join("\r\n")}\r\n\r\n`)),
};

const prototypeNames: RawCase = {
  id: "names like those of an object's prototype, in both heads",
  bytes: handshake([...right, ...prototypeLines]),
  upstream: named,
  until: /\r\n\r\n/,
  expect: holds("101, and every line in both heads", ({ responses, heads }) => {
    const lines = prototypeLines.join("\r\n");
    return (
      responses[0]?.status === 101 && [responses[0], heads[0]].every((head) => head?.head.includes(lines) === true)
    );
  }),
};

const large: readonly RawCase[] = [
  {
    id: "E15 2,000 headers",
    bytes: handshake([...right, ...Array.from({ length: 2_000 }, () => "X: 1")]),
    upstream: echoing,
    expect: rejected(431, 400),
    packets: ["one packet", "line by line"],
  },
  {
    id: "E15 15 kB of spaces in Sec-WebSocket-Protocol",
    bytes: handshake([...right, `Sec-WebSocket-Protocol: a${" ".repeat(15_000)}b`]),
    upstream: saying("HTTP/1.1 400 X\r\nContent-Length: 0\r\n\r\n"),
    options: onePool,
    expect: both(
      holds("refused", ({ responses }) => [400, 431].includes(responses[0]?.status ?? 0)),
      closed,
    ),
    packets: ["one packet", "line by line"],
  },
  {
    id: "a handshake behind a request that is not answered yet",
    bytes: `${smuggled.replace("/smuggled", "/first")}${handshake()}early`,
    upstream: {
      ...echoing,
      onRequest: (socket, request) =>
        request.target === "/first" ? answerTag(socket, request) : void socket.write(switching(request)),
    },
    answers: 2,
    until: /\r\n\r\nearly/,
    expect: holds(
      "the response, and then the tunnel",
      ({ responses, text }) =>
        responses.map(({ status }) => status).join() === "200,101" &&
        /\r\n\r\nearly(?:GET \/sentinel[^]*)?$/.test(text),
    ),
  },
];

export const upgrades: readonly RawCase[] = [
  ...refusals,
  ...withBodies,
  ...otherUpgrades,
  ...ordinaryWithBodies,
  ...chunkedUploads,
  ...brokenUploads,
  ...plain,
  ...routed,
  ...tunnels,
  prototypeNames,
  ...large,
];
