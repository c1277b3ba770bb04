import { describe, expect, test } from "vitest";
import { limits } from "../../src/config/defaults.ts";
import { faultOfField } from "../../src/http2/field-rules.ts";
import { ReceiveWindow, SendWindow } from "../../src/http2/flow-window.ts";
import { FrameBudget } from "../../src/http2/frame-budget.ts";
import { FrameReader } from "../../src/http2/frame-reader.ts";
import {
  frameHeader,
  goawayFrame,
  headersFrames,
  pingFrame,
  rstStreamFrame,
  settingsAckFrame,
  settingsFrame,
  windowUpdateFrame,
} from "../../src/http2/frame-writer.ts";
import { HeaderBlock } from "../../src/http2/header-block.ts";
import { errorCode, errorName, flag, frameType, Http2Error } from "../../src/http2/protocol.ts";
import { ResetBudget } from "../../src/http2/reset-budget.ts";
import { PeerSettings } from "../../src/http2/settings.ts";
import { FrameNotes, readFrames } from "../support/frame-notes.ts";
import {
  continuation,
  data,
  frame,
  goaway,
  headers,
  reset,
  settings,
  settingsAck,
  uint32,
  windowUpdate,
} from "../support/frame-server.ts";
import { VirtualClock } from "../support/virtual-clock.ts";

const padded = (bytes: string, padding: number, flags: number = flag.padded) =>
  frame(frameType.data, flags, 1, Buffer.concat([Buffer.from([padding]), Buffer.from(bytes), Buffer.alloc(padding)]));

describe("a reader of frames", () => {
  const bytes = Buffer.concat([
    settings(3, 100),
    settingsAck,
    headers(1, Buffer.from([0x88]), { endHeaders: false }),
    continuation(1, Buffer.from([0x89])),
    data(1, "hello"),
    data(1, ""),
    padded("padded", 20),
    padded("", 0),
    padded("", 5, flag.padded | flag.endStream),
    frame(0xbe, 0xff, 7, "unknown"),
    frame(0xbf, 0, 0),
    frame(frameType.priority, 0, 0x8000_0003, Buffer.alloc(5)),
    windowUpdate(0, 5),
    goaway(3, 2, "debug"),
    data(3, "x".repeat(16_384), true),
  ]);
  const found = [
    "4 0 0 000300000064",
    "4 1 0 ",
    "1 0 1 88",
    "9 4 1 89",
    ...[
      "data 1 5 false",
      "= hello",
      "data 1 0 false",
      "= ",
      "data 1 27 false",
      "= padded",
      "data 1 1 false",
      "= ",
      "data 1 6 true",
      "= ",
    ],
    "190 255 7 ",
    "191 0 0 ",
    "2 0 3 0000000000",
    "8 0 0 00000005",
    `7 0 0 0000000300000002${Buffer.from("debug").toString("hex")}`,
    ...["data 3 16384 true", `= ${"x".repeat(16_384)}`],
  ];

  test("finds the same frames at any split", () => {
    expect(readFrames([bytes])).toEqual(found);
    expect(readFrames([...bytes].map((byte) => Buffer.from([byte])))).toEqual(found);
    for (let cut = 0; cut <= 300; cut++)
      expect(readFrames([bytes.subarray(0, cut), bytes.subarray(cut)])).toEqual(found);
  });

  test.each([
    [
      "a frame beyond the largest size",
      frame(frameType.headers, 0, 1, Buffer.alloc(16_385)),
      /a frame of 16385 bytes.*FRAME_SIZE/,
    ],
    ["a padded frame without a length of the padding", frame(frameType.data, flag.padded, 1), /FRAME_SIZE_ERROR/],
    ["more padding than payload", frame(frameType.data, flag.padded, 1, Buffer.from([2, 0])), /PROTOCOL_ERROR/],
  ])("refuses %s, at any split", (_, wrong, message) => {
    const whole = readFrames([wrong]);
    expect(whole.at(-1)).toMatch(message);
    expect(readFrames([...wrong.subarray(0, 12)].map((byte) => Buffer.from([byte])))).toEqual(whole);
  });

  test("stops within the bytes that it reads", () => {
    const notes = new FrameNotes();
    const reader: FrameReader = new FrameReader({
      onData: (...given) => notes.onData(...given),
      onDataEnd: () => notes.onDataEnd(),
      onFrame: (...given) => notes.onFrame(...given),
      onDataBytes: (given) => {
        notes.onDataBytes(given);
        reader.stop();
      },
    });
    reader.execute(Buffer.concat([settings(), data(1, "x"), settings()]));
    reader.execute(settings());
    expect(notes.lines).toEqual(["4 0 0 ", "data 1 1 false"]);
  });
});

describe("a writer of frames", () => {
  test("writes what others read", () => {
    const ping = Buffer.from("12345678");
    expect(rstStreamFrame(3, 8)).toEqual(reset(3, 8));
    expect(windowUpdateFrame(0, 2 ** 31 - 1)).toEqual(windowUpdate(0, 2 ** 31 - 1));
    expect(goawayFrame(7, 1)).toEqual(goaway(7, 1));
    expect(settingsFrame([2, 0, 4, 2 ** 31 - 1])).toEqual(settings(2, 0, 4, 2 ** 31 - 1));
    expect(settingsAckFrame()).toEqual(settingsAck);
    expect(pingFrame(ping, true)).toEqual(frame(frameType.ping, flag.ack, 0, ping));
    expect(frameHeader(frameType.data, flag.endStream, 2 ** 31 - 1, 16_384)).toEqual(
      frame(frameType.data, flag.endStream, 2 ** 31 - 1, Buffer.alloc(16_384)).subarray(0, 9),
    );
  });

  test("divides a header block among HEADERS and CONTINUATION", () => {
    expect(headersFrames(1, Buffer.from("abc"), true)).toEqual(frame(frameType.headers, 5, 1, "abc"));
    expect(headersFrames(1, Buffer.alloc(0), false)).toEqual(frame(frameType.headers, 4, 1));
    const block = Buffer.alloc(16_384 * 2 + 1, "b");
    expect(headersFrames(1, block.subarray(0, 16_384), false)).toEqual(
      frame(frameType.headers, 4, 1, block.subarray(0, 16_384)),
    );
    expect(headersFrames(1, block, true)).toEqual(
      Buffer.concat([
        frame(frameType.headers, 1, 1, block.subarray(0, 16_384)),
        frame(frameType.continuation, 0, 1, block.subarray(0, 16_384)),
        frame(frameType.continuation, 4, 1, "b"),
      ]),
    );
  });
});

describe("windows", () => {
  const overflow = (streamId: number) => expect.objectContaining({ code: errorCode.flowControlError, streamId });

  test("for sending grow by updates and by settings, may be negative, and never overflow", () => {
    const window = new SendWindow(100, 5);
    window.take(100);
    window.shift(-50);
    expect(window.available).toBe(-50);
    window.increase(2 ** 31 - 1);
    window.increase(50);
    expect(window.available).toBe(2 ** 31 - 1);
    expect(() => window.increase(1)).toThrow(overflow(5));
    expect(() => window.increase(0)).toThrow(expect.objectContaining({ code: errorCode.protocolError, streamId: 5 }));
    // What a setting does to it is an error of the connection.
    expect(() => window.shift(1)).toThrow(overflow(0));
  });

  test("for receiving are given back by halves", () => {
    const window = new ReceiveWindow(100, 5);
    window.receive(60);
    window.consume(49);
    expect(window.takeIncrement()).toBe(0);
    window.consume(1);
    expect(window.takeIncrement()).toBe(50);
    expect(window.takeIncrement()).toBe(0);
    window.receive(90);
    expect(() => window.receive(1)).toThrow(overflow(5));
  });
});

describe("settings of a peer", () => {
  test("hold until they are changed, in the order in which they arrive", () => {
    const peer = new PeerSettings("server");
    expect(peer).toMatchObject({
      headerTableBytes: 4_096,
      maxConcurrentStreams: Infinity,
      initialWindowBytes: 65_535,
      maxFrameBytes: 16_384,
    });
    peer.apply(settings(1, 0, 2, 0, 3, 0, 4, 2 ** 31 - 1, 5, 16_777_215, 6, 1, 0xff, 1, 3, 7).subarray(9));
    expect(peer).toMatchObject({
      headerTableBytes: 0,
      maxConcurrentStreams: 7,
      initialWindowBytes: 2 ** 31 - 1,
      maxFrameBytes: 16_777_215,
    });
    peer.apply(Buffer.alloc(0));
    expect(peer.maxConcurrentStreams).toBe(7);
  });
});

describe("a header block", () => {
  test("consists of its frames without padding and priority", () => {
    const block = new HeaderBlock();
    expect(block.begin(1, flag.endHeaders, Buffer.from("abc"))?.toString()).toBe("abc");
    const full = Buffer.concat([Buffer.from([2]), uint32(3), Buffer.from([9]), Buffer.from("abc"), Buffer.alloc(2)]);
    expect(block.begin(1, flag.endHeaders | flag.padded | flag.priority, full)?.toString()).toBe("abc");
    expect(block.begin(1, flag.endStream | flag.padded, Buffer.from("\x01ax"))).toBeUndefined();
    expect([block.streamId, block.endStream]).toEqual([1, true]);
    expect(block.continue(1, 0, Buffer.from("b"))).toBeUndefined();
    expect(block.continue(1, flag.endHeaders, Buffer.from("c"))?.toString()).toBe("abc");
    expect(block.streamId).toBe(0);
  });

  test.each([
    ["bytes", limits.http2HeaderBlockBytes / 16_384 + 1, Buffer.alloc(16_384)],
    ["frames", limits.http2HeaderBlockFrames + 1, Buffer.alloc(0)],
  ])("is bounded in its %s", (_, most, fragment) => {
    const block = new HeaderBlock();
    const flood = () => {
      block.begin(1, 0, fragment);
      for (let count = 1; count < most; count++) block.continue(1, 0, fragment);
    };
    expect(flood).toThrow(expect.objectContaining({ code: errorCode.enhanceYourCalm, streamId: 0 }));
  });
});

describe("budgets", () => {
  test("of useless frames are filled by time and by useful frames", () => {
    const clock = new VirtualClock();
    const budget = new FrameBudget(clock);
    const spend = (count: number) => {
      for (let spent = 0; spent < count; spent++) budget.spend();
    };
    spend(limits.http2IdleFrames);
    expect(() => budget.spend()).toThrow(expect.objectContaining({ code: errorCode.enhanceYourCalm }));
    clock.advance(2_000);
    spend(limits.http2IdleFramesPerSecond * 2 - 1);
    for (let count = 0; count < 50; count++) budget.earn();
    spend(50);
    expect(() => spend(2)).toThrow(Http2Error);
    clock.advance(3_600_000);
    spend(limits.http2IdleFrames);
    expect(() => spend(2)).toThrow(Http2Error);
  });

  test("of resets are filled by time", () => {
    const clock = new VirtualClock();
    const budget = new ResetBudget(clock, { burst: 100, perSecond: 10 });
    const spent = (count: number) => Array.from({ length: count }, () => budget.spend()).filter(Boolean).length;
    expect(spent(limits.http2ResetStreams + 10)).toBe(limits.http2ResetStreams);
    clock.advance(1_000);
    expect(spent(limits.http2ResetStreamsPerSecond + 10)).toBe(limits.http2ResetStreamsPerSecond);
  });

  test("of resets are filled by streams that end with a response", () => {
    const budget = new ResetBudget(new VirtualClock(), { burst: 100, perSecond: 10 });
    for (let count = 0; count < 1_000; count++) {
      budget.earn();
      expect(budget.spend()).toBe(true);
    }
    budget.earn();
    expect(Array.from({ length: 110 }, () => budget.spend()).filter(Boolean).length).toBe(100);
  });
});

test("fields have rules: RFC 9113 section 8.2", () => {
  const good: [string, string][] = [
    ["x", ""],
    ["x", "a"],
    ["x", "a b\tc"],
    ["x", "\x80\xff"],
    ["te", "trailers"],
    ["!#$%&'*+-.^_`|~09az", "a"],
    ["__proto__", "a"],
  ];
  for (const [name, value] of good) expect([name, faultOfField(name, value)]).toEqual([name, undefined]);
  const bad: [string, string][] = [
    ["", "a"],
    ["X", "a"],
    [":x", "a"],
    ["x:", "a"],
    ["x y", "a"],
    ["x\n", "a"],
    ["\xe9", "a"],
    ["x", " a"],
    ["x", "a "],
    ["x", "\t"],
    ["x", "a\r"],
    ["x", "a\nb"],
    ["x", "\0"],
    ["x", "\x7f"],
    ["te", "gzip"],
    ["connection", "a"],
    ["upgrade", "a"],
  ];
  for (const [name, value] of bad)
    expect([name, value, faultOfField(name, value)]).toEqual([name, value, expect.any(String)]);
  // A name that is known by now is still held to what its value may be.
  expect(faultOfField("x", "a\0")).toEqual(expect.any(String));
});

test("error codes have the names of RFC 9113", () => {
  expect([errorName(0), errorName(13), errorName(11), errorName(99)]).toEqual([
    "NO_ERROR",
    "HTTP_1_1_REQUIRED",
    "ENHANCE_YOUR_CALM",
    "error 99",
  ]);
});
