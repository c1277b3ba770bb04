/** Cases of RFC 9113 and RFC 7541 as bare frames: what the client receives, and what the upstream does. */

import { describe, expect, test } from "vitest";
import { errorCode, flag, frameType } from "../../../src/http2/protocol.ts";
import { FrameClient, preface, requestFields } from "../../support/frame-client.ts";
import {
  block,
  continuation,
  data,
  type Fields,
  frame,
  goaway,
  headers,
  reset,
  settings,
  uint32,
  windowUpdate,
} from "../../support/frame-server.ts";
import { startHttp2Front } from "../../support/http2-front.ts";
import { startUpstream } from "../../support/start-upstream.ts";

const { protocolError, frameSizeError, flowControlError, compressionError, streamClosed, enhanceYourCalm } = errorCode;

const get = requestFields();
const post = requestFields("/", [], "POST");
/** An upload on stream 1 that is not complete. */
const opened = headers(1, post);
const priority = (dependency: number, weight = 15) => Buffer.concat([uint32(dependency), Buffer.from([weight])]);

async function lab() {
  const completed: string[] = [];
  const upstream = await startUpstream("a", (req, res) => {
    req.on("error", () => {});
    req.on("data", () => {});
    req.on("end", () => {
      completed.push(req.url ?? "");
      res.end("ok");
    });
  });
  const front = await startHttp2Front({ upstreams: [upstream.url] });
  return { upstream, front, completed };
}

/** What ends the connection, and the code of its GOAWAY. */
const connectionErrors: [name: string, code: number, bytes: Buffer | readonly Buffer[]][] = [
  // Frames in general (sections 4.2 and 4.3).
  ["a DATA frame beyond the largest size", frameSizeError, [opened, frame(frameType.data, 0, 1, Buffer.alloc(16_385))]],
  ["a HEADERS frame beyond the largest size", frameSizeError, frame(frameType.headers, 4, 1, Buffer.alloc(16_385))],
  ["an unknown frame beyond the largest size", frameSizeError, frame(0xbe, 0, 0, Buffer.alloc(16_385))],
  ["a header block with a broken index", compressionError, headers(1, Buffer.from([0xbf]), { endStream: true })],
  ["an index of 0", compressionError, headers(1, Buffer.from([0x80]), { endStream: true })],
  [
    "a header block that ends early",
    compressionError,
    headers(1, Buffer.from([0x00, 0x05, 0x61]), { endStream: true }),
  ],
  [
    "a table larger than announced",
    compressionError,
    headers(1, Buffer.concat([Buffer.from([0x3f, 0xe2, 0x1f]), block(...get)]), { endStream: true }),
  ],
  [
    "a change of the table size behind a field",
    compressionError,
    headers(1, Buffer.concat([block(...get), Buffer.from([0x20])]), { endStream: true }),
  ],
  [
    "a Huffman code with more than 7 bits of padding",
    compressionError,
    headers(1, Buffer.concat([block(...get), Buffer.from([0x00, 0x82, 0x1f, 0xff, 0x01, 0x61])]), { endStream: true }),
  ],
  [
    "a Huffman code with a padding of zeros",
    compressionError,
    headers(1, Buffer.concat([block(...get), Buffer.from([0x00, 0x81, 0x18, 0x01, 0x61])]), { endStream: true }),
  ],
  [
    "a Huffman code with the end of a string",
    compressionError,
    headers(1, Buffer.concat([block(...get), Buffer.from([0x00, 0x84, 0xff, 0xff, 0xff, 0xff, 0x01, 0x61])]), {
      endStream: true,
    }),
  ],
  [
    "an integer beyond 2^31",
    compressionError,
    headers(1, Buffer.concat([block(...get), Buffer.from([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f])]), {
      endStream: true,
    }),
  ],
  [
    "an integer of many bytes without a value",
    compressionError,
    headers(1, Buffer.concat([block(...get), Buffer.from([0xff]), Buffer.alloc(40, 0x80), Buffer.alloc(1)]), {
      endStream: true,
    }),
  ],
  [
    "an integer that ends early",
    compressionError,
    headers(1, Buffer.concat([block(...get), Buffer.from([0xff, 0x80])]), { endStream: true }),
  ],
  [
    "a name beyond the table",
    compressionError,
    headers(1, Buffer.concat([block(...get), Buffer.from([0x7f, 0x20, 0x01, 0x61])]), { endStream: true }),
  ],
  // Streams (section 5.1).
  ["DATA on an idle stream", protocolError, data(1, "x", true)],
  ["RST_STREAM on an idle stream", protocolError, reset(1, 8)],
  ["WINDOW_UPDATE on an idle stream", protocolError, windowUpdate(1, 100)],
  ["CONTINUATION on an idle stream", protocolError, continuation(1, block(...get))],
  ["HEADERS on an even stream", protocolError, headers(2, get, { endStream: true })],
  ["DATA on an even stream", protocolError, data(2, "x", true)],
  ["HEADERS on a stream below the last one", protocolError, [headers(5, post), headers(3, get, { endStream: true })]],
  // DATA and HEADERS (sections 6.1, 6.2 and 6.10).
  ["DATA of stream 0", protocolError, data(0, "x")],
  [
    "DATA with more padding than payload",
    protocolError,
    [opened, frame(frameType.data, flag.padded, 1, Buffer.from([3, 0, 0]))],
  ],
  ["DATA that is padding alone", protocolError, [opened, frame(frameType.data, flag.padded, 1, Buffer.from([1]))]],
  ["padded DATA without a length of the padding", frameSizeError, [opened, frame(frameType.data, flag.padded, 1)]],
  ["HEADERS of stream 0", protocolError, headers(0, get, { endStream: true })],
  [
    "HEADERS with more padding than payload",
    protocolError,
    frame(frameType.headers, flag.padded | flag.endHeaders, 1, Buffer.concat([Buffer.from([200]), block(...get)])),
  ],
  ["padded HEADERS without a length of the padding", frameSizeError, frame(frameType.headers, 0xd, 1)],
  [
    "HEADERS without the priority that they announce",
    frameSizeError,
    frame(frameType.headers, 0x25, 1, Buffer.alloc(3)),
  ],
  ["CONTINUATION without HEADERS", protocolError, [opened, continuation(1, block(["a", "b"]))]],
  [
    "CONTINUATION of another stream",
    protocolError,
    [headers(1, get, { endHeaders: false }), continuation(3, block(["a", "b"]))],
  ],
  [
    "CONTINUATION of stream 0",
    protocolError,
    [headers(1, get, { endHeaders: false }), continuation(0, block(["a", "b"]))],
  ],
  ["DATA within a header block", protocolError, [headers(1, get, { endHeaders: false }), data(1, "x")]],
  ["HEADERS within a header block", protocolError, [headers(1, get, { endHeaders: false }), headers(3, get)]],
  [
    "PRIORITY within a header block",
    protocolError,
    [headers(1, get, { endHeaders: false }), frame(frameType.priority, 0, 1, priority(0))],
  ],
  ["RST_STREAM within a header block", protocolError, [headers(1, get, { endHeaders: false }), reset(1, 8)]],
  ["SETTINGS within a header block", protocolError, [headers(1, get, { endHeaders: false }), settings()]],
  [
    "PING within a header block",
    protocolError,
    [headers(1, get, { endHeaders: false }), frame(frameType.ping, 0, 0, Buffer.alloc(8))],
  ],
  ["GOAWAY within a header block", protocolError, [headers(1, get, { endHeaders: false }), goaway(0)]],
  ["WINDOW_UPDATE within a header block", protocolError, [headers(1, get, { endHeaders: false }), windowUpdate(0, 1)]],
  [
    "an unknown frame within a header block",
    protocolError,
    [headers(1, get, { endHeaders: false }), frame(0xbe, 0, 1)],
  ],
  // Other frames (sections 6.3 to 6.9).
  ["PRIORITY of stream 0", protocolError, frame(frameType.priority, 0, 0, priority(1))],
  ["PRIORITY of an idle stream that depends on itself", protocolError, frame(frameType.priority, 0, 1, priority(1))],
  ["RST_STREAM of stream 0", protocolError, reset(0, 8)],
  ["RST_STREAM of another length", frameSizeError, [opened, frame(frameType.rstStream, 0, 1, Buffer.alloc(3))]],
  ["SETTINGS of a stream", protocolError, frame(frameType.settings, 0, 1)],
  ["SETTINGS of another length", frameSizeError, frame(frameType.settings, 0, 0, Buffer.alloc(5))],
  ["an acknowledgement of SETTINGS with a payload", frameSizeError, frame(frameType.settings, 1, 0, Buffer.alloc(6))],
  ["an ENABLE_PUSH of 2", protocolError, settings(2, 2)],
  ["an initial window beyond 2^31-1", flowControlError, settings(4, 2 ** 31)],
  ["a frame size below the least", protocolError, settings(5, 16_383)],
  ["a frame size beyond the largest", protocolError, settings(5, 2 ** 24)],
  ["an ENABLE_CONNECT_PROTOCOL of 2", protocolError, settings(8, 2)],
  ["a push", protocolError, [opened, frame(frameType.pushPromise, 4, 1, Buffer.concat([uint32(2), block(...get)]))]],
  ["PING of a stream", protocolError, frame(frameType.ping, 0, 1, Buffer.alloc(8))],
  ["PING of another length", frameSizeError, frame(frameType.ping, 0, 0, Buffer.alloc(7))],
  ["GOAWAY of a stream", protocolError, frame(frameType.goaway, 0, 1, Buffer.alloc(8))],
  ["GOAWAY of another length", frameSizeError, frame(frameType.goaway, 0, 0, Buffer.alloc(7))],
  ["WINDOW_UPDATE of another length", frameSizeError, frame(frameType.windowUpdate, 0, 0, Buffer.alloc(3))],
  ["WINDOW_UPDATE of 0 for the connection", protocolError, windowUpdate(0, 0)],
  ["a window of the connection beyond 2^31-1", flowControlError, [windowUpdate(0, 2 ** 31 - 1)]],
  [
    "a setting that makes the window of a stream overflow",
    flowControlError,
    [opened, windowUpdate(1, 2 ** 31 - 1 - 65_535), settings(4, 65_536)],
  ],
];

/** Streams that each use up their window, and together more than that of the connection. */
function fullStreams(): Buffer[] {
  const frames: Buffer[] = [];
  for (let stream = 1; stream < 40; stream += 2) {
    frames.push(headers(stream, post));
    for (let sent = 0; sent < 65_535; sent += 16_384)
      frames.push(data(stream, Buffer.alloc(Math.min(16_384, 65_535 - sent))));
  }
  return frames;
}

describe("a violation ends the connection with GOAWAY, and nothing malformed is forwarded", () => {
  test.each(connectionErrors)("%s", async (_, code, bytes) => {
    const { front, completed } = await lab();
    const client = await FrameClient.to({ port: front.port });
    client.send(...[bytes].flat());
    await client.until(() => client.ended);
    expect([client.goawayCode, completed]).toEqual([code, []]);
  });

  test.each([
    ["HTTP/1.1", Buffer.from("GET / HTTP/1.1\r\nHost: a\r\n\r\n")],
    ["a preface that differs in its end", Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\r")],
    ["PING in place of SETTINGS", Buffer.concat([preface, frame(frameType.ping, 0, 0, Buffer.alloc(8))])],
    ["HEADERS in place of SETTINGS", Buffer.concat([preface, headers(1, get, { endStream: true })])],
    ["an acknowledgement in place of SETTINGS", Buffer.concat([preface, frame(frameType.settings, 1, 0)])],
  ])("a connection that begins with %s", async (_, greeting) => {
    const { front, completed } = await lab();
    const client = await FrameClient.to({ port: front.port, greeting });
    await client.until(() => client.ended);
    expect([client.goawayCode, completed]).toEqual([protocolError, []]);
  });

  test.each([
    ["DATA", data(1, "x", true)],
    ["HEADERS", headers(1, get, { endStream: true })],
  ])("%s on a stream that has ended on both sides", async (_, bytes) => {
    const { front, completed } = await lab();
    const client = await FrameClient.to({ port: front.port });
    client.send(headers(1, get, { endStream: true }));
    await client.over(1);
    client.send(bytes);
    await client.until(() => client.ended);
    expect([client.goawayCode, completed]).toEqual([streamClosed, ["/"]]);
  });
});

const withPath = (path: string) => requestFields(path);
const withField = (name: string, value: string) => requestFields("/", [[name, value]]);
const without = (name: string) => get.filter(([one]) => one !== name);
const replaced = (name: string, value: string): Fields => get.map((one) => (one[0] === name ? [name, value] : one));

/** Requests that are malformed with their head (sections 8.2, 8.3 and 8.5). */
const malformedHeads: [name: string, fields: Fields][] = [
  ["a name with a capital", withField("X-One", "1")],
  ["an empty name", withField("", "1")],
  ["a name with a space", withField("x one", "1")],
  ["a name with a colon", withField("x:one", "1")],
  ["a name with a control character", withField("x\x01", "1")],
  ["a value with NUL", withField("x-one", "a\0b")],
  ["a value with CR", withField("x-one", "a\rb")],
  ["a value with LF", withField("x-one", "a\nX-Two: 1")],
  ["a value that begins with a space", withField("x-one", " a")],
  ["a value that ends with a tab", withField("x-one", "a\t")],
  ["Connection", withField("connection", "close")],
  ["Keep-Alive", withField("keep-alive", "timeout=5")],
  ["Proxy-Connection", withField("proxy-connection", "close")],
  ["Transfer-Encoding", withField("transfer-encoding", "chunked")],
  ["Upgrade", withField("upgrade", "websocket")],
  ["TE other than trailers", withField("te", "trailers, deflate")],
  ["an unknown pseudo-field", [...get, [":test", "1"]]],
  ["a pseudo-field of responses", [...get, [":status", "200"]]],
  ["a pseudo-field behind a field", [...get.slice(0, 3), ["x-one", "1"], [":authority", "shop.example"]]],
  ["two methods", [...get, [":method", "GET"]]],
  ["two schemes", [...get, [":scheme", "http"]]],
  ["two paths", [...get, [":path", "/"]]],
  ["two authorities", [...get, [":authority", "shop.example"]]],
  ["no method", without(":method")],
  ["no scheme", without(":scheme")],
  ["no path", without(":path")],
  ["an empty method", replaced(":method", "")],
  ["a method with a space", replaced(":method", "GET /x HTTP/1.1")],
  ["an empty path", withPath("")],
  ["a path without a slash", withPath("a")],
  ["an absolute path", withPath("http://shop.example/")],
  ["a path with a space", withPath("/a b")],
  ["a path with a line break", withPath("/a\r\nX-Two: 1")],
  ["a path outside of ASCII", withPath("/\xe9")],
  ["an asterisk of GET", withPath("*")],
  ["an empty scheme", replaced(":scheme", "")],
  ["a scheme with a path", replaced(":scheme", "http://evil.example/")],
  ["another scheme", replaced(":scheme", "ftp")],
  ["an empty authority", replaced(":authority", "")],
  ["an authority with user information", replaced(":authority", "user@shop.example")],
  ["a Host that differs from the authority", withField("host", "other.example")],
  [
    "two Hosts",
    requestFields("/", [
      ["host", "shop.example"],
      ["host", "shop.example"],
    ]),
  ],
  ["an empty Host and no authority", [...without(":authority"), ["host", ""]]],
  ["CONNECT with a path", replaced(":method", "CONNECT")],
  ["CONNECT without an authority", [[":method", "CONNECT"]]],
  [":protocol without CONNECT", [...get, [":protocol", "websocket"]]],
  [
    "an extended CONNECT without a path",
    [
      [":method", "CONNECT"],
      [":protocol", "websocket"],
      [":scheme", "http"],
      [":authority", "a"],
    ],
  ],
  ["a Content-Length that is no number", withField("content-length", "1x")],
  ["a negative Content-Length", withField("content-length", "-1")],
  ["a Content-Length with a sign", withField("content-length", "+5")],
  ["a Content-Length in hexadecimal", withField("content-length", "0x5")],
  ["a Content-Length that is a list", withField("content-length", "5, 5")],
  ["an empty Content-Length", withField("content-length", "")],
  ["a Content-Length beyond 2^64", withField("content-length", "18446744073709551621")],
  ["a name with DEL", withField("x\x7f", "1")],
  ["a name outside of ASCII", withField("x\xe9", "1")],
  ["a framing name with a space behind it", withField("transfer-encoding ", "chunked")],
  ["a path with NUL", withPath("/a\0")],
  ["a path with a tab", withPath("/a\tb")],
  [
    "two Content-Lengths",
    requestFields("/", [
      ["content-length", "0"],
      ["content-length", "0"],
    ]),
  ],
  ["a Content-Length without a body", withField("content-length", "5")],
  ["an empty header block", []],
];

/** What is malformed in the rest of a request, and the code that its stream is reset with. */
const streamErrors: [name: string, code: number, frames: readonly Buffer[]][] = [
  ["more data than announced", protocolError, [upload("3"), data(1, "hello", true)]],
  ["more data than announced, in a second frame", protocolError, [upload("5"), data(1, "hello"), data(1, "!", true)]],
  ["less data than announced", protocolError, [upload("5"), data(1, "hell", true)]],
  ["no data where some was announced", protocolError, [upload("5"), data(1, "", true)]],
  ["data where none was announced", protocolError, [upload("0"), data(1, "hello", true)]],
  [
    "less data than announced in front of trailers",
    protocolError,
    [upload("5"), data(1, "hell"), headers(1, [["a", "b"]], { endStream: true })],
  ],
  [
    "trailers with a pseudo-field",
    protocolError,
    [opened, data(1, "a"), headers(1, [[":path", "/b"]], { endStream: true })],
  ],
  ["trailers with a capital", protocolError, [opened, data(1, "a"), headers(1, [["X-A", "1"]], { endStream: true })]],
  [
    "trailers with Connection",
    protocolError,
    [opened, data(1, "a"), headers(1, [["connection", "close"]], { endStream: true })],
  ],
  ["trailers without END_STREAM", protocolError, [opened, data(1, "a"), headers(1, [["a", "b"]])]],
  ["WINDOW_UPDATE of 0", protocolError, [opened, windowUpdate(1, 0)]],
  ["a window beyond 2^31-1", flowControlError, [opened, windowUpdate(1, 2 ** 31 - 1)]],
  ["PRIORITY that depends on itself", protocolError, [opened, frame(frameType.priority, 0, 1, priority(1))]],
  ["PRIORITY of another length", frameSizeError, [opened, frame(frameType.priority, 0, 1, Buffer.alloc(4))]],
  [
    "HEADERS that depend on themselves",
    protocolError,
    [
      frame(
        frameType.headers,
        flag.priority | flag.endHeaders | flag.endStream,
        1,
        Buffer.concat([priority(1), block(...get)]),
      ),
    ],
  ],
];

function upload(length: string): Buffer {
  return headers(1, requestFields("/", [["content-length", length]], "POST"));
}

/** Well-formed by the fields of HTTP/2, but no request that can be forwarded. */
const refusedTargets: [name: string, fields: Fields][] = [
  ["a fragment in the path", withPath("/a#b")],
  ["an authority with a path", replaced(":authority", "shop.example/x")],
  ["an authority with a query", replaced(":authority", "shop.example?x")],
  ["an authority with a fragment", replaced(":authority", "shop.example#x")],
  ["an authority with a space", replaced(":authority", "shop .example")],
  ["an authority with a line break", replaced(":authority", "shop.example\r\nX-Two: 1")],
  ["an authority with a port that is no number", replaced(":authority", "shop.example:80x")],
  ["a Host with a path and no authority", [...without(":authority"), ["host", "shop.example/x"]]],
  ["a Host with user information and no authority", [...without(":authority"), ["host", "user@shop.example"]]],
  ["neither an authority nor a Host", without(":authority")],
];

test.each(refusedTargets)("%s is 400, and is not forwarded", async (_, fields) => {
  const { front, completed } = await lab();
  const client = await FrameClient.to({ port: front.port });
  client.send(headers(1, fields, { endStream: true }), headers(3, requestFields("/after"), { endStream: true }));
  expect((await client.over(1)).status).toBe(400);
  expect((await client.over(3)).status).toBe(200);
  expect(completed).toEqual(["/after"]);
});

describe("a malformed request resets its stream alone", () => {
  const expectReset = async (frames: readonly Buffer[], code: number) => {
    const { front, upstream, completed } = await lab();
    const client = await FrameClient.to({ port: front.port });
    client.send(...frames);
    const { resetCode, status, complete } = await client.over(1);
    expect([resetCode, status, complete, client.ended]).toEqual([code, 0, false, false]);
    // The connection goes on, and the upstream has received no other request whole.
    client.send(headers(3, requestFields("/after"), { endStream: true }));
    const after = await client.over(3);
    expect([after.status, after.body.toString(), completed]).toEqual([200, "ok", ["/after"]]);
    await front.until(() => front.requests.length === 2);
    return { front, upstream };
  };

  test.each(malformedHeads)("%s", async (_, fields) => {
    const { front, upstream } = await expectReset([headers(1, fields, { endStream: true })], protocolError);
    expect(upstream.received.map(({ url }) => url)).toEqual(["/after"]);
    expect(front.requests[0]).toMatchObject({ status: 400, error: "bad_request", protocol: "HTTP/2.0" });
  });

  test.each(streamErrors)("%s", async (_, code, frames) => {
    await expectReset(frames, code);
  });

  test.each([
    ["DATA", data(1, "x", true)],
    ["HEADERS", headers(1, [["a", "b"]], { endStream: true })],
  ])("%s behind END_STREAM", async (_, bytes) => {
    const upstream = await startUpstream("a", () => {});
    const front = await startHttp2Front({ upstreams: [upstream.url] });
    const client = await FrameClient.to({ port: front.port });
    client.send(headers(1, get, { endStream: true }), bytes);
    expect((await client.over(1)).resetCode).toBe(streamClosed);
    expect(client.ended).toBe(false);
  });

  test("more data than the window of a stream", async () => {
    const upstream = await startUpstream("a", (req) => void req.pause());
    const front = await startHttp2Front({ upstreams: [upstream.url] });
    const client = await FrameClient.to({ port: front.port });
    const frames = Array.from({ length: 60 }, () => data(1, Buffer.alloc(16_384)));
    client.send(opened, ...frames);
    expect((await client.over(1)).resetCode).toBe(flowControlError);
    expect(client.ended).toBe(false);
  });

  test("a byte more than the windows of streams that are not read, while that of the connection is given back", async () => {
    const upstream = await startUpstream("a");
    const onRequest = () => new Promise<undefined>(() => {});
    const front = await startHttp2Front({ upstreams: [upstream.url] }, { surroundings: { onRequest } });
    const client = await FrameClient.to({ port: front.port });
    client.send(...fullStreams(), data(1, "x"));
    expect((await client.over(1)).resetCode).toBe(flowControlError);
    client.send(data(3, "x"));
    expect((await client.over(3)).resetCode).toBe(flowControlError);
    expect(client.ended).toBe(false);
    const given = client.of(frameType.windowUpdate, 0).reduce((sum, { payload }) => sum + payload.readUInt32BE(0), 0);
    expect(given).toBeGreaterThan(20 * 65_535);
  });

  test("DATA on a stream that the client has reset", async () => {
    const { front } = await lab();
    const client = await FrameClient.to({ port: front.port });
    client.send(opened, reset(1, errorCode.cancel), data(1, "x", true));
    expect((await client.over(1)).resetCode).toBe(streamClosed);
    expect(client.ended).toBe(false);
  });
});

/** What is no violation. */
const accepted: [name: string, frames: readonly Buffer[]][] = [
  ["an unknown frame", [frame(0xbe, 0xff, 0, "x"), headers(1, get, { endStream: true })]],
  ["an unknown frame of a stream", [frame(0xbe, 0xff, 1, "x"), headers(1, get, { endStream: true })]],
  [
    "unknown flags",
    [frame(frameType.headers, 0xd2 | flag.endHeaders | flag.endStream, 1, block(...get))].map(clearPadding),
  ],
  ["a reserved bit", [frame(frameType.headers, 5, 0x8000_0001, block(...get))]],
  ["an unknown setting", [settings(0x99, 5), headers(1, get, { endStream: true })]],
  ["a priority", [frame(frameType.headers, 0x25, 1, Buffer.concat([priority(3), block(...get)]))]],
  ["PRIORITY of an idle stream", [frame(frameType.priority, 0, 7, priority(3)), headers(1, get, { endStream: true })]],
  [
    "padded HEADERS",
    [frame(frameType.headers, 0xd, 1, Buffer.concat([Buffer.from([2]), block(...get), Buffer.alloc(2)]))],
  ],
  ["padded DATA", [opened, frame(frameType.data, 9, 1, Buffer.from([2, 0x61, 0, 0]))]],
  ["an empty DATA frame that ends the request", [opened, data(1, "a"), data(1, "", true)]],
  ["trailers", [opened, data(1, "a"), headers(1, [["x-sum", "1"]], { endStream: true })]],
  [
    "a header block in three frames",
    [
      headers(1, block(...get.slice(0, 2)), { endStream: true, endHeaders: false }),
      continuation(1, block(...get.slice(2, 3)), false),
      continuation(1, block(...get.slice(3))),
    ],
  ],
  ["a Host that equals the authority", [headers(1, withField("host", "SHOP.example:80"), { endStream: true })]],
  [
    "a Host without an authority",
    [headers(1, [...without(":authority"), ["host", "shop.example"]], { endStream: true })],
  ],
  ["the scheme of a proxy in front", [headers(1, replaced(":scheme", "https"), { endStream: true })]],
  ["TE with trailers", [headers(1, withField("te", "trailers"), { endStream: true })]],
  ["an empty value", [headers(1, withField("x-one", ""), { endStream: true })]],
  ["8-bit characters in a value", [headers(1, withField("x-one", "\xe9"), { endStream: true })]],
  ["a Content-Length of 0 and an end that follows", [upload("0"), data(1, "", true)]],
];

function clearPadding(bytes: Buffer): Buffer {
  bytes[4] = (bytes[4] as number) & ~(flag.padded | flag.priority);
  return bytes;
}

describe("what is no violation is served", () => {
  test.each(accepted)("%s", async (_, frames) => {
    const { front, upstream, completed } = await lab();
    const client = await FrameClient.to({ port: front.port });
    client.send(...frames);
    const { status, body, resetCode } = await client.over(1);
    expect([status, body.toString(), resetCode, completed]).toEqual([200, "ok", undefined, ["/"]]);
    expect(upstream.received[0]?.headers.host?.toLowerCase()).toMatch(/^shop\.example/);
  });

  test("PING is answered with its payload, and an acknowledgement is not", async () => {
    const { front } = await lab();
    const client = await FrameClient.to({ port: front.port });
    client.send(frame(frameType.ping, flag.ack, 0, "ignored!"), frame(frameType.ping, 0, 0, "payload!"));
    await client.until(() => client.of(frameType.ping).length > 0);
    expect(client.of(frameType.ping).map(({ flags, payload }) => [flags, payload.toString()])).toEqual([
      [1, "payload!"],
    ]);
  });

  test("SETTINGS are acknowledged", async () => {
    const { front } = await lab();
    const client = await FrameClient.to({ port: front.port });
    client.send(settings(3, 10), settings(1, 0, 4, 100_000));
    await client.until(() => client.of(frameType.settings).filter(({ flags }) => flags === 1).length === 3);
    client.send(headers(1, get, { endStream: true }));
    expect((await client.over(1)).status).toBe(200);
  });

  test("WINDOW_UPDATE, RST_STREAM and PRIORITY on a stream that has ended are ignored", async () => {
    const { front } = await lab();
    const client = await FrameClient.to({ port: front.port });
    client.send(headers(1, get, { endStream: true }));
    await client.over(1);
    client.send(windowUpdate(1, 100), reset(1, 8), frame(frameType.priority, 0, 1, priority(0)));
    client.send(headers(3, get, { endStream: true }));
    expect((await client.over(3)).status).toBe(200);
  });

  test("frames at any split of their bytes", async () => {
    const { front } = await lab();
    const client = await FrameClient.to({ port: front.port, greeting: Buffer.alloc(0), acknowledges: false });
    const bytes = Buffer.concat([preface, settings(), upload("5"), data(1, "hello", true)]);
    for (const byte of bytes) {
      client.send(Buffer.from([byte]));
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect((await client.over(1)).status).toBe(200);
  });
});

describe("a request that is refused", () => {
  test.each<[name: string, fields: Fields, status: number]>([
    [
      "CONNECT",
      [
        [":method", "CONNECT"],
        [":authority", "shop.example:443"],
      ],
      405,
    ],
    ["TRACE", replaced(":method", "TRACE"), 405],
    ["a Host that is none", replaced(":authority", "shop.example/a"), 400],
    ["no host at all", without(":authority"), 400],
    ["a fragment", withPath("/#a"), 400],
    ["an extended CONNECT of another protocol", [...replaced(":method", "CONNECT"), [":protocol", "connect-udp"]], 501],
    ["an expectation", withField("expect", "200-ok"), 417],
    ["a path longer than the limit", withPath(`/${"a".repeat(17_000)}`), 414],
    ["fields longer than the limit", withField("x-one", "a".repeat(17_000)), 431],
    [
      "too many fields",
      requestFields(
        "/",
        Array.from({ length: 300 }, () => ["a", "b"] as const),
      ),
      431,
    ],
  ])("has its response: %s", async (_, fields, status) => {
    const { front, upstream } = await lab();
    const client = await FrameClient.to({ port: front.port });
    const bytes = block(...fields);
    client.send(headers(1, bytes.subarray(0, 16_384), { endStream: true, endHeaders: bytes.length <= 16_384 }));
    if (bytes.length > 16_384) client.send(continuation(1, bytes.subarray(16_384)));
    const response = await client.over(1);
    expect([response.status, response.complete, response.resetCode]).toEqual([status, true, undefined]);
    expect(upstream.received).toEqual([]);
  });

  test("before its end has a whole response, and then a reset without an error", async () => {
    const { front } = await lab();
    const client = await FrameClient.to({ port: front.port });
    client.send(headers(1, replaced(":method", "TRACE")), data(1, "some"));
    await client.until(() => client.response(1).resetCode !== undefined);
    const { status, complete, resetCode } = client.response(1);
    expect([status, complete, resetCode]).toEqual([405, true, errorCode.noError]);
    // What was on its way is ignored.
    client.send(data(1, "more"), headers(3, get, { endStream: true }));
    expect((await client.over(3)).status).toBe(200);
  });
});

describe("a flood ends the connection with ENHANCE_YOUR_CALM", () => {
  const many = (count: number, bytes: Buffer) => Buffer.concat(Array<Buffer>(count).fill(bytes));
  const resets = Array.from({ length: 3_000 }, (_, index) => [
    headers(2 * index + 1, get, { endStream: true }),
    reset(2 * index + 1, errorCode.cancel),
  ]).flat();
  const malformed = Array.from({ length: 3_000 }, (_, index) =>
    headers(2 * index + 1, without(":path"), { endStream: true }),
  );

  test.each<[name: string, frames: readonly Buffer[]]>([
    ["streams that are opened and reset", resets],
    ["malformed streams", malformed],
    [
      "CONTINUATION frames",
      [headers(1, get, { endHeaders: false }), many(2_000, continuation(1, block(["a", "b"]), false))],
    ],
    [
      "empty CONTINUATION frames",
      [headers(1, get, { endHeaders: false }), many(2_000, continuation(1, Buffer.alloc(0), false))],
    ],
    [
      "long CONTINUATION frames",
      [headers(1, get, { endHeaders: false }), many(8, continuation(1, Buffer.alloc(16_384), false))],
    ],
    ["SETTINGS frames", [many(3_000, settings(3, 1))]],
    ["PING frames", [many(3_000, frame(frameType.ping, 0, 0, Buffer.alloc(8)))]],
    ["PRIORITY frames", [many(3_000, frame(frameType.priority, 0, 3, priority(0)))]],
    ["WINDOW_UPDATE frames", [many(3_000, windowUpdate(0, 1_000))]],
    ["WINDOW_UPDATE frames of a stream", [opened, many(3_000, windowUpdate(1, 1_000))]],
    ["empty DATA frames", [opened, many(3_000, data(1, ""))]],
    ["DATA frames of padding", [opened, many(3_000, frame(frameType.data, flag.padded, 1, Buffer.from([3, 0, 0, 0])))]],
    ["unknown frames", [many(3_000, frame(0xbe, 0, 0))]],
    ["RST_STREAM frames of a closed stream", [opened, many(3_000, reset(1, 8))]],
  ])("%s", async (_, frames) => {
    const { front } = await lab();
    const client = await FrameClient.to({ port: front.port });
    client.send(...frames);
    await client.until(() => client.ended);
    expect(client.goawayCode).toBe(enhanceYourCalm);
  });

  test("a client that reads nothing is not held for ever", async () => {
    const { front } = await lab();
    const client = await FrameClient.to({ port: front.port });
    client.socket.pause();
    const flood = many(20_000, frame(frameType.ping, 0, 0, Buffer.alloc(8)));
    client.send(flood);
    await front.until(() => front.closed === 1);
  });

  test("a header bomb costs its request alone", async () => {
    const { front, upstream } = await lab();
    const client = await FrameClient.to({ port: front.port });
    // An entry of 4 KB that a block refers to as often as it can.
    const entry = Buffer.concat([
      Buffer.from([0x40, 1, 0x61, 0x7f, 0x80 | ((3_900 - 127) & 0x7f), (3_900 - 127) >> 7]),
      Buffer.alloc(3_900, "b"),
    ]);
    const bomb = Buffer.concat([block(...get), entry, Buffer.alloc(10_000, 0xbe)]);
    client.send(headers(1, bomb, { endStream: true }), headers(3, get, { endStream: true }));
    expect((await client.over(1)).status).toBe(431);
    expect((await client.over(3)).status).toBe(200);
    expect(upstream.received.length).toBe(1);
  });
});
