import { describe, expect, test } from "vitest";
import { errorCode, flag, frameType } from "../../../src/http2/protocol.ts";
import { turns } from "../../support/event-loop.ts";
import { type Ask, ask } from "../../support/exchanges.ts";
import {
  data,
  type FrameRequest,
  type FrameScript,
  frameServer,
  headers,
  reset,
  respond,
  settings,
  windowUpdate,
} from "../../support/frame-server.ts";
import { h2cTransport } from "../../support/http2-transports.ts";

const ok = [[":status", "200"]] as const;

/** Sends one request, and returns it as the upstream has received it. */
async function received(options: Ask, script: FrameScript = {}): Promise<FrameRequest> {
  const upstream = await frameServer({ onRequest: ({ peer, id }) => peer.send(respond(id)), ...script });
  await ask(h2cTransport(upstream.port), "/a?b", options).ended();
  return upstream.peers[0]?.requests.get(1) as FrameRequest;
}

describe("the fields of a request", () => {
  test("begin with pseudo-fields, Host as the authority, and have their names in lower case", async () => {
    const { fields } = await received({ headers: ["X-One", "1", "Host", "shop.example:8080", "X-One", "2"] });
    expect(fields).toEqual([
      ...[":method", "GET", ":scheme", "http", ":authority", "shop.example:8080", ":path", "/a?b"],
      ...["x-one", "1", "x-one", "2"],
    ]);
  });

  test("have no authority when there is no Host", async () => {
    expect((await received({ headers: [] })).fields).toEqual([":method", "GET", ":scheme", "http", ":path", "/a?b"]);
    expect((await received({ headers: ["Host", ""] })).fields).not.toContain(":authority");
  });

  test("keep Cookie lines apart, 8-bit bytes as they are, and names that JavaScript's objects have", async () => {
    const sent = ["Cookie", "a=1", "Cookie", "b=2", "X-Name", "J\xfcrgen \xff", "__proto__", "p", "constructor", "c"];
    const { fields } = await received({ headers: ["Host", "a", ...sent] });
    expect(fields.slice(8)).toEqual([
      "cookie",
      "a=1",
      "cookie",
      "b=2",
      "x-name",
      "J\xfcrgen \xff",
      "__proto__",
      "p",
      "constructor",
      "c",
    ]);
  });

  test("are without what is about one connection, and TE says trailers or nothing", async () => {
    const hop = ["Connection", "TE", "Keep-Alive", "x", "Proxy-Connection", "x", "Upgrade", "x", "HTTP2-Settings", "x"];
    expect((await received({ headers: ["Host", "a", ...hop, "TE", "Trailers"] })).fields.slice(8)).toEqual([
      "te",
      "Trailers",
    ]);
    expect((await received({ headers: ["Host", "a", "TE", "gzip"] })).fields.slice(8)).toEqual([]);
  });

  test("have no white space around a value", async () => {
    expect((await received({ headers: ["Host", "a", "X", " \t b c\t "] })).fields.slice(8)).toEqual(["x", "b c"]);
  });

  test.each([
    ["GET without a body", {}, undefined],
    ["POST without a body", { method: "POST" }, "0"],
    ["GET with one", { body: "hello" }, "5"],
    ["POST of unknown length", { method: "POST", body: "hello", bodyLength: -1 }, undefined],
  ])("announce the length of the body: %s", async (_, options, length) => {
    const { fields } = await received(options);
    expect(fields.includes("content-length") ? fields[fields.indexOf("content-length") + 1] : undefined).toBe(length);
  });

  test.each([
    ["a path with a line break", { path: "/\r\nX: y" }],
    ["a method with a space", { method: "GET /" }],
    ["a value with a line break", { headers: ["Host", "a", "X", "a\r\nY: z"] }],
    ["a name with a line break", { headers: ["Host", "a", "X\r\nY", "z"] }],
    ["a name that is a pseudo-field", { headers: ["Host", "a", ":path", "/other"] }],
    ["a length from elsewhere", { headers: ["Host", "a", "Content-Length", "5"] }],
    ["a coding from elsewhere", { headers: ["Host", "a", "Transfer-Encoding", "chunked"] }],
  ])("fail as internal with %s, and nothing is sent", async (_, head) => {
    const upstream = await frameServer({});
    expect((await ask(h2cTransport(upstream.port), "/", head).ended()).failure).toMatchObject({
      code: "internal",
      sent: false,
    });
    expect(upstream.peers).toHaveLength(0);
  });

  test("may be more than one frame holds", async () => {
    const { fields } = await received({ headers: ["Host", "a", "X", "y".repeat(40_000)] });
    expect(fields.at(-1)).toHaveLength(40_000);
  });

  test("obey the table size that the upstream sets", async () => {
    const upstream = await frameServer({ settings: [1, 0], onRequest: ({ peer, id }) => peer.send(respond(id)) });
    const transport = h2cTransport(upstream.port);
    for (let count = 0; count < 3; count++)
      await ask(transport, "/", { headers: ["Host", "a", "Accept", "b"] }).ended();
    const blocks = upstream.peers[0]?.of(frameType.headers).map(({ payload }) => payload) ?? [];
    expect(blocks).toHaveLength(3);
    // A size of 0 is announced once, before the first field after the settings, and no entry is referred to.
    expect(blocks.filter((bytes) => bytes[0] === 0x20)).toHaveLength(1);
    expect([...(upstream.peers[0]?.requests.values() ?? [])].map(({ fields }) => fields.at(-1))).toEqual([
      "b",
      "b",
      "b",
    ]);
  });
});

describe("the body of a request", () => {
  test.each(["GET", "HEAD", "DELETE", "OPTIONS", "POST", "QUERY"])("goes with any method: %s", async (method) => {
    for (const options of [{ body: "hello" }, { body: ["he", "llo"] }, { body: ["he", "llo"], bodyLength: -1 }]) {
      const request = await received({ method, ...options });
      expect(request).toMatchObject({ complete: true });
      expect(request.body.toString()).toBe("hello");
    }
  });

  test("that has a length ends with its last byte, without a frame of its own", async () => {
    const { peer } = await received({ body: ["he", "llo"] });
    expect(peer.of(frameType.data).map(({ flags, payload }) => [flags, payload.length])).toEqual([
      [0, 2],
      [flag.endStream, 3],
    ]);
  });

  test("keeps to the windows of stream and connection, and to the frame size", async () => {
    const size = 500_000;
    const upstream = await frameServer({ onRequest: ({ peer, id }) => peer.send(respond(id)) });
    const exchange = ask(h2cTransport(upstream.port), "/", {
      method: "POST",
      body: [Buffer.alloc(size, "a"), Buffer.alloc(10, "b")],
    });
    await upstream.until(() => upstream.peers[0]?.requests.get(1)?.body.length === 65_535);
    await turns(20);
    const [peer] = upstream.peers;
    expect(peer?.requests.get(1)?.body).toHaveLength(65_535);
    // Of the stream alone, then of both.
    peer?.send(windowUpdate(1, 1_000_000));
    await turns(20);
    expect(peer?.requests.get(1)?.body).toHaveLength(65_535);
    peer?.send(windowUpdate(0, 100));
    await upstream.until(() => peer?.requests.get(1)?.body.length === 65_635);
    peer?.send(windowUpdate(0, 1_000_000));
    expect(await exchange.ended()).toMatchObject({ phase: "complete", drains: 0 });
    expect(peer?.requests.get(1)?.body).toHaveLength(size + 10);
    expect(Math.max(...(peer?.of(frameType.data).map(({ payload }) => payload.length) ?? []))).toBe(16_384);
  });

  test("follows a change of the initial window, also below what has been sent", async () => {
    const upstream = await frameServer({ settings: [4, 1_000], onRequest: ({ peer, id }) => peer.send(respond(id)) });
    const transport = h2cTransport(upstream.port);
    // The settings are known from here on.
    await ask(transport, "/").ended();
    const exchange = ask(transport, "/", { method: "POST", body: Buffer.alloc(5_000) });
    const [peer] = upstream.peers;
    const sent = () => peer?.requests.get(3)?.body.length;
    await upstream.until(() => sent() === 1_000);
    peer?.send(settings(4, 200));
    // 800 below nothing: an update of as much brings nothing, one byte more brings that byte.
    peer?.send(windowUpdate(3, 800));
    await turns(20);
    expect(sent()).toBe(1_000);
    peer?.send(windowUpdate(3, 1));
    await upstream.until(() => sent() === 1_001);
    peer?.send(settings(4, 10_000));
    expect(await exchange.ended()).toMatchObject({ phase: "complete" });
    expect(sent()).toBe(5_000);
  });

  test("is asked for again when there is room, once", async () => {
    const upstream = await frameServer({ onRequest: ({ peer, id }) => peer.send(respond(id)) });
    const exchange = ask(h2cTransport(upstream.port), "/", {
      method: "POST",
      body: Buffer.alloc(70_000),
      bodyLength: 70_005,
    });
    await upstream.until(() => upstream.peers[0]?.requests.get(1)?.body.length === 65_535);
    expect(exchange.drains).toBe(0);
    upstream.peers[0]?.send(windowUpdate(0, 100_000), windowUpdate(1, 100_000));
    await exchange.until(() => exchange.drains > 0);
    expect(exchange.exchange.write(Buffer.from("hello"))).toBe(true);
    exchange.exchange.end();
    expect(await exchange.ended()).toMatchObject({ phase: "complete", drains: 1 });
  });

  test("shares the connection's window with others, a frame at a time", async () => {
    const upstream = await frameServer({
      settings: [4, 1_000_000],
      onRequest: ({ peer, id }) => peer.send(respond(id)),
    });
    const transport = h2cTransport(upstream.port);
    await ask(transport, "/").ended();
    const exchanges = [1, 2, 3].map(() => ask(transport, "/", { method: "POST", body: Buffer.alloc(200_000) }));
    const [peer] = upstream.peers;
    const sent = () => [3, 5, 7].map((id) => peer?.requests.get(id)?.body.length ?? 0);
    await upstream.until(() => sent().reduce((sum, length) => sum + length, 0) === 65_535);
    peer?.send(windowUpdate(0, 300_000));
    await upstream.until(() => sent().reduce((sum, length) => sum + length, 0) === 365_535);
    expect(Math.min(...sent())).toBeGreaterThan(80_000);
    peer?.send(windowUpdate(0, 1_000_000));
    for (const exchange of exchanges) expect(await exchange.ended()).toMatchObject({ phase: "complete" });
  });

  test("that is longer or shorter than announced fails as internal, and its stream is reset", async () => {
    for (const bodyLength of [3, 10]) {
      const upstream = await frameServer({});
      const exchange = ask(h2cTransport(upstream.port), "/", { method: "POST", body: "hello", bodyLength });
      if (bodyLength === 10) {
        await exchange.until(() => exchange.phase === "connected");
        exchange.exchange.end();
      }
      expect((await exchange.ended()).failure).toMatchObject({ code: "internal" });
      await upstream.until(() => upstream.peers[0]?.resetCode(1) === errorCode.internalError);
    }
  });

  test("goes on while the response is coming: both ways at once", async () => {
    const upstream = await frameServer({
      onHeaders: ({ peer, id }) => peer.send(headers(id, ok), data(id, "early ")),
      onRequest: ({ peer, id, body }) => peer.send(data(id, body, true)),
    });
    const exchange = ask(h2cTransport(upstream.port), "/", { method: "POST", body: "he", bodyLength: -1 });
    expect(await exchange.ended()).toMatchObject({ phase: "complete", body: "early he" });
  });

  test("is no longer sent when the response is whole, and the response stands", async () => {
    for (const withReset of [false, true]) {
      const upstream = await frameServer({
        onHeaders: ({ peer, id }) => peer.send(respond(id, "no"), ...(withReset ? [reset(id, errorCode.noError)] : [])),
      });
      const transport = h2cTransport(upstream.port);
      const exchange = ask(transport, "/", { method: "POST", body: Buffer.alloc(100_000), bodyLength: 200_000 });
      expect(await exchange.ended()).toMatchObject({ phase: "complete", body: "no" });
      await upstream.until(() => upstream.peers[0]?.resetCode(1) === errorCode.noError);
      expect(exchange.exchange.write(Buffer.alloc(10))).toBe(true);
      exchange.exchange.end();
      expect(await ask(transport, "/").ended()).toMatchObject({ phase: "complete" });
      expect(upstream.peers).toHaveLength(1);
      expect(upstream.peers[0]?.requests.get(1)?.body.length).toBeLessThanOrEqual(65_535);
    }
  });

  test("that is given up resets its stream with CANCEL, and what still comes for it is ignored", async () => {
    const upstream = await frameServer({
      onHeaders: ({ peer, id }) => id > 1 && peer.send(respond(id, "fine")),
      onFrame: ({ type, streamId }, peer) => {
        if (type === frameType.rstStream)
          peer.send(headers(streamId, ok), data(streamId, "late"), windowUpdate(streamId, 5));
      },
    });
    const transport = h2cTransport(upstream.port);
    const exchange = ask(transport, "/", { method: "POST", body: "he", bodyLength: 10 });
    await upstream.until(() => upstream.peers[0]?.requests.get(1)?.body.length === 2);
    exchange.exchange.abort();
    await upstream.until(() => upstream.peers[0]?.resetCode(1) === errorCode.cancel);
    expect(await ask(transport, "/").ended()).toMatchObject({ phase: "complete", body: "fine" });
    expect(exchange.phase).toBe("connected");
    expect(upstream.peers).toHaveLength(1);
  });
});
