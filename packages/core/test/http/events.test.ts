import { expect, onTestFinished, test, vi } from "vitest";
import type { ProxyOptions } from "../../src/config/options.ts";
import { begin, fetchFrom, rawClient, responseTo } from "../support/client.ts";
import { until } from "../support/event-loop.ts";
import { deepFrozen } from "../support/frozen.ts";
import { refusingUrl } from "../support/refusing-port.ts";
import { startProxy } from "../support/start-proxy.ts";
import { startRawUpstream, startUpstream } from "../support/start-upstream.ts";

test("every request is told exactly once, whatever became of it, and counted the same", async () => {
  const silent = await startRawUpstream(() => {});
  const fine = await startUpstream("fine");
  const pools: Exclude<ProxyOptions, { upstreams?: unknown }>["pools"] = {
    fine: { upstreams: [{ id: "fine", url: fine.url }] },
    down: { upstreams: [await refusingUrl()] },
    none: { upstreams: [] },
    silent: { upstreams: [silent.url], timeouts: { headers: "60ms" } },
    patient: { upstreams: [silent.url] },
  };
  const routes = Object.keys(pools).map((pool) => ({ path: `/${pool}`, pool }));
  const { url, port, proxy, finished, requests } = await startProxy({ pools, routes });
  for (const path of ["fine", "down", "none", "silent", "nowhere"]) await fetchFrom(`${url}/${path}`);
  const heads = silent.heads.length;
  const leaver = await rawClient(port, "GET /patient HTTP/1.1\r\nHost: h\r\n\r\n");
  await until(() => silent.heads.length > heads);
  leaver.socket.destroy();
  await finished(6);
  expect(requests.map(({ url: path, status, error, pool }) => [path, status, error, pool])).toEqual([
    ["/fine", 200, undefined, "fine"],
    ["/down", 502, "connect_refused", "down"],
    ["/none", 503, "none_available", "none"],
    ["/silent", 504, "headers_timeout", "silent"],
    ["/nowhere", 404, "no_route", undefined],
    ["/patient", 499, "client_aborted", "patient"],
  ]);
  expect(new Set(requests.map(({ requestId }) => requestId)).size).toBe(6);
  const snapshot = proxy.snapshot();
  expect(snapshot.requests.map(({ code, count, pool }) => [pool, code, count])).toEqual([
    ["fine", 200, 1],
    ["down", 502, 1],
    ["none", 503, 1],
    ["silent", 504, 1],
    ["", 404, 1],
    ["patient", 499, 1],
  ]);
  expect(snapshot.durations.reduce((sum, { histogram }) => sum + histogram.count, 0)).toBe(6);
  expect(deepFrozen(snapshot)).toBe(true);
  expect(JSON.parse(JSON.stringify(snapshot))).toEqual(snapshot);
});

test("a request is told with everything there is to know", async () => {
  const upstream = await startUpstream("a");
  const { url, finished } = await startProxy({
    trustedProxies: ["127.0.0.1"],
    upstreams: [{ id: "a", url: upstream.url }],
  });
  const before = Date.now();
  const headers = {
    Host: "shop.example",
    "X-Forwarded-For": "1.2.3.4",
    "X-Request-Id": "r-1",
    traceparent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    "User-Agent": "curl",
    Referer: "/from",
  };
  await fetchFrom(`${url}/x?y`, { method: "POST", headers, body: "hello" });
  const [event] = await finished(1);
  expect(event).toEqual({
    time: expect.any(Number),
    requestId: "r-1",
    client: "1.2.3.4",
    method: "POST",
    host: "shop.example",
    url: "/x?y",
    protocol: "HTTP/1.1",
    status: 200,
    bytesIn: 5,
    bytesOut: 1,
    durationMs: expect.any(Number),
    route: "/*",
    pool: "default",
    upstream: "a",
    attempts: [{ upstream: "a", status: 200, connectMs: expect.any(Number), headersMs: expect.any(Number) }],
    error: undefined,
    flags: [],
    traceparent: headers.traceparent,
    userAgent: "curl",
    referer: "/from",
  });
  expect(event?.time).toBeGreaterThanOrEqual(before);
  expect(event?.durationMs).toBeGreaterThan(0);
});

test("a reused connection has no time to connect", async () => {
  const upstream = await startUpstream("a");
  const { url, proxy, finished } = await startProxy({ upstreams: [upstream.url] });
  await fetchFrom(url);
  // A connection rests for some milliseconds after its answer.
  for (let requests = 1; ; requests++) {
    await fetchFrom(url);
    const event = (await finished(requests + 1)).at(-1);
    if (event?.attempts[0]?.connectMs === undefined) break;
  }
  expect(upstream.sockets.size).toBeLessThan(proxy.snapshot().pools[0]?.upstreams[0]?.outcomes.success ?? 0);
});

test("the answer to a HEAD counts no bytes", async () => {
  const { url, finished } = await startProxy({ pools: { none: {} } });
  await fetchFrom(url, { method: "HEAD" });
  expect((await finished(1))[0]).toMatchObject({ status: 503, bytesOut: 0 });
});

test("attempts are told one by one, with the time each took", async () => {
  const upstream = await startUpstream("a");
  const upstreams = [
    { id: "down", url: await refusingUrl() },
    { id: "a", url: upstream.url },
  ];
  const { url, proxy } = await startProxy({ balance: "round-robin", upstreams });
  const told: object[] = [];
  proxy.on("attempt", (event) => told.push(event));
  await fetchFrom(url);
  expect(told).toEqual([
    {
      upstream: "down",
      error: "connect_refused",
      pool: "default",
      requestId: expect.any(String),
      durationMs: expect.any(Number),
    },
    {
      upstream: "a",
      status: 200,
      connectMs: expect.any(Number),
      headersMs: expect.any(Number),
      pool: "default",
      requestId: expect.any(String),
      durationMs: expect.any(Number),
    },
  ]);
});

test("listeners that throw break nothing, on any event", async () => {
  const spy = vi.spyOn(process, "emitWarning").mockImplementation(() => {});
  onTestFinished(() => spy.mockRestore());
  const [a, b] = [await startRawUpstream((socket) => socket.destroy()), await startUpstream("b")];
  const upstreams = [
    { id: "a", url: a.url },
    { id: "b", url: b.url },
  ];
  const { url, proxy, finished } = await startProxy({ balance: "round-robin", upstreams });
  const names = ["request", "attempt", "retry", "health", "weight", "state", "member", "reload", "tunnel"] as const;
  const thrown: string[] = [];
  for (const name of names) {
    proxy.on(name, () => {
      thrown.push(name);
      throw new Error(name);
    });
  }
  expect((await fetchFrom(url)).text).toBe("b");
  const pool = proxy.pools.get("default");
  pool?.setWeight("a", 2);
  pool?.setState("a", "draining");
  pool?.remove("a");
  proxy.reload({ upstreams: [{ id: "b", url: b.url }] });
  expect((await fetchFrom(url)).text).toBe("b");
  await finished(2);
  expect(spy).toHaveBeenCalledTimes(thrown.length);
  expect([...new Set(thrown)].sort()).toEqual(["attempt", "member", "reload", "request", "retry", "state", "weight"]);
});

test("a listener may do anything to the proxy, a reload and a close too", async () => {
  const [a, b] = [await startUpstream("a"), await startUpstream("b")];
  const { url, proxy, finished } = await startProxy({ upstreams: [a.url] });
  proxy.once("attempt", () => void proxy.reload({ upstreams: [b.url] }));
  const first = begin(url).end();
  const response = await responseTo(first);
  response.resume();
  expect(response.statusCode).toBe(200);
  expect((await fetchFrom(url)).text).toBe("b");
  let closing: Promise<void> | undefined;
  proxy.once("attempt", () => {
    closing = proxy.close();
  });
  expect((await fetchFrom(url)).status).toBe(200);
  await closing;
  expect(await finished(3)).toHaveLength(3);
});
