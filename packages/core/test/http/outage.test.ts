import { describe, expect, test } from "vitest";
import type { RequestEvent } from "../../src/events.ts";
import { fetchFrom, rawClient, underLoad } from "../support/client.ts";
import { until } from "../support/event-loop.ts";
import { holdPort } from "../support/refusing-port.ts";
import { onlyPool, startProxy, type TestProxy } from "../support/start-proxy.ts";
import { startUpstream, type TestUpstream } from "../support/start-upstream.ts";
import { handshake, startEcho } from "../support/web-sockets.ts";

const repeatable = ["GET", "PUT", "DELETE"] as const;

function failedOf(requests: readonly RequestEvent[]): string[] {
  return requests.filter(({ status }) => status !== 200).map(({ status, error }) => `${status} ${error}`);
}

/** Sends requests that may be repeated without a pause until `during` has resolved. */
async function loadWhile(url: string, during: () => Promise<void>): Promise<void> {
  let over = false;
  const client = async (_: unknown, index: number) => {
    for (let sent = 0; !over; sent++) {
      const method = repeatable[(index + sent) % repeatable.length] as string;
      await fetchFrom(url, { method, ...(method !== "GET" && { body: "x" }) });
    }
  };
  const clients = Promise.all(Array.from({ length: 10 }, client));
  await during();
  over = true;
  await clients;
}

/** Stops taking connections, lets what is in flight end, and is back when it has ended. */
async function restart({ server, sockets, port, revive }: TestUpstream, whileDown: () => Promise<void>): Promise<void> {
  const closed = new Promise<void>((resolve) => void server.close(() => resolve()));
  const releasePort = holdPort(port);
  server.closeIdleConnections();
  await until(() => sockets.size === 0);
  await closed;
  await whileDown();
  releasePort();
  await revive();
}

const requestsLater = (started: TestProxy, count: number) => {
  const { length } = started.requests;
  return () => until(() => started.requests.length >= length + count);
};

describe("a rolling restart of two upstreams", () => {
  test("fails no request of any method", async () => {
    const [a, b] = [await startUpstream("a"), await startUpstream("b")];
    const started = await startProxy({ upstreams: [a.url, b.url] });
    const ejected: string[] = [];
    started.proxy.on("eject", ({ upstream }) => ejected.push(upstream));
    await loadWhile(started.url, async () => {
      await requestsLater(started, 50)();
      for (const upstream of [a, b, a, b]) {
        await restart(upstream, async () => {
          await requestsLater(started, 200)();
          // A POST that meets the closing server is not repeated. One that meets a closed one goes on.
          await underLoad(20, 5, () => fetchFrom(started.url, { method: "POST", body: "once" }));
        });
      }
      await requestsLater(started, 50)();
    });
    expect(failedOf(started.requests)).toEqual([]);
    expect(started.requests.length).toBeGreaterThan(900);
    // The first to go was still ejected when the second went.
    expect(ejected.length).toBeGreaterThan(0);
    expect(started.requests.some(({ flags }) => flags.includes("panic"))).toBe(true);
  });
});

describe("a restart of the only upstream", () => {
  /** A proxy whose upstream has served a request and is gone. */
  async function gone(server?: TestUpstream) {
    const upstream = server ?? (await startUpstream("a"));
    // No connection is left over that a POST could be lost on.
    upstream.answer = (_req, res) => void res.setHeader("Connection", "close").end("a");
    const started = await startProxy({ upstreams: [{ id: "a", url: upstream.url }] });
    expect((await fetchFrom(started.url)).status).toBe(200);
    await upstream.kill();
    const pool = onlyPool(started.proxy);
    return { ...started, upstream, pool, waiting: (count: number) => until(() => pool.outage.depth === count) };
  }

  test("costs no handshake", async () => {
    const { port, upstream, waiting, finished } = await gone(await startEcho("a"));
    const client = await rawClient(port, handshake());
    await waiting(1);
    await upstream.revive();
    expect(await client.until(/\r\n\r\n/)).toMatch(/^HTTP\/1\.1 101 /);
    client.socket.end();
    expect((await finished(2))[1]).toMatchObject({ status: 101, flags: expect.arrayContaining(["outage"]) });
  });

  test("costs no request of the app's own", async () => {
    const { proxy, upstream, waiting } = await gone();
    const answer = proxy.outbound("default").fetch("/own", { method: "POST", body: "x" });
    await waiting(1);
    await upstream.revive();
    expect((await answer).status).toBe(200);
  });

  test("a proxy that closes meanwhile answers 503", async () => {
    const { url, port, proxy, waiting } = await gone();
    const answer = fetchFrom(url);
    const client = await rawClient(port, handshake());
    await waiting(2);
    const closed = proxy.close();
    const { status, headers } = await answer;
    expect([status, headers["proxy-status"], headers.connection]).toEqual([
      503,
      'evenkeel; error=destination_unavailable; details="closed"',
      "close",
    ]);
    expect((await client.over()).text).toMatch(/^HTTP\/1\.1 503 /);
    await closed;
  });
});
