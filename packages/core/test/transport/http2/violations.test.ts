import { describe, expect, test } from "vitest";
import { errorCode, flag, frameType } from "../../../src/http2/protocol.ts";
import { ask } from "../../support/exchanges.ts";
import {
  block,
  continuation,
  data,
  type FrameRequest,
  frame,
  frameServer,
  goaway,
  headers,
  reset,
  respond,
  settings,
  settingsAck,
  uint32,
  windowUpdate,
} from "../../support/frame-server.ts";
import { h2cTransport } from "../../support/http2-transports.ts";

const ok = [[":status", "200"]] as const;
const { protocolError, frameSizeError, flowControlError, compressionError, enhanceYourCalm } = errorCode;

/** What the upstream sends once a request has come on stream 1, and the code that the connection is ended with. */
const connectionErrors: [name: string, code: number, bytes: Buffer | readonly Buffer[]][] = [
  // Frames in general (RFC 9113 section 4).
  ["a DATA frame beyond the largest size", frameSizeError, frame(frameType.data, 0, 1, Buffer.alloc(16_385))],
  ["a HEADERS frame beyond the largest size", frameSizeError, frame(frameType.headers, 4, 1, Buffer.alloc(16_385))],
  ["an unknown frame beyond the largest size", frameSizeError, frame(0xbe, 0, 0, Buffer.alloc(16_385))],
  ["bytes of HTTP/1.1", frameSizeError, Buffer.from("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")],
  // Header blocks (4.3, 6.2, 6.10).
  ["a header block with a broken index", compressionError, headers(1, Buffer.from([0xbf]))],
  [
    "an empty table that is grown beyond what we announced",
    compressionError,
    headers(1, Buffer.from([0x3f, 0xe2, 0x1f])),
  ],
  ["CONTINUATION without HEADERS", protocolError, continuation(1, block(...ok))],
  ["CONTINUATION behind END_HEADERS", protocolError, [headers(1, ok), continuation(1, block(["a", "b"]))]],
  [
    "CONTINUATION of another stream",
    protocolError,
    [headers(1, ok, { endHeaders: false }), continuation(3, Buffer.alloc(0))],
  ],
  [
    "CONTINUATION of stream 0",
    protocolError,
    [headers(1, ok, { endHeaders: false }), continuation(0, Buffer.alloc(0))],
  ],
  ["DATA within a header block", protocolError, [headers(1, ok, { endHeaders: false }), data(1, "x")]],
  ["HEADERS within a header block", protocolError, [headers(1, ok, { endHeaders: false }), headers(1, ok)]],
  [
    "PING within a header block",
    protocolError,
    [headers(1, ok, { endHeaders: false }), frame(frameType.ping, 0, 0, Buffer.alloc(8))],
  ],
  ["SETTINGS within a header block", protocolError, [headers(1, ok, { endHeaders: false }), settings()]],
  ["RST_STREAM within a header block", protocolError, [headers(1, ok, { endHeaders: false }), reset(1, 0)]],
  ["an unknown frame within a header block", protocolError, [headers(1, ok, { endHeaders: false }), frame(0xbe, 0, 1)]],
  ["HEADERS of stream 0", protocolError, headers(0, ok)],
  ["HEADERS with more padding than payload", protocolError, frame(frameType.headers, 0xc, 1, Buffer.from([9, 0x88]))],
  ["HEADERS with padding and nothing else", frameSizeError, frame(frameType.headers, 0xc, 1)],
  ["HEADERS without the priority that they have", frameSizeError, frame(frameType.headers, 0x24, 1, Buffer.alloc(3))],
  // DATA (6.1).
  ["DATA of stream 0", protocolError, data(0, "x")],
  [
    "DATA with more padding than payload",
    protocolError,
    [headers(1, ok), frame(frameType.data, 8, 1, Buffer.from([3, 0, 0]))],
  ],
  ["padded DATA without a length of the padding", frameSizeError, [headers(1, ok), frame(frameType.data, 8, 1)]],
  // Stream states (5.1).
  ["DATA on an idle stream", protocolError, data(3, "x")],
  ["HEADERS on an idle stream", protocolError, headers(3, ok)],
  ["RST_STREAM on an idle stream", protocolError, reset(3, 0)],
  ["WINDOW_UPDATE on an idle stream", protocolError, windowUpdate(3, 1)],
  ["HEADERS on a stream of the server's own", protocolError, headers(2, ok)],
  ["DATA on a stream of the server's own", protocolError, data(2, "x")],
  // Other frames (6.3 to 6.9).
  ["PRIORITY of stream 0", protocolError, frame(frameType.priority, 0, 0, Buffer.alloc(5))],
  ["RST_STREAM of stream 0", protocolError, reset(0, 0)],
  ["RST_STREAM of another length", frameSizeError, frame(frameType.rstStream, 0, 1, Buffer.alloc(3))],
  ["SETTINGS of a stream", protocolError, frame(frameType.settings, 0, 1)],
  ["SETTINGS of another length", frameSizeError, frame(frameType.settings, 0, 0, Buffer.alloc(5))],
  ["an acknowledgement of SETTINGS with a payload", frameSizeError, frame(frameType.settings, 1, 0, Buffer.alloc(6))],
  ["a server that sets ENABLE_PUSH", protocolError, settings(2, 1)],
  ["an ENABLE_PUSH of 2", protocolError, settings(2, 2)],
  ["an initial window beyond 2^31-1", flowControlError, settings(4, 2 ** 31)],
  ["a frame size below the least", protocolError, settings(5, 16_383)],
  ["a frame size beyond the largest", protocolError, settings(5, 2 ** 24)],
  ["a push", protocolError, frame(frameType.pushPromise, 4, 1, Buffer.concat([uint32(2), block([":method", "GET"])]))],
  ["PING of a stream", protocolError, frame(frameType.ping, 0, 1, Buffer.alloc(8))],
  ["PING of another length", frameSizeError, frame(frameType.ping, 0, 0, Buffer.alloc(7))],
  ["GOAWAY of a stream", protocolError, frame(frameType.goaway, 0, 1, Buffer.alloc(8))],
  ["GOAWAY of another length", frameSizeError, frame(frameType.goaway, 0, 0, Buffer.alloc(7))],
  ["a GOAWAY whose last stream is above the one before it", protocolError, [goaway(1), goaway(3)]],
  ["WINDOW_UPDATE of another length", frameSizeError, frame(frameType.windowUpdate, 0, 0, Buffer.alloc(3))],
  ["WINDOW_UPDATE of 0 for the connection", protocolError, windowUpdate(0, 0)],
  ["a window of the connection beyond 2^31-1", flowControlError, windowUpdate(0, 2 ** 31 - 1)],
];

describe("a violation ends the connection with GOAWAY and fails its streams", () => {
  test.each(connectionErrors)("%s", async (_, code, bytes) => {
    let violated = false;
    const upstream = await frameServer({
      onRequest: ({ peer, id }) => {
        if (violated) return peer.send(respond(id, "fine"));
        violated = true;
        peer.send(...[bytes].flat());
      },
    });
    const transport = h2cTransport(upstream.port);
    const exchange = await ask(transport, "/").ended();
    const [peer] = upstream.peers;
    await upstream.until(() => peer?.ended === true);
    expect(peer?.goawayCode).toBe(code);
    // What had ended before the violation stands.
    if (exchange.phase !== "complete") {
      expect(exchange.failure?.code).toMatch(/^(?:invalid_response|response_truncated|reset)$/);
      expect(exchange.failure?.sent).toBe(true);
      expect(exchange.failure?.cause).toBeInstanceOf(Error);
    } else expect(exchange.body).toBe("whole");
    // The dead connection is not used again.
    expect(await ask(transport, "/").ended()).toMatchObject({ phase: "complete", body: "fine" });
    expect(upstream.peers).toHaveLength(2);
  });

  test.each([
    ["anything but SETTINGS", frame(frameType.ping, 0, 0, Buffer.alloc(8))],
    ["an acknowledgement of SETTINGS", settingsAck],
    ["a whole response", respond(1)],
    ["an unknown frame", frame(0xbe, 0, 0)],
  ])("a connection that begins with %s", async (_, bytes) => {
    const upstream = await frameServer({ settings: false, onConnection: (peer) => peer.send(bytes) });
    const exchange = await ask(h2cTransport(upstream.port), "/").ended();
    expect(exchange.failure?.code).toBe("invalid_response");
    await upstream.until(() => upstream.peers[0]?.ended === true);
    expect(upstream.peers[0]?.goawayCode).toBe(protocolError);
  });

  test("whose other streams may be retried", async () => {
    const upstream = await frameServer({
      onRequest: ({ peer, id }) => id === 3 && peer.send(headers(3, Buffer.from([0xbf]))),
    });
    const transport = h2cTransport(upstream.port);
    const innocent = ask(transport, "/1");
    await innocent.until(() => innocent.phase === "connected");
    const culprit = ask(transport, "/2");
    expect((await culprit.ended()).failure?.code).toBe("invalid_response");
    expect((await innocent.ended()).failure).toMatchObject({ code: "reset", sent: true });
  });
});

/** What the upstream sends on stream 1, and what becomes of it; the connection goes on. */
const streamErrors: [name: string, failure: string, code: number, frames: (request: FrameRequest) => Buffer[]][] = [
  ["DATA before a head", "invalid_response", protocolError, () => [data(1, "x", true)]],
  [
    "DATA behind an early hint",
    "invalid_response",
    protocolError,
    () => [headers(1, [[":status", "103"]]), data(1, "x", true)],
  ],
  ["a second head", "response_truncated", protocolError, () => [headers(1, ok), headers(1, ok)]],
  [
    "a second head that ends the stream",
    "response_truncated",
    protocolError,
    () => [headers(1, ok), headers(1, ok, { endStream: true })],
  ],
  [
    "an early hint behind a head",
    "response_truncated",
    protocolError,
    () => [headers(1, ok), headers(1, [[":status", "103"]])],
  ],
  [
    "an early hint that ends the stream",
    "invalid_response",
    protocolError,
    () => [headers(1, [[":status", "103"]], { endStream: true })],
  ],
  ["a 101", "invalid_response", protocolError, () => [headers(1, [[":status", "101"]])]],
  [
    "more early hints than are taken",
    "invalid_response",
    protocolError,
    () => Array.from({ length: 33 }, () => headers(1, [[":status", "103"]])),
  ],
  [
    "more data than announced",
    "invalid_response",
    protocolError,
    () => [headers(1, [...ok, ["content-length", "3"]]), data(1, "four", true)],
  ],
  [
    "less data than announced",
    "response_truncated",
    protocolError,
    () => [headers(1, [...ok, ["content-length", "5"]]), data(1, "four", true)],
  ],
  [
    "less data than announced, in front of trailers",
    "response_truncated",
    protocolError,
    () => [
      headers(1, [...ok, ["content-length", "5"]]),
      data(1, "four"),
      headers(1, [["x", "y"]], { endStream: true }),
    ],
  ],
  [
    "no data at all where some was announced",
    "invalid_response",
    protocolError,
    () => [headers(1, [...ok, ["content-length", "5"]], { endStream: true })],
  ],
  ["data in a 204", "invalid_response", protocolError, () => [headers(1, [[":status", "204"]]), data(1, "x", true)]],
  ["data in a 304", "invalid_response", protocolError, () => [headers(1, [[":status", "304"]]), data(1, "x", true)]],
  ["WINDOW_UPDATE of 0", "invalid_response", protocolError, () => [windowUpdate(1, 0)]],
  ["a window beyond 2^31-1", "invalid_response", flowControlError, () => [windowUpdate(1, 2 ** 31 - 1)]],
  [
    "PRIORITY of another length",
    "invalid_response",
    frameSizeError,
    () => [frame(frameType.priority, 0, 1, Buffer.alloc(4))],
  ],
  [
    "more data than its window allows",
    "response_truncated",
    flowControlError,
    () => [headers(1, ok), ...Array.from({ length: 17 }, () => data(1, "x".repeat(16_384)))],
  ],
];

describe("a violation of one stream resets that stream alone", () => {
  test.each(streamErrors)("%s", async (_, failure, code, frames) => {
    const upstream = await frameServer({
      onRequest: (request) =>
        request.peer.send(...(request.id === 1 ? frames(request) : [respond(request.id, "fine")])),
    });
    const transport = h2cTransport(upstream.port);
    // A reader that makes no room: what comes has to stay within the window.
    const exchange = await ask(transport, "/", { onData: () => false }).ended();
    expect(exchange.failure).toMatchObject({ code: failure, sent: true, reused: false });
    await upstream.until(() => upstream.peers[0]?.resetCode(1) !== undefined);
    expect(upstream.peers[0]?.resetCode(1)).toBe(code);
    expect(await ask(transport, "/").ended()).toMatchObject({ phase: "complete", body: "fine" });
    expect(upstream.peers).toHaveLength(1);
  });
});

describe("useless frames are bounded", () => {
  const ping = frame(frameType.ping, 0, 0, Buffer.alloc(8));
  test.each([
    ["PING", ping],
    ["acknowledgements of PING", frame(frameType.ping, 1, 0, Buffer.alloc(8))],
    ["SETTINGS", settings(4, 70_000)],
    ["acknowledgements of SETTINGS", settingsAck],
    ["empty DATA", data(1, "")],
    ["DATA of nothing but padding", frame(frameType.data, 8, 1, Buffer.from([1, 0]))],
    ["PRIORITY", frame(frameType.priority, 0, 3, Buffer.alloc(5))],
    ["unknown frames", frame(0xbe, 0, 0)],
    ["WINDOW_UPDATE of 1", windowUpdate(0, 1)],
    ["HEADERS of a closed stream", Buffer.concat([reset(1, 8), headers(1, ok)])],
    ["empty DATA of a closed stream", Buffer.concat([reset(1, 8), data(1, "")])],
    ["GOAWAY", goaway(1)],
  ])("a flood of %s", async (_, bytes) => {
    const upstream = await frameServer({
      onRequest: ({ peer, id }) => {
        if (peer !== upstream.peers[0]) return peer.send(respond(id, "fine"));
        peer.send(headers(id, ok), Buffer.concat(Array.from({ length: 3_000 }, () => bytes)));
      },
    });
    const transport = h2cTransport(upstream.port);
    expect((await ask(transport, "/").ended()).failure?.code).toBe("response_truncated");
    await upstream.until(() => upstream.peers[0]?.ended === true);
    expect(upstream.peers[0]?.goawayCode).toBe(enhanceYourCalm);
    expect(await ask(transport, "/").ended()).toMatchObject({ phase: "complete", body: "fine" });
  });

  test("frames in reply to data are not: a PING for each piece of data", async () => {
    const upstream = await frameServer({
      onRequest: ({ peer, id }) => {
        peer.send(headers(id, ok));
        for (let count = 0; count < 3_000; count++) peer.send(data(id, "x"), ping);
        peer.send(data(id, "", true));
      },
    });
    expect(await ask(h2cTransport(upstream.port), "/").ended()).toMatchObject({
      phase: "complete",
      bytes: { length: 3_000 },
    });
  });

  test.each([
    ["without an end", Buffer.concat(Array.from({ length: 2_000 }, () => continuation(1, Buffer.alloc(100), false)))],
    ["of empty frames", Buffer.concat(Array.from({ length: 2_000 }, () => continuation(1, Buffer.alloc(0), false)))],
  ])("a flood of CONTINUATION %s", async (_, bytes) => {
    const upstream = await frameServer({
      onRequest: ({ peer, id }) => peer.send(headers(id, ok, { endHeaders: false }), bytes),
    });
    expect((await ask(h2cTransport(upstream.port), "/").ended()).failure?.code).toBe("invalid_response");
    await upstream.until(() => upstream.peers[0]?.ended === true);
    expect(upstream.peers[0]?.goawayCode).toBe(enhanceYourCalm);
  });

  test("a head with too many bytes or fields fails that stream alone", async () => {
    const large = block(...ok, ["x", "y".repeat(16_384)]);
    const heads = [
      [headers(1, large.subarray(0, 9_000), { endHeaders: false }), continuation(1, large.subarray(9_000))],
      [headers(3, [...ok, ...Array.from({ length: 200 }, (_, index) => [`x-${index}`, "y"] as const)])],
    ];
    const upstream = await frameServer({
      onRequest: ({ peer, id }) => peer.send(...(heads[(id - 1) / 2] ?? [respond(id, "fine")])),
    });
    const transport = h2cTransport(upstream.port);
    for (const id of [1, 3]) {
      expect((await ask(transport, "/").ended()).failure?.code).toBe("response_headers_too_large");
      await upstream.until(() => upstream.peers[0]?.resetCode(id) !== undefined);
    }
    expect(await ask(transport, "/").ended()).toMatchObject({ phase: "complete", body: "fine" });
    expect(upstream.peers).toHaveLength(1);
  });
});

describe("what RFC 9113 allows is accepted", () => {
  const allowed: [name: string, frames: Buffer[]][] = [
    ["a head in one byte a frame", splitHead()],
    [
      "a padded head with a priority",
      [
        frame(
          frameType.headers,
          flag.endHeaders | flag.padded | flag.priority,
          1,
          Buffer.concat([Buffer.from([4, 0, 0, 0, 5, 200, 0x88]), Buffer.alloc(4)]),
        ),
        data(1, "body", true),
      ],
    ],
    [
      "padded data",
      [
        headers(1, ok),
        frame(
          frameType.data,
          flag.padded,
          1,
          Buffer.concat([Buffer.from([200]), Buffer.from("bo"), Buffer.alloc(200)]),
        ),
        frame(frameType.data, flag.padded | flag.endStream, 1, Buffer.from("\0dy")),
      ],
    ],
    [
      "data of nothing but padding at the end",
      [headers(1, ok), data(1, "body"), frame(frameType.data, flag.padded | flag.endStream, 1, Buffer.from([2, 0, 0]))],
    ],
    [
      "empty DATA in between and at the end",
      [headers(1, ok), data(1, ""), data(1, "body"), data(1, ""), data(1, "", true)],
    ],
    [
      "frames of extensions, and their flags and reserved bits",
      [
        frame(0xa, 0xff, 0, "altsvc"),
        headers(1, ok),
        frame(0xfe, 0xff, 1, "x"),
        frame(frameType.data, 0xf6, 1, "body"),
        data(1, "", true),
      ],
    ],
    [
      "PRIORITY on any stream",
      [
        frame(frameType.priority, 0, 1, Buffer.alloc(5)),
        frame(frameType.priority, 0, 77, Buffer.alloc(5)),
        headers(1, ok),
        data(1, "body", true),
      ],
    ],
    [
      "a reserved bit in front of a stream's id",
      [frame(frameType.headers, 4, 0x8000_0001, block(...ok)), data(1, "body", true)],
    ],
    ["unknown settings", [settings(0x99, 5), headers(1, ok), data(1, "body", true)]],
    [
      "anything behind the end",
      [headers(1, ok), data(1, "body", true), windowUpdate(1, 5), data(1, "more", true), headers(1, ok), reset(1, 0)],
    ],
    ["trailers", [headers(1, ok), data(1, "body"), headers(1, [["x-sum", "1"]], { endStream: true })]],
    [
      "a Content-Length among trailers, which has no say",
      [headers(1, ok), data(1, "body"), headers(1, [["content-length", "9"]], { endStream: true })],
    ],
    ["GOAWAY in front of its response", [goaway(1), headers(1, ok), data(1, "body", true)]],
    [
      "two GOAWAYs, the first without a last stream",
      [goaway(2 ** 31 - 1), goaway(1), headers(1, ok), data(1, "body", true)],
    ],
  ];

  test.each(allowed)("%s", async (name, frames) => {
    for (const together of [true, false]) {
      const upstream = await frameServer({
        onRequest: ({ peer }) => {
          if (together) peer.send(...frames);
          else for (const byte of Buffer.concat(frames)) peer.send(Buffer.from([byte]));
        },
      });
      const transport = h2cTransport(upstream.port);
      const exchange = await ask(transport, "/").ended();
      expect(exchange).toMatchObject({ phase: "complete", status: 200, body: "body" });
      if (name.includes("GOAWAY")) continue;
      // The connection is still good, fields and all.
      upstream.peers[0]?.send(frame(frameType.ping, 0, 0, Buffer.alloc(8)));
      await upstream.until(() => upstream.peers[0]?.of(frameType.ping).length === 1);
      expect(upstream.peers[0]?.goawayCode).toBeUndefined();
    }
  });

  function splitHead(): Buffer[] {
    const bytes = block(...ok, ["x-long", "y".repeat(100)]);
    const rest = [...bytes.subarray(1)].map((byte, index) =>
      continuation(1, Buffer.from([byte]), index === bytes.length - 2),
    );
    return [headers(1, bytes.subarray(0, 1), { endHeaders: false }), ...rest, data(1, "body", true)];
  }
});
