/**
 * An upstream that sends surplus bytes, at once, late or out of turn: no request may get the response of another.
 *
 * Time is virtual, so that "late" and "rested" mean what they say on any machine. The sockets are real: what one side has
 * written is waited for on the other before time moves on.
 */

import type { AddressInfo } from "node:net";
import { connect, createServer, type Socket } from "node:net";
import { describe, expect, onTestFinished, test } from "vitest";
import type { Http1Transport } from "../../src/transport/http1/http1-transport.ts";
import { turns } from "../support/event-loop.ts";
import { ask, closed, type Recording, transportTo } from "../support/exchanges.ts";
import { echo, type RawRequest, rawUpstream, response } from "../support/raw-upstream.ts";
import { seededRandom } from "../support/seeded-random.ts";
import { VirtualClock } from "../support/virtual-clock.ts";

const restMs = 5;

describe("a connection with a surplus byte", () => {
  test.each(["x", "\r\n", "\0", response("stolen")])(
    "%j behind the response closes it; the response is complete",
    async (surplus) => {
      const clock = new VirtualClock();
      const upstream = await rawUpstream({ onRequest: ({ socket, path }) => socket.write(response(path) + surplus) });
      const transport = transportTo(upstream.port, { runtime: { clock } });
      for (const path of ["/1", "/2", "/3"]) {
        expect(await ask(transport, path).ended()).toMatchObject({ phase: "complete", body: path });
        await upstream.until(() => upstream.open === 0);
        clock.advance(10);
      }
      expect(upstream.sockets).toHaveLength(3);
    },
  );

  test.each([
    ["a HEAD", "HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"],
    ["a 204", "GET", "HTTP/1.1 204 None\r\nContent-Length: 5\r\n\r\nhello"],
    ["a 304", "GET", "HTTP/1.1 304 Same\r\nContent-Length: 5\r\n\r\nhello"],
    ["a 304 with chunks", "GET", "HTTP/1.1 304 Same\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"],
    ["a length of 0", "GET", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nhello"],
    ["the last chunk", "GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nhello"],
  ])("with a body behind %s is closed, and none of the body is passed on", async (_, method, bytes) => {
    const clock = new VirtualClock();
    const upstream = await rawUpstream({ onRequest: ({ socket }) => socket.write(bytes) });
    const transport = transportTo(upstream.port, { runtime: { clock } });
    expect(await ask(transport, "/1", { method }).ended()).toMatchObject({ phase: "complete", body: "" });
    await upstream.until(() => upstream.open === 0);
  });

  test("while it rests or is idle is closed", async () => {
    for (const afterMs of [0, 1, restMs - 1, restMs, restMs + 1, 1_000]) {
      const clock = new VirtualClock();
      const upstream = await rawUpstream({ onRequest: echo });
      const transport = transportTo(upstream.port, { runtime: { clock } });
      await ask(transport, "/1").ended();
      clock.advance(afterMs);
      upstream.sockets[0]?.write(response("stolen"));
      await upstream.until(() => upstream.open === 0);
      expect(await ask(transport, "/2").ended()).toMatchObject({ body: "/2" });
      expect(upstream.sockets).toHaveLength(2);
    }
  });

  test("that we read late is closed", async () => {
    const clock = new VirtualClock();
    const upstream = await rawUpstream({
      onRequest: ({ socket, path }) => socket.write(response(path) + response("stolen")),
    });
    const transport = transportTo(upstream.port, { runtime: { clock } });
    // The handler takes no more with the last byte of its answer: what comes behind it stays in the buffers.
    const exchange = await ask(transport, "/1", { onData: () => false }).ended();
    clock.advance(10);
    expect(exchange.body).toBe("/1");
    expect(await ask(transport, "/2").ended()).toMatchObject({ body: "/2" });
  });
});

describe("a connection with a claimed request that is not written yet", () => {
  test.each([
    ["a whole answer", (socket: Socket) => socket.write(response("stolen"))],
    ["a byte", (socket: Socket) => socket.write("x")],
    ["a FIN", (socket: Socket) => socket.end()],
    ["a RST", (socket: Socket) => socket.resetAndDestroy()],
    ["a whole answer and a FIN", (socket: Socket) => socket.end(response("stolen"))],
  ])("moves it to another one when %s arrives in the same turn of the event loop", async (_, spoil) => {
    const trigger = await socketPair();
    for (let trial = 0; trial < 20; trial++) {
      const clock = new VirtualClock();
      const upstream = await rawUpstream({ onRequest: echo });
      const transport = transportTo(upstream.port, { runtime: { clock } });
      await ask(transport, "/1").ended();
      clock.advance(restMs);
      const second = new Promise<Recording>((resolve) => {
        trigger.far.once("data", () => resolve(ask(transport, "/2")));
      });
      // Both are there when the loop looks next, and the spoilt connection comes first or second by the trial.
      if (trial % 2 === 0) spoil(upstream.sockets[0] as Socket);
      trigger.near.write("!");
      if (trial % 2 === 1) spoil(upstream.sockets[0] as Socket);
      expect(await (await second).ended()).toMatchObject({ phase: "complete", body: "/2" });
      expect(upstream.requests.map(({ path, connection }) => [path, connection])).toEqual([
        ["/1", 0],
        ["/2", 1],
      ]);
    }
  });

  test("moves it to another one when another connection receives surplus bytes", async () => {
    const clock = new VirtualClock();
    const upstream = await rawUpstream({ onRequest: echo });
    const transport = transportTo(upstream.port, { runtime: { clock } });
    await Promise.all(["/1", "/2"].map((path) => ask(transport, path).ended()));
    clock.advance(restMs);
    const trigger = await socketPair();
    const third = new Promise<Recording>((resolve) => {
      trigger.far.once("data", () => resolve(ask(transport, "/3")));
    });
    for (const socket of upstream.sockets) socket.write(response("stolen"));
    trigger.near.write("!");
    expect(await (await third).ended()).toMatchObject({ phase: "complete", body: "/3" });
    expect(upstream.sockets).toHaveLength(3);
  });
});

describe("an upstream that has sent surplus bytes", () => {
  test("gets one request for each connection for a minute, and more after that", async () => {
    const clock = new VirtualClock();
    let honest = false;
    const upstream = await rawUpstream({
      onRequest: ({ socket, path }) => {
        socket.write(honest ? response(path) : response(path) + response("stolen"));
        honest = true;
      },
    });
    const transport = transportTo(upstream.port, { runtime: { clock } });
    const get = async (path: string) => {
      expect(await ask(transport, path).ended()).toMatchObject({ body: path });
      return upstream.requests.at(-1)?.connection;
    };
    const connections: unknown[] = [await get("/1")];
    for (let seconds = 0; seconds < 59; seconds += 10) {
      clock.advance(9_900);
      connections.push(await get("/in the minute".replaceAll(" ", "-")));
    }
    expect(connections).toEqual([0, 1, 2, 3, 4, 5, 6]);
    await upstream.until(() => upstream.open === 0);
    clock.advance(1_000);
    expect(await get("/trusted")).toBe(7);
    clock.advance(restMs);
    expect(await get("/again")).toBe(7);
  });

  test("has its other idle connections closed at once", async () => {
    const clock = new VirtualClock();
    const upstream = await rawUpstream({ onRequest: echo });
    const transport = transportTo(upstream.port, { runtime: { clock } });
    await Promise.all(["/1", "/2", "/3"].map((path) => ask(transport, path).ended()));
    clock.advance(restMs);
    await ask(transport, "/4").ended();
    expect(upstream.open).toBe(3);
    upstream.sockets[0]?.write("x");
    await upstream.until(() => upstream.open === 0);
  });

  test("finishes its busy connections", async () => {
    const clock = new VirtualClock();
    const upstream = await rawUpstream({ onRequest: (request) => request.path !== "/busy" && echo(request) });
    const transport = transportTo(upstream.port, { runtime: { clock } });
    const busy = ask(transport, "/busy");
    await ask(transport, "/idle").ended();
    await upstream.until(() => upstream.requests.length === 2);
    const [idleAt, busyAt] = ["/idle", "/busy"].map((path) => upstream.requests.find((one) => one.path === path));
    idleAt?.socket.write("x");
    await closed(idleAt?.socket as Socket);
    echo(busyAt as RawRequest);
    expect(await busy.ended()).toMatchObject({ phase: "complete", body: "/busy" });
    await upstream.until(() => upstream.open === 0);
  });
});

type Manner = (request: RawRequest, later: (ms: number, bytes: string) => void, random: () => number) => void;

/** How upstreams go wrong. What they say too much always looks like an answer, and names the request it was made for. */
const manners: Readonly<Record<string, Manner>> = {
  "twice at once": ({ socket, path }) => socket.write(response(path) + response(`surplus ${path}`)),
  "twice in two packets": ({ socket, path }, later) => {
    socket.write(response(path));
    later(0, response(`surplus ${path}`));
  },
  "twice, the second time late": ({ socket, path }, later, random) => {
    socket.write(response(path));
    later(random() * 4, response(`surplus ${path}`));
  },
  "three times, ever later": ({ socket, path }, later) => {
    socket.write(response(path));
    for (const ms of [1, 2]) later(ms, response(`surplus ${path}`));
  },
  "now and then twice": ({ socket, path }, later, random) => {
    socket.write(response(path));
    if (random() < 0.3) later(random() * 4, response(`surplus ${path}`));
  },
  "out of turn": ({ socket, path }, later, random) => {
    socket.write(response(path));
    if (random() < 0.5) later(random() < 0.5 ? 4.5 : 40, response("surplus"));
  },
  "with half an answer too many": ({ socket, path }, later) => {
    socket.write(response(path));
    later(1, "HTTP/1.1 200 OK\r\nContent-Le");
  },
};

describe.each(Object.entries(manners))("an upstream that responds %s", (_, manner) => {
  test.each([
    ["one after the other", 1, undefined],
    ["eight at a time", 8, undefined],
    ["eight at a time over two connections", 8, 2],
  ])("never gets the response of another request, %s, in 60 trials", async (_way, atATime, max) => {
    for (let trial = 0; trial < 60; trial++) await runTrial(manner, trial, { atATime, max });
  });
});

/** Some rounds of tagged requests, with pauses between them in which late bytes arrive. */
async function runTrial(
  manner: Manner,
  seed: number,
  { atATime, max }: { atATime: number; max: number | undefined },
): Promise<void> {
  const random = seededRandom(seed + 1);
  const clock = new VirtualClock();
  const pending: Promise<void>[] = [];
  let inFlight = 0;
  const later = (socket: Socket) => (ms: number, bytes: string) => {
    clock.setTimeout(() => {
      // Surplus bytes on a reused connection cannot be told from a response: see README.md.
      if (!socket.writable || (ms >= restMs && inFlight > 0)) return;
      socket.write(bytes);
      // It has been seen when the connection is gone.
      pending.push(closed(socket));
    }, ms);
  };
  const upstream = await rawUpstream({ onRequest: (request) => manner(request, later(request.socket), random) });
  const transport = transportTo(upstream.port, {
    runtime: { clock },
    ...(max !== undefined && { connections: { max } }),
  });
  for (let round = 0; round < 4; round++) {
    const paths = Array.from({ length: atATime }, (_, index) => `/${seed}/${round}/${index}`);
    const exchanges = paths.map((path) => getInTheEnd(transport, path));
    inFlight = exchanges.length;
    for (const exchange of exchanges) void exchange.finally(() => inFlight--);
    // Those who wait for a connection to have rested need the time to pass.
    while (inFlight > 0) await pass(0.5, clock, pending);
    expect(await Promise.all(exchanges)).toEqual(paths);
    for (let steps = random() * 16; steps > 0; steps--) await pass(0.5, clock, pending);
  }
  transport.destroy();
  await upstream.until(() => upstream.open === 0);
}

async function pass(ms: number, clock: VirtualClock, pending: Promise<void>[]): Promise<void> {
  clock.advance(ms);
  await turns(2);
  await Promise.all(pending.splice(0));
}

/** The body of the answer, as the caller of a transport gets it: a reset of a used connection is tried again on a fresh one. */
async function getInTheEnd(transport: Http1Transport, path: string): Promise<string> {
  const first = await ask(transport, path).ended();
  if (first.failure === undefined) return first.body;
  expect(first.failure).toMatchObject({ code: "reset", reused: true });
  const second = await ask(transport, path, { freshConnection: true }).ended();
  expect(second.failure).toBeUndefined();
  return second.body;
}

/** Two ends of one connection, to make something happen in the turn in which its bytes are read. */
async function socketPair(): Promise<{ near: Socket; far: Socket }> {
  const server = createServer();
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  const accepted = new Promise<Socket>((resolve) => {
    server.once("connection", resolve);
  });
  const near = connect((server.address() as AddressInfo).port, "127.0.0.1");
  const far = await accepted;
  onTestFinished(() => {
    near.destroy();
    far.destroy();
    server.close();
  });
  return { near, far };
}
