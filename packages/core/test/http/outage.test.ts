import { describe, expect, test } from "vitest";
import type { PoolSettings } from "../../src/config/options.ts";
import type { RequestEvent } from "../../src/events.ts";
import { begin, fetchFrom, rawClient, underLoad } from "../support/client.ts";
import { until } from "../support/event-loop.ts";
import { holdPort } from "../support/refusing-port.ts";
import { onlyPool, startProxy, type TestProxy } from "../support/start-proxy.ts";
import { startUpstream, type TestUpstream } from "../support/start-upstream.ts";
import { handshake, startEcho } from "../support/web-sockets.ts";

const repeatable = ["GET", "PUT", "DELETE"] as const;
const methods = ["GET", "POST", "PUT", "DELETE"] as const;

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
  async function gone(options: PoolSettings = {}, server?: TestUpstream) {
    const upstream = server ?? (await startUpstream("a"));
    // No connection is left over that a POST could be lost on.
    upstream.answer = (_req, res) => void res.setHeader("Connection", "close").end("a");
    const started = await startProxy({ upstreams: [{ id: "a", url: upstream.url }], ...options });
    expect((await fetchFrom(started.url)).status).toBe(200);
    await upstream.kill();
    const pool = onlyPool(started.proxy);
    return { ...started, upstream, pool, waiting: (count: number) => until(() => pool.outage.depth === count) };
  }

  test("costs no request, whatever the method", async () => {
    const { url, upstream, waiting, requests } = await gone();
    const answers = underLoad(20, 20, (index) => {
      const method = methods[index % methods.length] as string;
      return fetchFrom(url, { method, ...(method !== "GET" && { body: `body ${index}` }) });
    });
    await waiting(20);
    await upstream.revive();
    expect((await answers).map(({ status }) => status)).toEqual(Array(20).fill(200));
    // The first one came before the outage.
    expect(requests.slice(1).every(({ flags }) => flags.includes("outage"))).toBe(true);
  });

  test("costs no handshake", async () => {
    const { port, upstream, waiting, finished } = await gone({}, await startEcho("a"));
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

  test("is 502 when it takes too long, and 502 at once from then on", async () => {
    const { url, requests } = await gone({ retry: { connectFor: "150ms" } });
    expect((await fetchFrom(url)).status).toBe(502);
    expect(requests.at(-1)).toMatchObject({ error: "connect_refused", flags: ["outage", "retried"] });
    const { headers } = await fetchFrom(url);
    expect(headers["proxy-status"]).toContain("connect_refused");
    expect(requests.at(-1)?.attempts).toHaveLength(1);
  });

  test("a client that leaves meanwhile is 499", async () => {
    const { url, waiting, finished, pool } = await gone();
    const request = begin(url);
    request.end();
    await waiting(1);
    request.destroy();
    expect((await finished(2))[1]).toMatchObject({ status: 499, error: "client_aborted" });
    expect(pool.outage.depth).toBe(0);
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

  test("is to be seen in the snapshot and explained", async () => {
    const { url, proxy, upstream, waiting } = await gone();
    const answer = fetchFrom(url);
    await waiting(1);
    const { outage } = proxy.explain({ url: "/" }).pool ?? {};
    expect(outage).toMatchObject({ waiting: 1 });
    expect((outage?.until ?? 0) - (outage?.since ?? 0)).toBeCloseTo(2_000, -1);
    expect(proxy.snapshot().pools[0]?.outage).toMatchObject({ since: outage?.since, waiting: 1 });
    await upstream.revive();
    await answer;
    expect(proxy.snapshot().pools[0]?.outage).toBeNull();
  });

  test("an event lists a bounded number of attempts, the last among them", async () => {
    const { url, proxy, finished } = await gone({ retry: { connectFor: "2s" } });
    const many = Array.from({ length: 30 }, (_, index) => ({
      id: `u${index}`,
      url: proxy.pools.get("default")?.upstreams[0]?.url ?? "",
    }));
    proxy.reload({ upstreams: many, retry: { connectFor: "300ms" } });
    expect((await fetchFrom(url)).status).toBe(502);
    const { attempts = [] } = (await finished(2))[1] ?? {};
    expect(attempts).toHaveLength(64);
    expect(attempts.every(({ error }) => error === "connect_refused")).toBe(true);
  });
});
