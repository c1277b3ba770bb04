import { describe, expect, test } from "vitest";
import { standstill } from "../support/event-loop.ts";
import { ask, transportTo } from "../support/exchanges.ts";
import { echo, rawUpstream, response } from "../support/raw-upstream.ts";
import { VirtualClock } from "../support/virtual-clock.ts";

const mebibyte = Buffer.alloc(1024 * 1024, "x");

describe("a request's body", () => {
  test.each([
    ["nothing", [], ""],
    ["one piece", ["hello"], "hello"],
    ["several pieces", ["he", "", "llo"], "hello"],
    ["every byte", [Buffer.from(Array.from({ length: 256 }, (_, byte) => byte))], undefined],
    ["what looks like a request", ["\r\n\r\nGET / HTTP/1.1\r\n\r\n"], undefined],
  ] as const)("of %s is sent by length and in chunks", async (_, body, text) => {
    const upstream = await rawUpstream({ onRequest: ({ socket }) => socket.write(response("ok")) });
    const transport = transportTo(upstream.port);
    for (const options of [{ body }, { body, bodyLength: -1 }]) {
      expect(await ask(transport, "/", { method: "PUT", ...options }).ended()).toMatchObject({ body: "ok" });
    }
    const expected = text ?? body.map((piece) => piece.toString("latin1")).join("");
    expect(upstream.requests.map((request) => request.body.toString("latin1"))).toEqual([expected, expected]);
    expect(upstream.requests.map(({ head }) => /\r\n(Content-Length|Transfer-Encoding): /.exec(head)?.[1])).toEqual([
      "Content-Length",
      "Transfer-Encoding",
    ]);
  });

  test("that is available at once is sent in one packet with the head", async () => {
    const packets: number[] = [];
    const upstream = await rawUpstream({
      onConnection: (socket) => socket.on("data", ({ length }) => packets.push(length)),
      onRequest: echo,
    });
    const transport = transportTo(upstream.port);
    await ask(transport, "/1", { method: "PUT", body: "hello" }).ended();
    await ask(transport, "/2", { method: "PUT", body: ["he", "llo"], bodyLength: -1 }).ended();
    expect(packets).toHaveLength(2);
  });

  test.each([
    ["by length", 1024 * 1024 * 1024],
    ["in chunks", -1],
  ])("%s waits for an upstream that does not read, and continues when it does", async (_, bodyLength) => {
    const upstream = await rawUpstream({ onHead: ({ socket }) => socket.pause() });
    const exchange = ask(transportTo(upstream.port), "/", { method: "PUT", bodyLength });
    await exchange.until(() => exchange.phase === "connected");
    await upstream.until(() => upstream.sockets.length === 1);

    let written = 0;
    const fill = async (): Promise<void> => {
      for (let drains = -1; drains !== exchange.drains; ) {
        drains = exchange.drains;
        do written++;
        while (exchange.exchange.write(mebibyte));
        await standstill(() => exchange.drains);
      }
    };
    await fill();
    // What the kernel holds of it, and one piece.
    expect(written).toBeLessThan(16);
    const drainsBefore = exchange.drains;
    upstream.sockets[0]?.resume();
    await exchange.until(() => exchange.drains > drainsBefore);
    upstream.sockets[0]?.pause();
    await fill();
    expect(written).toBeLessThan(64);
    exchange.exchange.abort();
    upstream.sockets[0]?.resume();
    await upstream.until(() => upstream.open === 0);
  });

  test("that is longer than announced is never sent: it would be the next request", async () => {
    const upstream = await rawUpstream({});
    const transport = transportTo(upstream.port);
    for (const body of [["hello!"], ["hello", "!"], ["he", "llo", "GET / HTTP/1.1\r\nHost: a\r\n\r\n"]]) {
      const exchange = await ask(transport, "/", { method: "PUT", body, bodyLength: 5 }).ended();
      expect(exchange.failure).toMatchObject({ code: "internal" });
    }
    await upstream.until(() => upstream.sockets.length === 3 && upstream.open === 0);
    expect(upstream.requests.map(({ body }) => body.toString()).filter((body) => body !== "hello")).toEqual([]);
  });

  test("that is shorter than announced never looks complete", async () => {
    const upstream = await rawUpstream({});
    const exchange = ask(transportTo(upstream.port), "/", { method: "PUT", body: "hell", bodyLength: 5 });
    await exchange.until(() => exchange.phase === "connected");
    exchange.exchange.end();
    expect((await exchange.ended()).failure).toMatchObject({ code: "internal", sent: true });
    await upstream.until(() => upstream.sockets.length === 1 && upstream.open === 0);
    expect(upstream.requests).toEqual([]);
  });

  test("in chunks that is never ended is never complete upstream", async () => {
    const upstream = await rawUpstream({});
    const exchange = ask(transportTo(upstream.port), "/", { method: "PUT", bodyLength: -1 });
    await exchange.until(() => exchange.phase === "connected");
    exchange.exchange.write(Buffer.from("hello"));
    await upstream.until(() => (upstream.sockets[0]?.bytesRead ?? 0) > 0);
    exchange.exchange.abort();
    await upstream.until(() => upstream.open === 0);
    expect(upstream.requests).toEqual([]);
  });

  test("does not reach the next exchange on the connection", async () => {
    const clock = new VirtualClock();
    const upstream = await rawUpstream({ onRequest: echo });
    const transport = transportTo(upstream.port, { runtime: { clock } });
    const first = await ask(transport, "/1", { method: "PUT", body: "hello" }).ended();
    clock.advance(10);
    const second = ask(transport, "/2", { method: "PUT", bodyLength: 5 });
    await second.until(() => second.phase === "connected");
    expect(first.exchange.write(Buffer.from("stale"))).toBe(true);
    first.exchange.end();
    first.exchange.resume();
    first.exchange.abort();
    second.exchange.write(Buffer.from("right"));
    second.exchange.end();
    expect(await second.ended()).toMatchObject({ phase: "complete", body: "/2" });
    expect(upstream.requests.map(({ body, connection }) => [body.toString(), connection])).toEqual([
      ["hello", 0],
      ["right", 0],
    ]);
  });
});
