import { describe, expect, onTestFinished, test } from "vitest";
import { limits } from "../../../src/config/defaults.ts";
import { errorCode } from "../../../src/http2/protocol.ts";
import { resolveRuntime } from "../../../src/runtime/runtime.ts";
import { Connector } from "../../../src/transport/connector.ts";
import { createTransport } from "../../../src/transport/create-transport.ts";
import { cert, key } from "../../support/certificates.ts";
import { turns } from "../../support/event-loop.ts";
import { ask, plainAddress, transportSettings } from "../../support/exchanges.ts";
import { frameServer, reset, respond } from "../../support/frame-server.ts";
import { alpnTransport, h2cTransport } from "../../support/http2-transports.ts";
import { echo, rawUpstream, response } from "../../support/raw-upstream.ts";
import { VirtualClock } from "../../support/virtual-clock.ts";

const http1 = { cert, key, ALPNProtocols: ["http/1.1"] };
const both = { cert, key, ALPNProtocols: ["h2", "http/1.1"] };

test("HTTP/2 is used over TLS where the settings allow it, and without TLS with prior knowledge only", () => {
  const kindOf = (tls: boolean, http2: boolean | "h2c") => {
    const settings = transportSettings({ connections: { http2 } });
    const transport = createTransport({ ...plainAddress(1), tls }, settings, resolveRuntime(), new Connector());
    onTestFinished(() => transport.destroy());
    return transport.constructor.name;
  };
  expect([false, true, "h2c" as const].map((http2) => kindOf(true, http2))).toEqual([
    "Http1Transport",
    "AlpnTransport",
    "AlpnTransport",
  ]);
  expect([false, true, "h2c" as const].map((http2) => kindOf(false, http2))).toEqual([
    "Http1Transport",
    "Http1Transport",
    "Http2Transport",
  ]);
});

describe("an https upstream that chooses HTTP/2", () => {
  test("gets it, with the scheme https", async () => {
    const upstream = await frameServer({ tls: both, onRequest: ({ peer, id }) => peer.send(respond(id, "fine")) });
    const transport = alpnTransport(upstream.port);
    for (let count = 0; count < 5; count++) {
      expect(await ask(transport, "/", { method: "POST", body: "x" }).ended()).toMatchObject({
        phase: "complete",
        body: "fine",
      });
    }
    expect(upstream.peers).toHaveLength(1);
    expect(upstream.peers[0]?.requests.get(1)?.fields).toContain("https");
  });

  test("and then requires HTTP/1.1 gets that", async () => {
    const upstream = await frameServer({
      tls: both,
      onRequest: ({ peer, id }) => peer.send(reset(id, errorCode.http11Required)),
    });
    const transport = alpnTransport(upstream.port);
    expect((await ask(transport, "/").ended()).failure).toMatchObject({ code: "reset", sent: false, reused: true });
    const again = ask(transport, "/", { freshConnection: true });
    await upstream.until(() => upstream.peers.length === 2);
    await upstream.until(() => upstream.peers[1]?.socket.destroyed === true);
    // It has been asked in HTTP/1.1, of which a server of frames makes nothing.
    expect((await again.ended()).failure?.code).toBe("reset");
    expect(upstream.peers[1]?.requests.size).toBe(0);
  });
});

describe("an https upstream that chooses HTTP/1.1", () => {
  test.each([
    ["by ALPN", http1],
    ["by saying nothing", { cert, key }],
  ])("%s gets it, each request over the connection that was opened for it", async (_, tls) => {
    const upstream = await rawUpstream({ tls, onRequest: echo });
    const transport = alpnTransport(upstream.port);
    const exchanges = Array.from({ length: 20 }, (_, index) =>
      ask(transport, `/${index}`, { method: "PUT", body: "hello" }),
    );
    for (const [index, exchange] of exchanges.entries()) {
      expect(await exchange.ended()).toMatchObject({ phase: "complete", body: `/${index}` });
    }
    expect(upstream.sockets).toHaveLength(20);
    expect(upstream.requests.map(({ body }) => body.toString())).toEqual(Array.from({ length: 20 }, () => "hello"));
    expect(exchanges.every(({ connectMs }) => connectMs !== undefined)).toBe(true);
  });

  test("has its connections reused, after their rest", async () => {
    const clock = new VirtualClock();
    const upstream = await rawUpstream({ tls: http1, onRequest: echo });
    const transport = alpnTransport(upstream.port, { runtime: { clock } });
    for (let count = 0; count < 5; count++) {
      expect(await ask(transport, `/${count}`).ended()).toMatchObject({ phase: "complete", body: `/${count}` });
      clock.advance(10);
    }
    expect(upstream.sockets).toHaveLength(1);
  });

  test("has its stale connections recognised", async () => {
    const clock = new VirtualClock();
    const upstream = await rawUpstream({
      tls: http1,
      onRequest: (request) => (request.index === 0 ? echo(request) : request.socket.destroy()),
    });
    const transport = alpnTransport(upstream.port, { runtime: { clock } });
    await ask(transport, "/1").ended();
    clock.advance(10);
    expect((await ask(transport, "/2").ended()).failure).toMatchObject({ code: "reset", reused: true });
    expect(await ask(transport, "/3", { freshConnection: true }).ended()).toMatchObject({
      phase: "complete",
      body: "/3",
    });
  });

  test("is held to the rules of HTTP/1.1: surplus bytes close the connection", async () => {
    const upstream = await rawUpstream({
      tls: http1,
      onRequest: ({ socket, path }) => socket.write(response(path) + response("poison")),
    });
    const transport = alpnTransport(upstream.port);
    for (let count = 0; count < 5; count++) {
      expect(await ask(transport, `/${count}`).ended()).toMatchObject({ phase: "complete", body: `/${count}` });
    }
    expect(upstream.sockets).toHaveLength(5);
  });

  test("keeps to the limit of connections", async () => {
    const upstream = await rawUpstream({ tls: http1, onRequest: echo });
    const transport = alpnTransport(upstream.port, { connections: { max: 2 } });
    const exchanges = Array.from({ length: 10 }, (_, index) => ask(transport, `/${index}`));
    for (const exchange of exchanges) expect((await exchange.ended()).phase).toBe("complete");
    expect(upstream.sockets.length).toBeLessThanOrEqual(2);
  });

  test("is offered HTTP/2 again when its connections are closed, and at intervals while it is busy", async () => {
    let choice = "http/1.1";
    const clock = new VirtualClock();
    const tls = { cert, key, ALPNCallback: () => choice };
    const upstream = await rawUpstream({ tls, onRequest: echo });
    const transport = alpnTransport(upstream.port, {
      runtime: { clock },
      connections: { keepAlive: "10m", maxAge: "0s" },
    });
    await ask(transport, "/1").ended();
    clock.advance(10);
    choice = "h2";
    await ask(transport, "/2").ended();
    expect(upstream.sockets).toHaveLength(1);
    clock.advance(limits.alpnMemoryMs);
    const third = ask(transport, "/3");
    await upstream.until(() => upstream.sockets.length === 2);
    // The others need not wait for what comes of that.
    expect(await ask(transport, "/4").ended()).toMatchObject({ phase: "complete", body: "/4" });
    // It has been spoken to in HTTP/2, of which a server of HTTP/1.1 makes nothing.
    expect((await third.ended()).failure?.code).toBe("invalid_response");
  });

  test("serves the next request when the one that it was dialled for is aborted", async () => {
    const upstream = await rawUpstream({ tls: http1, onRequest: echo });
    const transport = alpnTransport(upstream.port);
    const exchange = ask(transport, "/1");
    exchange.exchange.abort();
    expect(await ask(transport, "/2").ended()).toMatchObject({ phase: "complete", body: "/2" });
    expect(upstream.requests.map(({ path }) => path)).toEqual(["/2"]);
    expect(upstream.sockets).toHaveLength(1);
  });

  test("passes on abort, pause and the body", async () => {
    const upstream = await rawUpstream({
      tls: http1,
      onHead: ({ socket, path }) => path === "/large" && socket.write(response("x".repeat(300_000))),
    });
    const transport = alpnTransport(upstream.port);
    const large = ask(transport, "/large", { onData: () => false });
    while (!large.over) {
      const { length } = large.bytes;
      await large.until(() => large.over || large.bytes.length > length);
      large.exchange.resume();
    }
    expect(large).toMatchObject({ phase: "complete", bytes: { length: 300_000 } });
    const slow = ask(transport, "/slow", { method: "POST", body: "a", bodyLength: 2 });
    await slow.until(() => slow.phase === "connected");
    slow.exchange.write(Buffer.from("b"));
    slow.exchange.end();
    await upstream.until(() => upstream.requests.some(({ body }) => body.toString() === "ab"));
    slow.exchange.abort();
    await turns(20);
    expect(slow.phase).toBe("connected");
  });
});

describe("failures before a connection is open have reached no upstream", () => {
  test("refused, for all exchanges that wait for it", async () => {
    for (const transport of [alpnTransport(1), h2cTransport(1)]) {
      const exchanges = [1, 2, 3].map(() => ask(transport, "/"));
      for (const exchange of exchanges) {
        expect((await exchange.ended()).failure).toMatchObject({ code: "connect_refused", sent: false, reused: false });
      }
    }
  });

  test("a certificate that cannot be verified, and no TLS at all", async () => {
    const upstream = await frameServer({ tls: both });
    const stranger = alpnTransport(upstream.port, { tls: { ca: "" } });
    expect((await ask(stranger, "/").ended()).failure).toMatchObject({ code: "tls_failed", sent: false });
    const plain = await rawUpstream({
      onConnection: (socket) => socket.end("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
    });
    expect((await ask(alpnTransport(plain.port), "/").ended()).failure).toMatchObject({
      code: "tls_failed",
      sent: false,
    });
    expect(upstream.requests).toBe(0);
  });

  test("a missing client certificate, which TLS 1.3 reports after the handshake", async () => {
    const upstream = await frameServer({ tls: { ...both, ca: cert, requestCert: true, rejectUnauthorized: true } });
    expect((await ask(alpnTransport(upstream.port), "/").ended()).failure?.code).toBe("tls_failed");
    expect(upstream.requests).toBe(0);
  });

  test("a handshake that takes too long", async () => {
    const clock = new VirtualClock();
    const silent = await rawUpstream({});
    const transport = alpnTransport(silent.port, { runtime: { clock }, timeouts: { connect: "1s" } });
    const exchanges = [1, 2].map(() => ask(transport, "/"));
    await silent.until(() => silent.open === 1);
    for (let count = 0; count < 60; count++) clock.advance(20);
    for (const exchange of exchanges) {
      expect((await exchange.ended()).failure).toMatchObject({ code: "connect_timeout", sent: false });
    }
    await silent.until(() => silent.open === 0);
    expect(silent.sockets).toHaveLength(1);
  });

  test("an upstream over http that speaks HTTP/1.1 is a violation", async () => {
    const upstream = await rawUpstream({ onConnection: (socket) => socket.write("HTTP/1.1 400 Bad Request\r\n\r\n") });
    expect((await ask(h2cTransport(upstream.port), "/").ended()).failure).toMatchObject({
      code: "invalid_response",
      sent: true,
    });
  });

  test("an exchange that is aborted after its failure, before it was reported, gets no report", async () => {
    const exchange = ask(h2cTransport(1), "/\r\n");
    exchange.exchange.abort();
    await turns(20);
    expect(exchange.phase).toBe("waiting");
  });
});
