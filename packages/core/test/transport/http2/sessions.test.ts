import { describe, expect, test } from "vitest";
import { limits } from "../../../src/config/defaults.ts";
import { errorCode, frameType } from "../../../src/http2/protocol.ts";
import { turns } from "../../support/event-loop.ts";
import { ask, type Recording } from "../../support/exchanges.ts";
import {
  data,
  type FrameRequest,
  frame,
  frameServer,
  goaway,
  headers,
  respond,
  settings,
} from "../../support/frame-server.ts";
import { h2cTransport } from "../../support/http2-transports.ts";
import { VirtualClock } from "../../support/virtual-clock.ts";

const ok = [[":status", "200"]] as const;

/** Lets a virtual clock go on in the steps of the ticker, for its timers to be on time. */
async function advance(clock: VirtualClock, ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += 20) clock.advance(20);
  await turns(10);
}

const minutes = (count: number) => count * 60_000;

function connected(exchange: Recording): Promise<Recording> {
  return exchange.until(() => exchange.phase !== "waiting");
}

describe("requests share connections", () => {
  test("fifty at once use one, and so do fifty more", async () => {
    const waiting: FrameRequest[] = [];
    const upstream = await frameServer({ onRequest: (request) => void waiting.push(request) });
    const transport = h2cTransport(upstream.port);
    for (let round = 1; round <= 2; round++) {
      const exchanges = Array.from({ length: 50 }, (_, index) => ask(transport, `/${index}`));
      await upstream.until(() => waiting.length === 50);
      for (const { peer, id } of waiting.splice(0)) peer.send(respond(id, "fine"));
      for (const exchange of exchanges)
        expect(await exchange.ended()).toMatchObject({ phase: "complete", body: "fine" });
      expect(exchanges.filter(({ connectMs }) => connectMs !== undefined)).toHaveLength(round === 1 ? 1 : 0);
    }
    expect(upstream.peers).toHaveLength(1);
    expect([...(upstream.peers[0]?.requests.keys() ?? [])]).toEqual(
      Array.from({ length: 100 }, (_, index) => index * 2 + 1),
    );
  });

  test("as many at a time as the upstream allows; others use another connection", async () => {
    let most = 0;
    const upstream = await frameServer({
      settings: [3, 5],
      onHeaders: ({ peer }) => {
        most = Math.max(most, [...peer.requests.values()].filter(({ fields }) => fields.includes("/held")).length);
      },
    });
    const transport = h2cTransport(upstream.port);
    const exchanges = Array.from({ length: 12 }, () => ask(transport, "/held"));
    await upstream.until(() => upstream.requests === 12);
    expect(upstream.peers.map(({ requests }) => requests.size).sort()).toEqual([2, 5, 5]);
    expect(most).toBe(5);
    for (const { requests } of upstream.peers) for (const { peer, id } of requests.values()) peer.send(respond(id));
    for (const exchange of exchanges) expect((await exchange.ended()).phase).toBe("complete");
  });

  test("with a limit of connections the others wait, in order", async () => {
    const order: string[] = [];
    const upstream = await frameServer({
      settings: [3, 2],
      onRequest: ({ peer, id, fields }) => {
        order.push(fields[fields.indexOf(":path") + 1] as string);
        setImmediate(() => peer.send(respond(id)));
      },
    });
    const transport = h2cTransport(upstream.port, { connections: { max: 1 } });
    const exchanges = Array.from({ length: 20 }, (_, index) => ask(transport, `/${index}`));
    for (const exchange of exchanges) expect((await exchange.ended()).phase).toBe("complete");
    expect(order).toEqual(Array.from({ length: 20 }, (_, index) => `/${index}`));
    expect(upstream.peers).toHaveLength(1);
  });

  test("a limit of streams that is lowered and raised is obeyed from then on", async () => {
    const upstream = await frameServer({ settings: [3, 3] });
    const transport = h2cTransport(upstream.port, { connections: { max: 1 } });
    const exchanges = Array.from({ length: 8 }, () => ask(transport, "/"));
    const [, peer] = [await upstream.until(() => upstream.requests === 3), upstream.peers[0]];
    peer?.send(settings(3, 1), respond(1), respond(3));
    await exchanges[1]?.ended();
    await turns(20);
    expect(upstream.requests).toBe(3);
    peer?.send(settings(3, 6));
    await upstream.until(() => upstream.requests === 8);
    for (const { id } of peer?.requests.values() ?? []) if (id > 3) peer?.send(respond(id));
    for (const exchange of exchanges) expect((await exchange.ended()).phase).toBe("complete");
  });

  test("one at a time before the upstream's settings are known", async () => {
    const upstream = await frameServer({ settings: false });
    const transport = h2cTransport(upstream.port);
    const exchanges = [1, 2, 3].map(() => ask(transport, "/"));
    await upstream.until(() => upstream.requests === 1);
    await turns(20);
    expect(upstream.requests).toBe(1);
    expect(upstream.peers).toHaveLength(1);
    upstream.peers[0]?.send(settings());
    await upstream.until(() => upstream.requests === 3);
    for (const id of [1, 3, 5]) upstream.peers[0]?.send(respond(id));
    for (const exchange of exchanges) expect((await exchange.ended()).phase).toBe("complete");
  });

  test("an upstream that allows no stream gets no further connections", async () => {
    const clock = new VirtualClock();
    const upstream = await frameServer({ settings: [3, 0], onRequest: ({ peer, id }) => peer.send(respond(id)) });
    const transport = h2cTransport(upstream.port, { runtime: { clock }, timeouts: { connect: "1s" } });
    // Sent before the settings came.
    await ask(transport, "/").ended();
    const late = ask(transport, "/");
    await turns(30);
    await advance(clock, 1_100);
    expect((await late.ended()).failure).toMatchObject({ code: "connect_timeout", sent: false });
    expect(upstream.peers.length).toBeLessThanOrEqual(2);
  });

  test("at most our own limit, whatever the upstream allows", async () => {
    const upstream = await frameServer({ onRequest: ({ peer, id }) => id === 1 && peer.send(respond(id)) });
    const transport = h2cTransport(upstream.port);
    await ask(transport, "/").ended();
    const exchanges = Array.from({ length: limits.http2ConcurrentStreams + 1 }, () => ask(transport, "/"));
    await upstream.until(() => upstream.requests === exchanges.length + 1);
    expect(upstream.peers.map(({ requests }) => requests.size)).toEqual([limits.http2ConcurrentStreams + 1, 1]);
    for (const { exchange } of exchanges) exchange.abort();
  });

  test("one that is aborted while it waits uses no stream", async () => {
    const upstream = await frameServer({ onRequest: ({ peer, id }) => peer.send(respond(id)) });
    const transport = h2cTransport(upstream.port);
    const exchanges = [1, 2, 3].map(() => ask(transport, "/"));
    exchanges[0]?.exchange.abort();
    exchanges[1]?.exchange.abort();
    expect((await exchanges[2]?.ended())?.phase).toBe("complete");
    expect(upstream.requests).toBe(1);
  });
});

describe("a graceful end", () => {
  test("of a connection finishes the requests in flight, and the next request gets another one at once", async () => {
    const upstream = await frameServer({
      onRequest: ({ peer, id }) =>
        peer.send(
          ...(peer === upstream.peers[0] ? [headers(id, ok), data(id, "half "), goaway(id)] : [respond(id, "other")]),
        ),
    });
    const transport = h2cTransport(upstream.port, { connections: { max: 1 } });
    const first = ask(transport, "/1");
    await first.until(() => first.body === "half ");
    await turns(5);
    expect(await ask(transport, "/2").ended()).toMatchObject({ phase: "complete", body: "other" });
    upstream.peers[0]?.send(data(1, "whole", true));
    expect(await first.ended()).toMatchObject({ phase: "complete", body: "half whole" });
    await upstream.until(() => upstream.peers[0]?.ended === true);
    expect(upstream.peers).toHaveLength(2);
  });

  test("loses no request of any method: those above the last stream were not processed", async () => {
    const upstream = await frameServer({
      onRequest: ({ peer }) => {
        const [first = 0] = peer.requests.keys();
        if (peer.requests.size === 3) peer.send(respond(first, "fine"), goaway(first));
      },
    });
    const transport = h2cTransport(upstream.port);
    for (let round = 1; round <= 10; round++) {
      const exchanges = [1, 2, 3].map(() => ask(transport, "/", { method: "POST", body: "x" }));
      const ends = await Promise.all(exchanges.map((exchange) => exchange.ended()));
      expect(ends.map(({ phase }) => phase)).toEqual(["complete", "failed", "failed"]);
      for (const { failure } of ends.slice(1))
        expect(failure).toMatchObject({ code: "reset", sent: false, reused: true });
      expect(upstream.peers).toHaveLength(round);
    }
  });

  test("with the code HTTP_1_1_REQUIRED is a refusal", async () => {
    const upstream = await frameServer({ onRequest: ({ peer }) => peer.send(goaway(0, errorCode.http11Required)) });
    expect((await ask(h2cTransport(upstream.port), "/").ended()).failure).toMatchObject({ code: "reset", sent: false });
  });

  test("by close() closes idle connections at once, and others after the requests in flight", async () => {
    const upstream = await frameServer({});
    const transport = h2cTransport(upstream.port);
    const exchange = ask(transport, "/");
    await upstream.until(() => upstream.requests === 1);
    transport.close();
    expect((await ask(transport, "/").ended()).failure).toMatchObject({ code: "closed", sent: false });
    upstream.peers[0]?.send(respond(1, "fine"));
    expect(await exchange.ended()).toMatchObject({ phase: "complete", body: "fine" });
    await upstream.until(() => upstream.peers[0]?.ended === true);
    expect(upstream.peers[0]?.goawayCode).toBe(errorCode.noError);
  });

  test("by close() while a connection is being opened still serves the exchanges that wait for it", async () => {
    const upstream = await frameServer({ onRequest: ({ peer, id }) => peer.send(respond(id, "fine")) });
    const transport = h2cTransport(upstream.port);
    const exchanges = [1, 2].map(() => ask(transport, "/"));
    transport.close();
    for (const exchange of exchanges) expect(await exchange.ended()).toMatchObject({ phase: "complete" });
    await upstream.until(() => upstream.peers[0]?.ended === true);
  });

  test("by destroy() fails exchanges in flight and waiting ones", async () => {
    const upstream = await frameServer({ settings: [3, 1] });
    const transport = h2cTransport(upstream.port, { connections: { max: 1 } });
    const exchanges = [1, 2].map(() => ask(transport, "/"));
    await upstream.until(() => upstream.requests === 1);
    transport.destroy();
    expect((await exchanges[0]?.ended())?.failure).toMatchObject({ code: "reset", sent: true });
    expect((await exchanges[1]?.ended())?.failure).toMatchObject({ code: "closed", sent: false });
    await upstream.until(() => upstream.peers[0]?.ended === true || upstream.peers[0]?.socket.destroyed === true);
  });
});

describe("time", () => {
  test("an idle connection is kept for keepAlive, and then closed with GOAWAY", async () => {
    const clock = new VirtualClock();
    const upstream = await frameServer({ onRequest: ({ peer, id }) => peer.send(respond(id)) });
    const transport = h2cTransport(upstream.port, { runtime: { clock }, connections: { keepAlive: "2s" } });
    await ask(transport, "/").ended();
    await advance(clock, 1_900);
    await ask(transport, "/").ended();
    await advance(clock, 1_900);
    expect(upstream.peers[0]?.goawayCode).toBeUndefined();
    await advance(clock, 200);
    await upstream.until(() => upstream.peers[0]?.ended === true);
    expect(upstream.peers[0]?.goawayCode).toBe(errorCode.noError);
    expect(upstream.peers).toHaveLength(1);
  });

  test("a head that does not arrive in time is a timeout: the stream is reset, and a PING is sent", async () => {
    const clock = new VirtualClock();
    const upstream = await frameServer({
      onRequest: ({ peer, id, fields }) => fields.includes("/late") || peer.send(respond(id)),
    });
    const transport = h2cTransport(upstream.port, { runtime: { clock }, timeouts: { headers: "1s" } });
    await ask(transport, "/").ended();
    const late = ask(transport, "/late");
    const own = ask(transport, "/late", { headersTimeoutMs: 300 });
    await upstream.until(() => upstream.requests === 3);
    await advance(clock, 400);
    expect((await own.ended()).failure).toMatchObject({ code: "headers_timeout", sent: true });
    await upstream.until(() => upstream.peers[0]?.of(frameType.ping).length === 1);
    expect(upstream.peers[0]?.resetCode(5)).toBe(errorCode.cancel);
    // Nothing new goes there before the answer.
    expect((await ask(transport, "/other").ended()).phase).toBe("complete");
    expect(upstream.peers).toHaveLength(2);
    upstream.peers[0]?.send(frame(frameType.ping, 1, 0, upstream.peers[0].of(frameType.ping)[0]?.payload));
    await turns(20);
    expect((await ask(transport, "/again").ended()).phase).toBe("complete");
    expect(upstream.peers[0]?.requests.size).toBe(4);
    await advance(clock, 700);
    expect((await late.ended()).failure).toMatchObject({ code: "headers_timeout" });
  });

  test("an upstream that does not answer the PING loses the connection and all of its streams", async () => {
    const clock = new VirtualClock();
    const upstream = await frameServer({});
    const transport = h2cTransport(upstream.port, { runtime: { clock }, timeouts: { headers: "10s", idle: "10s" } });
    const first = ask(transport, "/", { headersTimeoutMs: 100 });
    await connected(first);
    const other = ask(transport, "/");
    await upstream.until(() => upstream.requests === 2);
    await advance(clock, 200);
    expect((await first.ended()).failure?.code).toBe("headers_timeout");
    await advance(clock, 5_100);
    expect((await other.ended()).failure).toMatchObject({ code: "reset", sent: true });
    await upstream.until(() => upstream.peers[0]?.ended === true || upstream.peers[0]?.socket.destroyed === true);
  });

  test("after minutes of silence with a request in flight a PING is sent, and only then", async () => {
    const clock = new VirtualClock();
    const upstream = await frameServer({
      onRequest: ({ peer, id }) => peer.send(headers(id, [...ok, ["content-type", "text/event-stream"]])),
      onFrame: ({ type, flags, payload }, peer) => {
        if (type === frameType.ping && flags === 0) peer.send(frame(frameType.ping, 1, 0, payload));
      },
    });
    const exchange = ask(h2cTransport(upstream.port, { runtime: { clock } }), "/");
    await exchange.until(() => exchange.status === 200);
    await advance(clock, minutes(6) - 1_000);
    expect(upstream.peers[0]?.of(frameType.ping)).toHaveLength(0);
    await advance(clock, 2_000);
    await upstream.until(() => upstream.peers[0]?.of(frameType.ping).length === 1);
    await advance(clock, 6_000);
    expect(exchange.phase).toBe("responding");
  });

  test("the silence before a PING, and after it, is what the options say; none is sent on an idle connection", async () => {
    const clock = new VirtualClock();
    const upstream = await frameServer({
      onRequest: ({ peer, id, fields }) => fields.includes("/mute") || peer.send(respond(id, "fine")),
    });
    const connections = { pingInterval: "30s", pingTimeout: "10s", keepAlive: "10m" };
    const transport = h2cTransport(upstream.port, { runtime: { clock }, connections, timeouts: { headers: "1h" } });
    expect(await ask(transport, "/").ended()).toMatchObject({ body: "fine" });
    await advance(clock, minutes(2));
    const mute = ask(transport, "/mute");
    await upstream.until(() => upstream.requests === 2);
    // The connection was silent while it was idle: the upstream has the timeout to respond.
    await advance(clock, 9_000);
    expect(upstream.peers[0]?.of(frameType.ping)).toHaveLength(0);
    await advance(clock, 2_000);
    await upstream.until(() => upstream.peers[0]?.of(frameType.ping).length === 1);
    await advance(clock, 8_000);
    expect(mute.phase).toBe("connected");
    await advance(clock, 2_000);
    expect(await mute.ended()).toMatchObject({ failure: { code: "reset" } });
  });

  test("requests that begin meanwhile do not delay the PING", async () => {
    const clock = new VirtualClock();
    const upstream = await frameServer({});
    const connections = { pingInterval: "30s", pingTimeout: "1m" };
    const transport = h2cTransport(upstream.port, { runtime: { clock }, connections, timeouts: { headers: "1h" } });
    // Until 45 seconds have passed, a request begins every 9 seconds.
    for (let count = 1; count <= 5; count++) {
      ask(transport, "/mute");
      await upstream.until(() => upstream.requests === count);
      await advance(clock, 9_000);
    }
    await upstream.until(() => upstream.peers[0]?.of(frameType.ping).length === 1);
  });

  test("without an interval no PING is sent for silence", async () => {
    const clock = new VirtualClock();
    const upstream = await frameServer({ onRequest: ({ peer, id }) => peer.send(headers(id, ok)) });
    const options = { runtime: { clock }, connections: { pingInterval: "0s" }, timeouts: { idle: "0s" } } as const;
    const exchange = ask(h2cTransport(upstream.port, options), "/");
    await exchange.until(() => exchange.status === 200);
    await advance(clock, minutes(10));
    expect(upstream.peers[0]?.of(frameType.ping)).toHaveLength(0);
    expect(exchange.phase).toBe("responding");
  });

  test("a body that pauses for too long is a timeout, except event streams and gRPC, and not while its reader is paused", async () => {
    for (const [type, take, over] of [
      ["text/plain", true, true],
      ["text/event-stream", true, false],
      ["application/grpc+proto", true, false],
      ["text/plain", false, false],
    ] as const) {
      const clock = new VirtualClock();
      const upstream = await frameServer({
        onRequest: ({ peer, id }) => peer.send(headers(id, [...ok, ["content-type", type]]), data(id, "x")),
      });
      const exchange = ask(h2cTransport(upstream.port, { runtime: { clock }, timeouts: { idle: "2s" } }), "/", {
        onData: () => take,
      });
      await exchange.until(() => exchange.body === "x" && exchange.flushes > 0);
      await advance(clock, 1_900);
      expect(exchange.failure).toBeUndefined();
      await advance(clock, 300);
      expect(exchange.failure?.code).toBe(over ? "response_idle_timeout" : undefined);
    }
  });

  test("a client that is slow to send its body is no failure of the upstream", async () => {
    const clock = new VirtualClock();
    const upstream = await frameServer({});
    const transport = h2cTransport(upstream.port, { runtime: { clock }, timeouts: { headers: "1s" } });
    const exchange = ask(transport, "/", { method: "POST", body: "x", bodyLength: 5 });
    await upstream.until(() => upstream.peers[0]?.requests.get(1)?.body.length === 1);
    await advance(clock, 5_000);
    expect(exchange.phase).toBe("connected");
    exchange.exchange.write(Buffer.from("yyyy"));
    exchange.exchange.end();
    await advance(clock, 1_100);
    expect(exchange.failure?.code).toBe("headers_timeout");
  });

  test("an upstream that gives no window for the body fails", async () => {
    const clock = new VirtualClock();
    const upstream = await frameServer({});
    const transport = h2cTransport(upstream.port, { runtime: { clock }, timeouts: { headers: "1s" } });
    const exchange = ask(transport, "/", { method: "POST", body: Buffer.alloc(100_000) });
    await upstream.until(() => upstream.peers[0]?.requests.get(1)?.body.length === 65_535);
    await advance(clock, 1_100);
    expect(exchange.failure?.code).toBe("headers_timeout");
  });
});

describe("a connection is replaced", () => {
  test("when it has carried maxRequests, also at once", async () => {
    const upstream = await frameServer({ onRequest: ({ peer, id }) => setImmediate(() => peer.send(respond(id))) });
    const transport = h2cTransport(upstream.port, { connections: { maxRequests: 3 } });
    for (let count = 0; count < 4; count++) expect((await ask(transport, "/").ended()).phase).toBe("complete");
    const exchanges = Array.from({ length: 8 }, () => ask(transport, "/"));
    for (const exchange of exchanges) expect((await exchange.ended()).phase).toBe("complete");
    expect(upstream.peers.map(({ requests }) => requests.size)).toEqual([3, 3, 3, 3]);
    await upstream.until(() => upstream.peers[0]?.ended === true);
    expect(upstream.peers[0]?.goawayCode).toBe(errorCode.noError);
  });

  test("when it is older than maxAge, and requests in flight continue", async () => {
    const clock = new VirtualClock();
    const upstream = await frameServer({
      onRequest: ({ peer, id, fields }) => fields.includes("/long") || peer.send(respond(id, "fine")),
    });
    const runtime = { clock, random: () => 0 };
    const transport = h2cTransport(upstream.port, { runtime, connections: { maxAge: "10s" } });
    const long = ask(transport, "/long");
    await upstream.until(() => upstream.requests === 1);
    await advance(clock, 9_000);
    await ask(transport, "/").ended();
    expect(upstream.peers).toHaveLength(1);
    await advance(clock, 1_100);
    expect(await ask(transport, "/").ended()).toMatchObject({ phase: "complete" });
    expect(upstream.peers.map(({ requests }) => requests.size)).toEqual([2, 1]);
    upstream.peers[0]?.send(respond(1, "done"));
    expect(upstream.peers[0]?.of(frameType.goaway)).toEqual([]);
    expect(await long.ended()).toMatchObject({ phase: "complete", body: "done" });
    await upstream.until(() => upstream.peers[0]?.ended === true);
    expect(upstream.peers[0]?.goawayCode).toBe(errorCode.noError);
  });
});

describe("clients that abort", () => {
  test("at once, one after another, do not make us flood the upstream with resets: other connections are used", async () => {
    const upstream = await frameServer({});
    const transport = h2cTransport(upstream.port);
    for (let count = 0; count < 350; count++) {
      const exchange = ask(transport, "/");
      await upstream.until(() => upstream.requests === count + 1);
      exchange.exchange.abort();
    }
    await upstream.until(
      () => upstream.peers.reduce((sum, peer) => sum + peer.of(frameType.rstStream).length, 0) === 350,
    );
    const resets = upstream.peers.map((peer) => peer.of(frameType.rstStream).length);
    expect(Math.max(...resets)).toBeLessThanOrEqual(limits.http2ResetStreams + 60);
    expect(upstream.peers.length).toBeGreaterThan(1);
    await upstream.until(() => upstream.peers[0]?.ended === true);
    expect(upstream.peers[0]?.goawayCode).toBe(errorCode.noError);
  });
});
