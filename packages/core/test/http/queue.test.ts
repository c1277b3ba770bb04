import type { ServerResponse } from "node:http";
import { describe, expect, test } from "vitest";
import type { PoolOptions } from "../../src/config/options.ts";
import { begin, rawClient, responseTo } from "../support/client.ts";
import { until } from "../support/event-loop.ts";
import { onlyPool, startProxy } from "../support/start-proxy.ts";
import { VirtualClock } from "../support/virtual-clock.ts";
import { connectSocket, echo, handshake, startEcho } from "../support/web-sockets.ts";

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
