import type { ServerResponse } from "node:http";
import { describe, expect, test } from "vitest";
import { begin, fetchFrom, rawClient, responseTo } from "../support/client.ts";
import { until } from "../support/event-loop.ts";
import { startProxy } from "../support/start-proxy.ts";
import { startRawUpstream, startUpstream } from "../support/start-upstream.ts";
import { VirtualClock } from "../support/virtual-clock.ts";
import { closeCode, connectSocket, handshake, startEcho, switching } from "../support/web-sockets.ts";

/** A proxy over an upstream that holds every request until it is told to answer. */
async function holding() {
  const held: ServerResponse[] = [];
  const clock = new VirtualClock();
  const upstream = await startUpstream("a", (_req, res) => void held.push(res));
  const started = await startProxy({ upstreams: [upstream.url] }, { runtime: { clock } });
  return { ...started, clock, held, upstream };
}

describe("closing", () => {
  test("of an idle proxy is at once, ends its connections and can be asked for twice", async () => {
    const upstream = await startUpstream("a");
    const { proxy, url } = await startProxy({ upstreams: [upstream.url] });
    await fetchFrom(url);
    expect(upstream.sockets.size).toBe(1);
    const closing = proxy.close();
    expect(proxy.draining).toBe(true);
    expect(proxy.close()).toBe(closing);
    await closing;
    await until(() => upstream.sockets.size === 0);
    expect(proxy.snapshot().draining).toBe(true);
  });

  test("waits for requests on their way, whose answers end their connections", async () => {
    const { proxy, url, held, port } = await holding();
    const client = await rawClient(port, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    await until(() => held.length === 1);
    let closed = false;
    const closing = proxy.close().then(() => {
      closed = true;
    });
    // New requests are still served meanwhile.
    const late = begin(url).end();
    await until(() => held.length === 2);
    held[1]?.end("late");
    const response = await responseTo(late);
    response.resume();
    expect([response.statusCode, response.headers.connection]).toEqual([200, "close"]);
    expect(closed).toBe(false);
    held[0]?.end("done");
    const { text } = await client.over();
    expect(text).toMatch(/^HTTP\/1\.1 200 OK\r\n[^]*^Connection: close\r$[^]*\bdone\b/im);
    await closing;
  });

  test("puts Connection: close on the proxy's own answers too", async () => {
    const { proxy, url, held } = await holding();
    const first = begin(url).end();
    await until(() => held.length === 1);
    const closing = proxy.close();
    const { headers } = await fetchFrom(`${url}/`, { headers: { Host: "a/b" } });
    expect(headers.connection).toBe("close");
    held[0]?.end();
    (await responseTo(first)).resume();
    await closing;
  });

  test("ends what has not ended in time", async () => {
    const { proxy, port, held, clock, finished, upstream } = await holding();
    const silent = await rawClient(port, "GET /silent HTTP/1.1\r\nHost: h\r\n\r\n");
    await until(() => held.length === 1);
    const begun = await rawClient(port, "GET /begun HTTP/1.1\r\nHost: h\r\n\r\n");
    await until(() => held.length === 2);
    held[1]?.write("some");
    await begun.until(/some/);
    const closing = proxy.close({ timeout: "10s" });
    await clock.advanceAsync(9_999);
    expect(upstream.sockets.size).toBe(2);
    await clock.advanceAsync(1);
    const [silentEnd, begunEnd] = [await silent.over(), await begun.over()];
    await closing;
    if (silentEnd.text !== "") expect(silentEnd.text).toMatch(/^HTTP\/1\.1 503 /);
    expect(begunEnd.text).not.toMatch(/0\r\n\r\n$/);
    expect(await finished(2)).toHaveLength(2);
    await until(() => upstream.sockets.size === 0);
  });

  test("asked for again ends it sooner, and never later", async () => {
    const { proxy, url, held, clock, finished } = await holding();
    const unfinished = responseTo(begin(url).end());
    await until(() => held.length === 1);
    const closing = proxy.close({ timeout: "10s" });
    expect(proxy.close({ timeout: "1h" })).toBe(closing);
    expect(proxy.close({ timeout: "1s" })).toBe(closing);
    await clock.advanceAsync(999);
    expect(await finished(0)).toHaveLength(0);
    await clock.advanceAsync(1);
    const response = await unfinished;
    response.resume();
    expect([response.statusCode, response.headers["proxy-status"]]).toEqual([
      503,
      'evenkeel; error=destination_unavailable; details="closed"',
    ]);
    await closing;
    expect((await finished(1))[0]).toMatchObject({ status: 503, error: "closed" });
  });

  test("stops the probes", async () => {
    const upstream = await startUpstream("a");
    const healthCheck = { interval: "100ms", path: "/healthz" };
    const clock = new VirtualClock();
    const { proxy } = await startProxy({ upstreams: [upstream.url], healthCheck }, { runtime: { clock } });
    const probed = new Promise((resolve) => {
      proxy.once("health", resolve);
    });
    await clock.advanceAsync(100);
    await probed;
    await proxy.close();
    const { length } = upstream.received;
    await clock.advanceAsync(10_000);
    expect(upstream.received).toHaveLength(length);
    expect(clock.pending).toBe(0);
  });
});

describe("tunnels", () => {
  test("are left alone until the deadline, and then told that the proxy goes away", async () => {
    const upstream = await startEcho();
    const clock = new VirtualClock();
    const { proxy, url } = await startProxy({ upstreams: [upstream.url] }, { runtime: { clock } });
    const socket = await connectSocket(url);
    const closing = proxy.close({ timeout: "10s" });
    await clock.advanceAsync(9_999);
    expect(socket.readyState).toBe(socket.OPEN);
    const code = closeCode(socket);
    await clock.advanceAsync(1);
    expect(await code).toBe(1_001);
    await closing;
    expect(proxy.snapshot().pools[0]?.tunnels).toBe(0);
  });

  test("tell their upstream the same", async () => {
    let said = Buffer.alloc(0);
    const upstream = await startRawUpstream((socket) => {
      socket.write(switching());
      socket.on("data", (data) => {
        said = Buffer.concat([said, data]);
      });
      socket.on("end", () => socket.end());
    });
    const { proxy, port } = await startProxy({ upstreams: [upstream.url] });
    const client = await rawClient(port, handshake());
    client.socket.once("end", () => client.socket.end());
    await client.until(/\r\n\r\n/);
    await proxy.close({ timeout: "0ms" });
    expect(said.toString("hex")).toBe("88820000000003e9");
    expect(client.text.endsWith("\x88\x02\x03\xe9")).toBe(true);
  });

  test("whose ends do not take the hint are cut", async () => {
    const upstream = await startRawUpstream((socket) => void socket.write(switching()));
    const { proxy, server, port, finished } = await startProxy({ upstreams: [upstream.url] });
    const client = await rawClient(port, handshake());
    await client.until(/\r\n\r\n/);
    await proxy.close({ timeout: "0ms" });
    // Neither end has ended its side: a tunnel counts until both of the proxy's sockets are closed.
    expect(proxy.snapshot().pools[0]?.tunnels).toBe(0);
    const connections = await new Promise((resolve) => {
      server.getConnections((_error, count) => resolve(count));
    });
    expect(connections).toBe(0);
    expect((await finished(1))[0]).toMatchObject({ status: 101 });
  });

  test("that are not open yet are ended", async () => {
    const upstream = await startRawUpstream(() => {});
    const { proxy, port, finished } = await startProxy({ upstreams: [upstream.url] });
    const client = await rawClient(port, handshake());
    await until(() => upstream.heads.length === 1);
    await proxy.close({ timeout: "0ms" });
    expect((await client.over()).text).toMatch(/^HTTP\/1\.1 503 [^]*\(closed\)/);
    expect((await finished(1))[0]).toMatchObject({ status: 503, error: "closed", attempts: [{ error: "closed" }] });
    await until(() => [...upstream.sockets].every(({ readableEnded, destroyed }) => readableEnded || destroyed));
  });
});

describe("a close that runs out of time", () => {
  const closed = /^HTTP\/1\.1 503 [^]*\(closed\)\n$/;

  test("answers a handshake that waits for room with 503", async () => {
    const upstream = await startEcho();
    const { proxy, url, port, finished } = await startProxy({ upstreams: [{ url: upstream.url, maxInFlight: 1 }] });
    await connectSocket(url);
    const client = await rawClient(port, handshake());
    await until(() => proxy.snapshot().pools[0]?.queueDepth === 1);
    await proxy.close({ timeout: "0ms" });
    expect((await client.over()).text).toMatch(closed);
    const events = await finished(2);
    expect(events.map(({ status }) => status).sort()).toEqual([101, 503]);
  });

  test("cuts off the response that refuses a handshake, and reports it as closed", async () => {
    const upstream = await startRawUpstream(
      (socket) => void socket.write("HTTP/1.1 403 Forbidden\r\nContent-Length: 10\r\n\r\nhalf"),
    );
    const { proxy, port, finished } = await startProxy({ upstreams: [upstream.url] });
    const client = await rawClient(port, handshake());
    await client.until(/half$/);
    await proxy.close({ timeout: "0ms" });
    expect((await client.over()).text).toMatch(/half$/);
    expect((await finished(1))[0]).toMatchObject({ status: 403, error: "closed", flags: ["truncated"] });
  });

  test.each([
    ["a request", "GET / HTTP/1.1\r\nHost: h\r\n\r\n"],
    ["a handshake", handshake()],
  ])("answers %s whose hook is at work with 503, and drops what the hook decides later", async (_what, bytes) => {
    const upstream = await startUpstream("a");
    const decisions: (() => void)[] = [];
    const onRequest = () => new Promise<void>((resolve) => void decisions.push(resolve));
    const { proxy, port, finished } = await startProxy({ upstreams: [upstream.url] }, { runtime: { onRequest } });
    const client = await rawClient(port, bytes);
    await until(() => decisions.length === 1);
    await proxy.close({ timeout: "0ms" });
    decisions[0]?.();
    expect((await client.over()).text).toMatch(closed);
    expect(await finished(1)).toMatchObject([{ status: 503, error: "closed" }]);
    expect(upstream.received).toHaveLength(0);
  });

  test.each([
    ["requests", "GET /last HTTP/1.1\r\nHost: h\r\n\r\n"],
    ["a handshake", handshake("/last")],
  ])("answers the first of a pipeline, and reports %s behind it as closed", async (_what, last) => {
    const held: ServerResponse[] = [];
    const upstream = await startUpstream("a", (_req, res) => void held.push(res));
    const { proxy, port, finished } = await startProxy({ upstreams: [upstream.url] });
    // As many as are in progress on one connection, and one that waits.
    const count = last.includes("Upgrade") ? 2 : 33;
    const first = Array.from({ length: count - 1 }, (_, index) => `GET /${index} HTTP/1.1\r\nHost: h\r\n\r\n`);
    const client = await rawClient(port, `${first.join("")}${last}`);
    await until(() => held.length === count - 1);
    await proxy.close({ timeout: "0ms" });
    expect((await client.over()).text).toMatch(closed);
    const events = await finished(count);
    expect(events.map(({ status, error }) => `${status} ${error}`)).toEqual(new Array(count).fill("503 closed"));
    expect(events.map(({ url }) => url)).toContain("/last");
  });
});
