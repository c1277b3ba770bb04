import { describe, expect, test } from "vitest";
import { standstill, turns } from "../support/event-loop.ts";
import { ask, transportTo } from "../support/exchanges.ts";
import { echo, rawUpstream, response } from "../support/raw-upstream.ts";
import { VirtualClock } from "../support/virtual-clock.ts";

const timeouts = { connect: "1s", headers: "2s", idle: "3s" };

/** How late a deadline may be noticed. */
const tickMs = 20;

describe("connecting", () => {
  test("to an upstream without a TLS handshake ends in time", async () => {
    const clock = new VirtualClock();
    const upstream = await rawUpstream({});
    const exchange = ask(transportTo(upstream.port, { runtime: { clock }, timeouts, address: { tls: true } }), "/");
    await upstream.until(() => (upstream.sockets[0]?.bytesRead ?? 0) > 0);
    clock.advance(1_000 - 1);
    await turns(20);
    expect(exchange.over).toBe(false);
    clock.advance(1 + tickMs);
    expect((await exchange.ended()).failure).toMatchObject({ code: "connect_timeout", reused: false, sent: false });
    await upstream.until(() => upstream.open === 0);
  });

  test("includes the TLS handshake", async () => {
    const clock = new VirtualClock();
    const upstream = await rawUpstream({ onConnection: () => clock.advance(900) });
    const exchange = ask(transportTo(upstream.port, { runtime: { clock }, timeouts, address: { tls: true } }), "/");
    await upstream.until(() => (upstream.sockets[0]?.bytesRead ?? 0) > 0);
    clock.advance(100 + tickMs);
    expect((await exchange.ended()).failure?.code).toBe("connect_timeout");
  });
});

describe("response headers", () => {
  test("that do not arrive end the exchange at the deadline", async () => {
    const clock = new VirtualClock();
    const upstream = await rawUpstream({});
    const transport = transportTo(upstream.port, { runtime: { clock }, timeouts });
    for (const [headersTimeoutMs, expected] of [
      [0, 2_000],
      [500, 500],
      [5_000, 2_000],
    ] as const) {
      const exchange = ask(transport, "/", { headersTimeoutMs });
      const before = upstream.requests.length;
      await upstream.until(() => upstream.requests.length > before);
      clock.advance(expected - 1);
      await turns(20);
      expect(exchange.over).toBe(false);
      clock.advance(1 + tickMs);
      expect((await exchange.ended()).failure).toMatchObject({ code: "headers_timeout", reused: false, sent: true });
      await upstream.until(() => upstream.open === 0);
    }
  });

  test("have the same deadline on a used connection", async () => {
    const clock = new VirtualClock();
    const upstream = await rawUpstream({ onRequest: (request) => request.index === 0 && echo(request) });
    const transport = transportTo(upstream.port, { runtime: { clock }, timeouts });
    await ask(transport, "/1").ended();
    clock.advance(1_900);
    const exchange = ask(transport, "/2");
    await upstream.until(() => upstream.requests.length === 2);
    clock.advance(1_999);
    await turns(20);
    expect(exchange.over).toBe(false);
    clock.advance(1 + tickMs);
    expect((await exchange.ended()).failure).toMatchObject({ code: "headers_timeout", sent: true });
    expect(upstream.sockets).toHaveLength(1);
  });

  test.each([
    ["a header", "X: y\r\n"],
    ["a byte of a header", "x"],
  ])("of which %s arrives each second end as well: the deadline is absolute", async (_, drip) => {
    const clock = new VirtualClock();
    const upstream = await rawUpstream({ onRequest: ({ socket }) => socket.write("HTTP/1.1 200 OK\r\n") });
    const exchange = ask(
      transportTo(upstream.port, { runtime: { clock }, timeouts: { ...timeouts, headers: "5s" } }),
      "/",
    );
    await upstream.until(() => upstream.requests.length === 1);
    let seconds = 0;
    while (!exchange.over && seconds < 20) {
      clock.advance(1_000);
      seconds++;
      upstream.sockets[0]?.write(drip);
      await turns(20);
    }
    expect(exchange.failure?.code).toBe("headers_timeout");
    expect(seconds).toBeLessThanOrEqual(6);
  });

  test("behind endless informational responses end as well", async () => {
    const clock = new VirtualClock();
    const upstream = await rawUpstream({});
    const exchange = ask(
      transportTo(upstream.port, { runtime: { clock }, timeouts: { ...timeouts, headers: "5s" } }),
      "/",
    );
    await upstream.until(() => upstream.requests.length === 1);
    for (let seconds = 0; seconds < 6; seconds++) {
      upstream.sockets[0]?.write("HTTP/1.1 102 Processing\r\n\r\n");
      await exchange.until(() => exchange.over || exchange.informations.length > seconds);
      clock.advance(1_000);
    }
    expect((await exchange.ended()).failure?.code).toBe("headers_timeout");
  });

  test("have no deadline while the request body is incomplete: a slow client is no failure of the upstream", async () => {
    const clock = new VirtualClock();
    const upstream = await rawUpstream({ onRequest: echo });
    const transport = transportTo(upstream.port, { runtime: { clock }, timeouts });
    const exchange = ask(transport, "/slow", { method: "PUT", bodyLength: 3 });
    await exchange.until(() => exchange.phase === "connected");
    for (const letter of "abc") {
      clock.advance(60_000);
      await turns(20);
      expect(exchange.over).toBe(false);
      exchange.exchange.write(Buffer.from(letter));
    }
    exchange.exchange.end();
    expect(await exchange.ended()).toMatchObject({ phase: "complete", body: "/slow" });
  });

  test("have their deadline from the end of the request body on", async () => {
    const clock = new VirtualClock();
    const upstream = await rawUpstream({});
    const exchange = ask(transportTo(upstream.port, { runtime: { clock }, timeouts }), "/", {
      method: "PUT",
      bodyLength: -1,
    });
    await exchange.until(() => exchange.phase === "connected");
    clock.advance(60_000);
    exchange.exchange.end();
    clock.advance(1_999);
    await turns(20);
    expect(exchange.over).toBe(false);
    clock.advance(1 + tickMs);
    expect((await exchange.ended()).failure?.code).toBe("headers_timeout");
  });

  test("have their deadline when the upstream does not read the request", async () => {
    const clock = new VirtualClock();
    const upstream = await rawUpstream({ onHead: ({ socket }) => socket.pause() });
    const exchange = ask(transportTo(upstream.port, { runtime: { clock }, timeouts }), "/", {
      method: "PUT",
      bodyLength: 2 ** 40,
    });
    await exchange.until(() => exchange.phase === "connected");
    const piece = Buffer.alloc(1024 * 1024);
    for (let drains = -1; drains !== exchange.drains; ) {
      drains = exchange.drains;
      while (exchange.exchange.write(piece));
      await standstill(() => exchange.drains);
    }
    clock.advance(2_000 + tickMs);
    expect((await exchange.ended()).failure?.code).toBe("headers_timeout");
    upstream.sockets[0]?.resume();
    await upstream.until(() => upstream.open === 0);
  });
});

describe("a response's body", () => {
  const head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n";

  test("has no deadline as long as bytes arrive", async () => {
    const clock = new VirtualClock();
    const upstream = await rawUpstream({ onRequest: ({ socket }) => socket.write(`${head}\r\n`) });
    const exchange = ask(transportTo(upstream.port, { runtime: { clock }, timeouts }), "/");
    await exchange.until(() => exchange.status === 200);
    for (let piece = 1; piece <= 10; piece++) {
      clock.advance(2_900);
      upstream.sockets[0]?.write("1\r\nx\r\n");
      await exchange.until(() => exchange.body.length === piece);
    }
    clock.advance(2_999);
    await turns(20);
    expect(exchange.over).toBe(false);
    clock.advance(1 + tickMs);
    expect((await exchange.ended()).failure?.code).toBe("response_idle_timeout");
    await upstream.until(() => upstream.open === 0);
  });

  test.each(["text/event-stream", "TEXT/Event-Stream; charset=utf-8", "text/event-stream ;x"])(
    "of %s may pause without a limit",
    async (type) => {
      const clock = new VirtualClock();
      const upstream = await rawUpstream({
        onRequest: ({ socket }) => socket.write(`${head}Content-Type: ${type}\r\n\r\n`),
      });
      const exchange = ask(transportTo(upstream.port, { runtime: { clock }, timeouts }), "/");
      await exchange.until(() => exchange.status === 200);
      clock.advance(24 * 3_600_000);
      upstream.sockets[0]?.write("1\r\nx\r\n0\r\n\r\n");
      expect(await exchange.ended()).toMatchObject({ phase: "complete", body: "x" });
    },
  );

  test.each(["text/event-streams", "text/plain; x=text/event-stream", "text/html"])("of %s may not", async (type) => {
    const clock = new VirtualClock();
    const upstream = await rawUpstream({
      onRequest: ({ socket }) => socket.write(`${head}Content-Type: ${type}\r\n\r\n`),
    });
    const exchange = ask(transportTo(upstream.port, { runtime: { clock }, timeouts }), "/");
    await exchange.until(() => exchange.status === 200);
    clock.advance(3_000 + tickMs);
    expect((await exchange.ended()).failure?.code).toBe("response_idle_timeout");
  });

  test("without a limit may pause", async () => {
    const clock = new VirtualClock();
    const upstream = await rawUpstream({ onRequest: ({ socket }) => socket.write(`${head}\r\n`) });
    const exchange = ask(
      transportTo(upstream.port, { runtime: { clock }, timeouts: { ...timeouts, idle: "0s" } }),
      "/",
    );
    await exchange.until(() => exchange.status === 200);
    clock.advance(24 * 3_600_000);
    await turns(20);
    expect(exchange.over).toBe(false);
  });

  test("has no deadline while its reader is paused", async () => {
    const clock = new VirtualClock();
    const upstream = await rawUpstream({ onRequest: ({ socket }) => socket.write(`${head}\r\n1\r\nx\r\n`) });
    const exchange = ask(transportTo(upstream.port, { runtime: { clock }, timeouts }), "/", { onData: () => false });
    await exchange.until(() => exchange.body !== "");
    clock.advance(3_600_000);
    await turns(20);
    expect(exchange.over).toBe(false);
    exchange.exchange.resume();
    clock.advance(2_999);
    await turns(20);
    expect(exchange.over).toBe(false);
    clock.advance(1 + tickMs);
    expect((await exchange.ended()).failure?.code).toBe("response_idle_timeout");
  });
});

test("no timer runs without a connection", async () => {
  const clock = new VirtualClock();
  const upstream = await rawUpstream({
    onRequest: ({ socket }) => socket.end(response("a", { headers: ["Connection: close"] })),
  });
  const transport = transportTo(upstream.port, { runtime: { clock } });
  expect(clock.pending).toBe(0);
  await ask(transport, "/").ended();
  await upstream.until(() => upstream.open === 0);
  clock.advance(100);
  expect(clock.pending).toBe(0);
});
