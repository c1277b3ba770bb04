import { describe, expect, test } from "vitest";
import { turns } from "../support/event-loop.ts";
import { ask, type Recording, transportTo } from "../support/exchanges.ts";
import { echo, type RawRequest, rawUpstream, response } from "../support/raw-upstream.ts";
import { VirtualClock } from "../support/virtual-clock.ts";

function ended(exchanges: readonly Recording[]): Promise<Recording[]> {
  return Promise.all(exchanges.map((exchange) => exchange.ended()));
}

describe("idle connections", () => {
  test("rest for five milliseconds, and are reused after that", async () => {
    const clock = new VirtualClock();
    const upstream = await rawUpstream({ onRequest: echo });
    const transport = transportTo(upstream.port, { runtime: { clock } });
    await ask(transport, "/1").ended();
    clock.advance(4.9);
    await ask(transport, "/2").ended();
    expect(upstream.sockets).toHaveLength(2);
    clock.advance(0.1);
    await ask(transport, "/3").ended();
    expect(upstream.requests.map(({ connection }) => connection)).toEqual([0, 1, 0]);
  });

  test("are used last in, first out", async () => {
    const clock = new VirtualClock();
    const upstream = await rawUpstream({});
    const transport = transportTo(upstream.port, { runtime: { clock } });
    const exchanges = ["/0", "/1", "/2"].map((path) => ask(transport, path));
    await upstream.until(() => upstream.requests.length === 3);
    for (const path of ["/1", "/0", "/2"]) {
      const request = upstream.requests.find((one) => one.path === path);
      echo(request as RawRequest);
      await exchanges[Number(path.slice(1))]?.ended();
      clock.advance(1);
    }
    clock.advance(10);
    for (const path of ["/3", "/4", "/5"]) ask(transport, path);
    await upstream.until(() => upstream.requests.length === 6);
    const connectionOf = (path: string) => upstream.requests.find((one) => one.path === path)?.connection;
    expect(["/3", "/4", "/5"].map(connectionOf)).toEqual(["/2", "/0", "/1"].map(connectionOf));
  });

  test("are closed after the idle timeout", async () => {
    const clock = new VirtualClock();
    const upstream = await rawUpstream({ onRequest: echo });
    const transport = transportTo(upstream.port, { runtime: { clock }, connections: { keepAlive: "4s" } });
    await ask(transport, "/1").ended();
    clock.advance(3_990);
    await ask(transport, "/2").ended();
    clock.advance(3_990);
    await turns(20);
    expect(upstream.open).toBe(1);
    clock.advance(30);
    await upstream.until(() => upstream.open === 0);
    await ask(transport, "/3").ended();
    expect(upstream.requests.map(({ connection }) => connection)).toEqual([0, 0, 1]);
  });

  test.each([
    ["timeout=3", 2_000],
    ["timeout=60", 4_000],
    ["max=5, timeout=2", 1_000],
  ])("are closed a second before the timeout of the upstream's Keep-Alive: %s", async (hint, expected) => {
    const clock = new VirtualClock();
    const upstream = await rawUpstream({
      onRequest: ({ socket }) => socket.write(response("a", { headers: [`Keep-Alive: ${hint}`] })),
    });
    const transport = transportTo(upstream.port, { runtime: { clock } });
    await ask(transport, "/1").ended();
    clock.advance(expected - 1);
    await turns(20);
    expect(upstream.open).toBe(1);
    clock.advance(30);
    await upstream.until(() => upstream.open === 0);
  });

  test.each(["timeout=1", "timeout=0"])("are not kept for an upstream that sends Keep-Alive: %s", async (hint) => {
    const upstream = await rawUpstream({
      onRequest: ({ socket }) => socket.write(response("a", { headers: [`Keep-Alive: ${hint}`] })),
    });
    await ask(transportTo(upstream.port), "/1").ended();
    await upstream.until(() => upstream.open === 0);
  });

  test("close when the upstream closes, and no exchange fails", async () => {
    const clock = new VirtualClock();
    const upstream = await rawUpstream({ onRequest: echo });
    const transport = transportTo(upstream.port, { runtime: { clock } });
    for (const end of ["end", "resetAndDestroy"] as const) {
      await ask(transport, "/1").ended();
      upstream.sockets.at(-1)?.[end]();
      await upstream.until(() => upstream.open === 0);
      await turns(20);
      clock.advance(10);
      expect(await ask(transport, "/2").ended()).toMatchObject({ body: "/2" });
      await turns(20);
      clock.advance(10_000);
      await upstream.until(() => upstream.open === 0);
    }
  });

  test.each([
    ["HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: close\r\n\r\na", false],
    ["HTTP/1.1 200 OK\r\n\r\na", false],
    ["HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\na", false],
    ["HTTP/1.0 200 OK\r\n\r\na", false],
    ["HTTP/1.0 200 OK\r\nContent-Length: 1\r\nConnection: keep-alive\r\n\r\na", true],
    ["HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na", true],
    ["HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX: y\r\n\r\n", true],
  ])("are kept after %j: %s", async (bytes, kept) => {
    const clock = new VirtualClock();
    const upstream = await rawUpstream({
      onRequest: ({ socket }) => {
        socket.write(bytes);
        if (!/length|chunked/i.test(bytes)) socket.end();
      },
    });
    const transport = transportTo(upstream.port, { runtime: { clock } });
    expect(await ask(transport, "/1").ended()).toMatchObject({ phase: "complete", body: "a" });
    if (!kept) await upstream.until(() => upstream.open === 0);
    clock.advance(10);
    expect(await ask(transport, "/2").ended()).toMatchObject({ phase: "complete", body: "a" });
    expect(upstream.requests.map(({ connection }) => connection)).toEqual(kept ? [0, 0] : [0, 1]);
  });
});

describe("closing", () => {
  test("finishes busy connections and closes idle ones", async () => {
    const clock = new VirtualClock();
    const upstream = await rawUpstream({ onRequest: (request) => request.path === "/idle" && echo(request) });
    const transport = transportTo(upstream.port, { runtime: { clock } });
    const busy = ask(transport, "/busy");
    await ask(transport, "/idle").ended();
    clock.advance(10);
    transport.close();
    await upstream.until(() => upstream.open === 1);
    echo(upstream.requests.find(({ path }) => path === "/busy") as RawRequest);
    expect(await busy.ended()).toMatchObject({ phase: "complete", body: "/busy" });
    await upstream.until(() => upstream.open === 0);
  });

  test("serves exchanges that wait already", async () => {
    const upstream = await rawUpstream({ onRequest: echo });
    const transport = transportTo(upstream.port, { connections: { max: 1 } });
    const exchanges = ["/1", "/2", "/3"].map((path) => ask(transport, path));
    transport.close();
    expect((await ended(exchanges)).map(({ body }) => body)).toEqual(["/1", "/2", "/3"]);
    await upstream.until(() => upstream.open === 0);
  });

  test("accepts no new exchange", async () => {
    const upstream = await rawUpstream({ onRequest: echo });
    const transport = transportTo(upstream.port);
    transport.close();
    expect((await ask(transport, "/").ended()).failure).toMatchObject({ code: "closed", reused: false, sent: false });
    expect(upstream.sockets).toEqual([]);
  });
});

test("destroying fails all exchanges at once: waiting, connecting, claimed, busy and in the body", async () => {
  const clock = new VirtualClock();
  const upstream = await rawUpstream({
    onRequest: ({ socket, path }) => {
      if (path === "/first") socket.write(response("a"));
      if (path === "/body") socket.write("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello");
    },
  });
  const transport = transportTo(upstream.port, { runtime: { clock }, connections: { max: 4 } });
  await ask(transport, "/first").ended();
  clock.advance(10);
  const body = ask(transport, "/body");
  await body.until(() => body.body !== "");
  const busy = ask(transport, "/busy");
  await upstream.until(() => upstream.requests.some(({ path }) => path === "/busy"));
  const claimable = ask(transport, "/first");
  await claimable.ended();
  clock.advance(10);
  const claimed = ask(transport, "/claimed");
  const connecting = ask(transport, "/connecting");
  const waiting = ask(transport, "/waiting");
  transport.destroy();
  const exchanges = await ended([body, busy, claimed, connecting, waiting]);
  expect(exchanges.map(({ failure }) => [failure?.code, failure?.sent])).toEqual([
    ["reset", true],
    ["reset", true],
    ["reset", false],
    ["reset", false],
    ["closed", false],
  ]);
  await upstream.until(() => upstream.open === 0);
  expect((await ask(transport, "/").ended()).failure?.code).toBe("closed");
  clock.advance(1_000);
  expect(clock.pending).toBe(0);
});
