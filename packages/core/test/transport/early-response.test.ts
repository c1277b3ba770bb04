import { describe, expect, test } from "vitest";
import { ask, transportTo } from "../support/exchanges.ts";
import { rawUpstream, response } from "../support/raw-upstream.ts";
import { VirtualClock } from "../support/virtual-clock.ts";

const mebibyte = Buffer.alloc(1024 * 1024, "x");

describe("a response before the body was read", () => {
  test("of 413 and a close reaches the caller, and the connection is closed", async () => {
    const upstream = await rawUpstream({
      onHead: ({ socket }) => socket.end(response("no", { status: "413 Too Large", headers: ["Connection: close"] })),
    });
    const transport = transportTo(upstream.port);
    for (let trial = 0; trial < 50; trial++) {
      const exchange = await ask(transport, "/", {
        method: "POST",
        bodyLength: 1_000_000_000,
        body: [mebibyte],
      }).ended();
      expect(exchange).toMatchObject({ phase: "complete", status: 413, body: "no" });
    }
    await upstream.until(() => upstream.open === 0);
    expect(upstream.sockets).toHaveLength(50);
  });

  test.each([
    ["by length", 1_000_000],
    ["in chunks", -1],
  ])("of a 200 that would keep the connection does not: the rest of a body %s is never sent", async (_, bodyLength) => {
    const clock = new VirtualClock();
    const upstream = await rawUpstream({ onHead: ({ socket }) => socket.write(response("ok")) });
    const transport = transportTo(upstream.port, { runtime: { clock } });
    const exchange = await ask(transport, "/", { method: "POST", bodyLength }).ended();
    expect(exchange).toMatchObject({ phase: "complete", status: 200, body: "ok" });
    expect(exchange.exchange.write(mebibyte)).toBe(true);
    exchange.exchange.end();
    await upstream.until(() => upstream.open === 0);
    clock.advance(10);
    await ask(transport, "/", { method: "POST", bodyLength }).ended();
    expect(upstream.sockets).toHaveLength(2);
  });

  test("does not keep the connection while a part of the body is unsent", async () => {
    const clock = new VirtualClock();
    const upstream = await rawUpstream({
      onHead: ({ socket }) => {
        socket.pause();
        socket.write(response("ok"));
      },
    });
    const transport = transportTo(upstream.port, { runtime: { clock } });
    const pieces = new Array<Buffer>(32).fill(mebibyte);
    const exchange = await ask(transport, "/", { method: "PUT", body: pieces }).ended();
    expect(exchange).toMatchObject({ phase: "complete", body: "ok" });
    await upstream.until(() => upstream.sockets.length === 1);
    clock.advance(10);
    await ask(transport, "/").ended();
    expect(upstream.sockets).toHaveLength(2);
  });

  // Node destroys a socket at the first write that fails, and with it the bytes that have arrived: see read-pending.ts.
  test.each([
    ["by length", 2 ** 40],
    ["in chunks", -1],
  ])("and is followed by a RST reaches the caller in 200 of 200 trials, with a body %s", async (_, bodyLength) => {
    const upstream = await rawUpstream({
      onHead: ({ socket }) => {
        socket.write(response("no", { status: "413 Too Large" }));
        socket.resetAndDestroy();
      },
    });
    const transport = transportTo(upstream.port);
    const outcomes: string[] = [];
    for (let trial = 0; trial < 200; trial++) {
      const exchange = ask(transport, "/", { method: "POST", bodyLength });
      await exchange.until(() => exchange.phase !== "waiting");
      const send = () => {
        if (exchange.over) return;
        exchange.exchange.write(mebibyte);
        setImmediate(send);
      };
      send();
      await exchange.ended();
      outcomes.push(exchange.failure?.code ?? `${exchange.status} ${exchange.body}`);
    }
    expect(outcomes).toEqual(new Array(200).fill("413 no"));
    await upstream.until(() => upstream.open === 0);
  });

  test("is read to its end after a RST, when all of it has arrived", async () => {
    // What the window of a new connection takes; the rest would be lost on the way.
    const body = "y".repeat(60_000);
    const upstream = await rawUpstream({
      onHead: ({ socket }) => socket.write(response(body, { status: "413 Too Large" }), () => socket.resetAndDestroy()),
    });
    const transport = transportTo(upstream.port);
    for (let trial = 0; trial < 20; trial++) {
      const exchange = ask(transport, "/", { method: "POST", bodyLength: -1 });
      await exchange.until(() => exchange.phase !== "waiting");
      // All of the answer and the RST are there before anything else is read or written.
      await upstream.until(() => upstream.open === 0);
      exchange.exchange.write(mebibyte);
      await exchange.ended();
      expect([exchange.status, exchange.body.length, exchange.failure]).toEqual([413, body.length, undefined]);
    }
  });

  test("that breaks off is never complete, RST or not", async () => {
    const upstream = await rawUpstream({
      onHead: ({ socket }) => {
        socket.write("HTTP/1.1 413 Too Large\r\nContent-Length: 10\r\n\r\n01234");
        socket.resetAndDestroy();
      },
    });
    const transport = transportTo(upstream.port);
    for (let trial = 0; trial < 50; trial++) {
      const exchange = ask(transport, "/", { method: "POST", bodyLength: -1 });
      await exchange.until(() => exchange.phase !== "waiting");
      const send = () => {
        if (exchange.over) return;
        exchange.exchange.write(mebibyte);
        setImmediate(send);
      };
      send();
      expect((await exchange.ended()).failure?.code).toBe("response_truncated");
    }
  });

  test("that lasts until the end of the connection is not complete with a RST", async () => {
    const upstream = await rawUpstream({
      onHead: ({ socket }) => {
        socket.write("HTTP/1.1 413 Too Large\r\n\r\n01234");
        socket.resetAndDestroy();
      },
    });
    const exchange = ask(transportTo(upstream.port), "/", { method: "POST", bodyLength: -1 });
    await exchange.until(() => exchange.phase !== "waiting");
    const send = () => {
      if (exchange.over) return;
      exchange.exchange.write(mebibyte);
      setImmediate(send);
    };
    send();
    expect((await exchange.ended()).failure?.code).toBe("response_truncated");
  });
});
