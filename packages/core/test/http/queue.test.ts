import type { ServerResponse } from "node:http";
import { describe, expect, test } from "vitest";
import type { PoolOptions } from "../../src/config/options.ts";
import { begin, fetchFrom, rawClient, responseTo } from "../support/client.ts";
import { until } from "../support/event-loop.ts";
import { onlyPool, startProxy } from "../support/start-proxy.ts";
import { startUpstream } from "../support/start-upstream.ts";
import { VirtualClock } from "../support/virtual-clock.ts";
import { connectSocket, echo, handshake, startEcho } from "../support/web-sockets.ts";

/** A proxy over one upstream that takes one request at a time, and answers when told. */
async function narrow(options: Partial<PoolOptions> = {}) {
  const clock = new VirtualClock();
  const held: { path: string; res: ServerResponse }[] = [];
  let onHeld: () => void = () => {};
  const upstream = await startUpstream("a", (req, res) => {
    held.push({ path: req.url ?? "", res });
    onHeld();
  });
  const upstreams = [{ id: "a", url: upstream.url, maxInFlight: 1 }];
  const started = await startProxy({ upstreams, ...options }, { runtime: { clock } });
  /** Answers the request that the upstream has, as soon as it has one, and says which one it was. */
  const release = async (): Promise<string> => {
    if (held.length === 0) {
      await new Promise<void>((resolve) => {
        onHeld = resolve;
      });
    }
    const [first] = held.splice(0, 1);
    first?.res.end(first.path);
    return first?.path ?? "";
  };
  /** Resolves once so many wait. */
  const depth = (count: number) => until(() => onlyPool(started.proxy).queue.depth === count);
  return { ...started, clock, upstream, release, depth, pool: onlyPool(started.proxy) };
}

test("five at a time on an upstream that takes one are served in the order of arrival", async () => {
  const { url, release, depth, upstream, finished } = await narrow();
  const paths = ["/0", "/1", "/2", "/3", "/4"];
  const answers: Promise<string>[] = [];
  for (const [index, path] of paths.entries()) {
    answers.push(fetchFrom(`${url}${path}`).then(({ text }) => text));
    await depth(index);
    await until(() => upstream.received.length === 1);
  }
  const order: string[] = [];
  for (const _ of paths) order.push(await release());
  expect(order).toEqual(paths);
  expect(await Promise.all(answers)).toEqual(paths);
  const events = await finished(5);
  expect(events.map(({ flags }) => flags.includes("queued"))).toEqual([false, true, true, true, true]);
});

describe("a request that finds", () => {
  test("no room in the queue is 503 at once, with Retry-After", async () => {
    const { url, release, depth, upstream, finished } = await narrow({ queue: { max: 1 } });
    const first = fetchFrom(`${url}/0`);
    await until(() => upstream.received.length === 1);
    const second = fetchFrom(`${url}/1`);
    await depth(1);
    const { status, headers } = await fetchFrom(`${url}/2`);
    expect(status).toBe(503);
    expect(headers["retry-after"]).toMatch(/^[1-9]\d*$/);
    expect(headers["proxy-status"]).toBe('evenkeel; error=connection_limit_reached; details="queue_full"');
    expect((await finished(1))[0]).toMatchObject({ status: 503, error: "queue_full", attempts: [] });
    await release();
    await release();
    expect([(await first).text, (await second).text]).toEqual(["/0", "/1"]);
  });

  test("no room in time is 503 with Retry-After, and the upstream hears nothing of it", async () => {
    const { url, release, depth, clock, upstream, finished } = await narrow({ queue: { timeout: "5s" } });
    const first = fetchFrom(`${url}/0`);
    await until(() => upstream.received.length === 1);
    const second = fetchFrom(`${url}/1`);
    await depth(1);
    await clock.advanceAsync(4_999);
    expect((await finished(0)).length).toBe(0);
    await clock.advanceAsync(1);
    const { status, headers } = await second;
    expect([status, headers["retry-after"] !== undefined]).toEqual([503, true]);
    expect((await finished(1))[0]).toMatchObject({ error: "queue_timeout", flags: ["queued"] });
    await release();
    expect((await first).text).toBe("/0");
    expect(upstream.received.map(({ url: path }) => path)).toEqual(["/0"]);
  });

  test("a queue of no length is 503 at once", async () => {
    const { url, release, upstream } = await narrow({ queue: { max: 0 } });
    const first = fetchFrom(`${url}/0`);
    await until(() => upstream.received.length === 1);
    expect((await fetchFrom(`${url}/1`)).status).toBe(503);
    await release();
    expect((await first).status).toBe(200);
  });
});

test("a client that leaves, leaves the queue", async () => {
  const { url, port, release, depth, upstream, finished, pool } = await narrow();
  const first = fetchFrom(`${url}/0`);
  await until(() => upstream.received.length === 1);
  const leaver = await rawClient(port, "GET /leaver HTTP/1.1\r\nHost: h\r\n\r\n");
  await depth(1);
  const third = fetchFrom(`${url}/2`);
  await depth(2);
  leaver.socket.destroy();
  expect((await finished(1))[0]).toMatchObject({ url: "/leaver", status: 499, flags: ["queued"], attempts: [] });
  expect(pool.queue.depth).toBe(1);
  expect(await release()).toBe("/0");
  expect(await release()).toBe("/2");
  expect([(await first).text, (await third).text]).toEqual(["/0", "/2"]);
});

describe("an upgrade", () => {
  /** An upstream that takes one request at a time, and has one. */
  async function busy(options: Partial<PoolOptions> = {}) {
    const clock = new VirtualClock();
    const held: ServerResponse[] = [];
    const upstream = await startEcho();
    upstream.answer = (_req, res) => void held.push(res);
    const upstreams = [{ id: "a", url: upstream.url, maxInFlight: 1 }];
    const started = await startProxy({ upstreams, ...options }, { runtime: { clock } });
    const first = begin(started.url).end();
    await until(() => held.length === 1);
    const release = async () => {
      held[0]?.end();
      (await responseTo(first)).resume();
    };
    return { ...started, clock, upstream, release, pool: onlyPool(started.proxy) };
  }

  test("waits in the same queue, and keeps its place until the tunnel closes, which lets the next one in", async () => {
    const { url, pool, release, finished } = await busy();
    const opening = connectSocket(url);
    await until(() => pool.queue.depth === 1);
    await release();
    const socket = await opening;
    expect((await echo(socket, "patient")).data.toString()).toBe("patient");
    expect([pool.inFlight, pool.tunnels]).toEqual([0, 1]);
    const next = connectSocket(url);
    await until(() => pool.queue.depth === 1);
    expect(pool.snapshot()).toMatchObject({ available: 0, inFlight: 0, tunnels: 1, queueDepth: 1 });
    socket.close();
    expect((await finished(2))[1]).toMatchObject({ status: 101, flags: ["queued"] });
    await next;
    expect([pool.queue.depth, pool.inFlight, pool.tunnels]).toEqual([0, 0, 1]);
  });

  test("that finds no room in it, or none in time, is 503 with Retry-After", async () => {
    const { port, clock, pool, release, upstream } = await busy({ queue: { max: 1, timeout: "5s" } });
    const waiting = await rawClient(port, handshake("/waiting"));
    await until(() => pool.queue.depth === 1);
    const { text } = await (await rawClient(port, handshake("/full"))).over();
    expect(text).toMatch(/^HTTP\/1\.1 503 [^]*\r\nRetry-After: \d+\r\n/);
    expect(text).toContain('details="queue_full"');
    await clock.advanceAsync(5_000);
    expect((await waiting.over()).text).toContain('details="queue_timeout"');
    expect(upstream.received).toHaveLength(1);
    await release();
  });

  test("whose client leaves, leaves the queue", async () => {
    const { port, pool, release, finished } = await busy();
    const leaver = await rawClient(port, handshake());
    await until(() => pool.queue.depth === 1);
    leaver.socket.destroy();
    expect((await finished(1))[0]).toMatchObject({ status: 499, flags: ["queued"], attempts: [] });
    expect(pool.queue.depth).toBe(0);
    await release();
  });
});

test("the deadline for the whole exchange counts while waiting", async () => {
  const { url, release, depth, clock, upstream, finished } = await narrow({ timeouts: { total: "1s" } });
  const first = fetchFrom(`${url}/0`);
  await until(() => upstream.received.length === 1);
  const second = fetchFrom(`${url}/1`);
  await depth(1);
  await release();
  await first;
  await until(() => upstream.received.length === 2);
  await clock.advanceAsync(1_000);
  expect((await second).status).toBe(504);
  expect((await finished(2))[1]).toMatchObject({ status: 504, error: "total_timeout" });
});

test("a place that is taken away from the queue by its pool's changes is given back", async () => {
  const { url, release, depth, upstream, pool } = await narrow();
  const first = fetchFrom(`${url}/0`);
  await until(() => upstream.received.length === 1);
  const second = fetchFrom(`${url}/1`);
  await depth(1);
  const other = await startUpstream("other");
  pool.add({ id: "other", url: other.url });
  expect((await second).text).toBe("other");
  await release();
  expect((await first).text).toBe("/0");
});

test("an upstream at its limit is passed over while another has room", async () => {
  const other = await startUpstream("other");
  const held: ServerResponse[] = [];
  const a = await startUpstream("a", (_req, res) => void held.push(res));
  const { url } = await startProxy({
    balance: "round-robin",
    upstreams: [{ url: a.url, maxInFlight: 1 }, { url: other.url }],
  });
  const first = begin(url).end();
  await until(() => a.received.length === 1);
  for (let round = 0; round < 5; round++) expect((await fetchFrom(url)).text).toBe("other");
  held[0]?.end("a");
  (await responseTo(first)).resume();
});
