import { AsyncLocalStorage } from "node:async_hooks";
import { subscribe, tracingChannel, unsubscribe } from "node:diagnostics_channel";
import { describe, expect, onTestFinished, test } from "vitest";
import type { AttemptTrace, ProbeTrace, RequestTrace } from "../../src/tracing/messages.ts";
import { begin, fetchFrom } from "../support/client.ts";
import { until } from "../support/event-loop.ts";
import { refusingUrl } from "../support/refusing-port.ts";
import { nextEvent, startProxy } from "../support/start-proxy.ts";
import { startUpstream } from "../support/start-upstream.ts";
import { connectSocket, echo, startEcho } from "../support/web-sockets.ts";

interface Published {
  readonly channel: string;
  readonly message: RequestTrace & AttemptTrace & Pick<ProbeTrace, "ok" | "reason">;
}

/** Everything that is published on the channels until the test is over. */
function record(
  kinds = ["request", "attempt", "probe"],
  onStart?: (message: Published["message"]) => void,
): Published[] {
  const published: Published[] = [];
  const names = kinds.flatMap((kind) =>
    ["start", "end", "asyncStart", "asyncEnd", "error"].map((event) => `tracing:evenkeel:${kind}:${event}`),
  );
  for (const name of [...names, "evenkeel:request:event"]) {
    const listener = (message: unknown) => {
      published.push({
        channel: name.replace(/^(?:tracing:)?evenkeel:/, ""),
        message: message as Published["message"],
      });
      if (name.endsWith(":start")) onStart?.(message as Published["message"]);
    };
    subscribe(name, listener);
    onTestFinished(() => void unsubscribe(name, listener));
  }
  return published;
}

/** The messages of a channel. */
function on(published: readonly Published[], channel: string) {
  return published.filter((one) => one.channel === channel).map(({ message }) => message);
}

test("a request and its attempts are published with what is known of them, in order", async () => {
  const a = await startUpstream("a", (_req, res) => void res.writeHead(503).end());
  const b = await startUpstream("b");
  const published = record();
  const { url } = await startProxy({
    pools: {
      api: {
        upstreams: [
          { id: "a", url: a.url },
          { id: "b", url: b.url },
        ],
        balance: "first",
        retry: { on: [503] },
      },
    },
    routes: [{ path: "/v1", pool: "api" }],
  });
  await fetchFrom(`${url}/v1/users?page=2`, { headers: { "user-agent": "test" } });
  await until(() => on(published, "request:asyncEnd").length === 1);

  expect(published.map(({ channel }) => channel)).toEqual([
    ...["request:start", "attempt:start", "attempt:end", "request:end"],
    ...["attempt:asyncStart", "attempt:asyncEnd", "request:event", "attempt:start", "attempt:end"],
    ...["attempt:asyncStart", "attempt:asyncEnd", "request:asyncStart", "request:asyncEnd"],
  ]);
  const [request] = on(published, "request:start");
  expect(request).toMatchObject({
    kind: "request",
    method: "GET",
    scheme: "http",
    path: "/v1/users",
    query: "?page=2",
  });
  expect(request).toMatchObject({
    httpVersion: "1.1",
    client: "127.0.0.1",
    peer: "127.0.0.1",
    route: "/v1/*",
    pool: "api",
  });
  expect(request).toMatchObject({ status: 200, error: undefined, upstream: "b", flags: ["retried"], bytesOut: 1 });
  expect(request?.header("user-agent")).toBe("test");
  const [event] = on(published, "request:event");
  expect(event).toMatchObject({ request, type: "retry", upstream: "a", reason: "503" });
  const [first, second] = on(published, "attempt:start");
  expect(first).toMatchObject({
    request,
    number: 0,
    pool: "api",
    upstream: "a",
    status: 503,
    target: "/v1/users?page=2",
  });
  expect(first?.pick).toMatchObject({ by: "policy", policy: "first", candidates: 2, inFlight: 0, weight: 1 });
  expect(second).toMatchObject({
    request,
    number: 1,
    upstream: "b",
    status: 200,
    httpVersion: "1.1",
    error: undefined,
  });
  expect(second?.pick).toMatchObject({ candidates: 1, lastResort: false, panic: false });
  expect(second?.connectMs).toBeGreaterThan(0);
});

test("each start has exactly one end, whatever becomes of requests", async () => {
  const gone = await refusingUrl();
  const upstream = await startUpstream("a");
  upstream.answer = (req, res) => {
    if (req.url?.startsWith("/held") === true) return;
    if (req.url?.startsWith("/cut") === true)
      return void res.writeHead(200, { "content-length": 10 }).write("x", () => res.destroy());
    if (req.url?.startsWith("/reset") === true) return void req.socket.destroy();
    res.end("a");
  };
  const published = record();
  const { proxy, url, finished } = await startProxy({
    pools: {
      a: { upstreams: [upstream.url], outlierDetection: false },
      gone: { upstreams: [gone], retry: { connectFor: "0s" } },
    },
    routes: [
      { path: "/gone", pool: "gone" },
      { path: "/a", pool: "a", stripPrefix: true },
    ],
  });
  const outbound = proxy.outbound("a");
  const left = begin(`${url}/a/held/left`);
  left.on("error", () => {}).end();
  const closed = begin(`${url}/a/held/closed`);
  closed.on("error", () => {}).end();
  const aborted = new AbortController();
  const fetched = outbound.fetch("/held/fetch", { signal: aborted.signal });
  await until(() => upstream.received.length === 3);
  left.destroy();
  aborted.abort();
  await expect(fetched).rejects.toThrow();
  for (const path of ["/a", "/gone", "/nowhere", "/a/reset", "/a/x/../y"]) await fetchFrom(url + path).catch(() => {});
  await expect(fetchFrom(`${url}/a/cut`)).rejects.toThrow();
  await (await outbound.fetch("/")).text();
  await finished(7);
  const done = nextEvent(proxy, "request");
  await proxy.close({ timeout: "0ms" });
  await done;

  for (const kind of ["request", "attempt"]) {
    const starts = on(published, `${kind}:start`);
    const ends = on(published, `${kind}:asyncEnd`);
    expect(starts.length).toBeGreaterThanOrEqual(kind === "request" ? 10 : 8);
    expect(new Set(ends).size).toBe(ends.length);
    expect(new Set(ends)).toEqual(new Set(starts));
    expect(on(published, `${kind}:asyncStart`)).toEqual(ends);
    expect(on(published, `${kind}:error`)).toEqual(ends.filter(({ error }) => error !== undefined));
  }
  const errors = on(published, "request:asyncEnd").map(({ kind, path, error }) => `${kind} ${path} ${error}`);
  expect(errors).toContain("request /a/held/left client_aborted");
  expect(errors).toContain("request /a/held/closed closed");
  expect(errors).toContain("outbound /held/fetch client_aborted");
  expect(errors).toContain("request /nowhere no_route");
  expect(errors).toContain("request /a/cut response_truncated");
});

test("an attempt of a WebSocket ends with the handshake, and its request with the tunnel", async () => {
  const upstream = await startEcho();
  const published = record();
  const { url } = await startProxy({ upstreams: [upstream.url] });
  const socket = await connectSocket(`${url}/chat`);
  await until(() => on(published, "attempt:asyncEnd").length === 1);
  expect(on(published, "attempt:asyncEnd")[0]).toMatchObject({ status: 101, method: "GET", target: "/chat" });
  await echo(socket, "hello");
  expect(on(published, "request:asyncEnd")).toEqual([]);
  socket.close();
  await until(() => on(published, "request:asyncEnd").length === 1);
  expect(on(published, "request:asyncEnd")[0]).toMatchObject({ kind: "upgrade", status: 101, error: undefined });
  expect(on(published, "request:asyncEnd")[0]?.bytesIn).toBeGreaterThan(5);
});

test("probes are published with their results", async () => {
  const healthy = await startUpstream("a");
  const published = record(["probe"]);
  const upstreams = [
    { id: "a", url: `${healthy.url}/base` },
    { id: "gone", url: await refusingUrl() },
  ];
  await startProxy({ upstreams, healthCheck: { path: "/health", fastInterval: "100ms", timeout: "1s" } });
  await until(() => new Set(on(published, "probe:asyncEnd").map(({ upstream }) => upstream)).size === 2);
  const results = on(published, "probe:asyncEnd");
  const [good, bad] = ["a", "gone"].map((id) => results.find(({ upstream }) => upstream === id));
  expect(good).toMatchObject({
    pool: "default",
    type: "http",
    method: "GET",
    path: "/base/health",
    ok: true,
    reason: "status 200",
  });
  expect(bad).toMatchObject({ ok: false, reason: "connect_refused" });
  expect(on(published, "probe:error")).toContain(bad);
  expect(on(published, "probe:error")).not.toContain(good);
});

test("with `tracing: false`, a proxy publishes nothing", async () => {
  const upstream = await startUpstream("a");
  const published = record();
  const healthCheck = { path: "/health", fastInterval: "100ms", timeout: "1s" };
  const { proxy, url } = await startProxy({ upstreams: [upstream.url], healthCheck }, { runtime: { tracing: false } });
  await fetchFrom(url);
  await (await proxy.outbound("default").fetch("/")).text();
  await until(() => upstream.received.some((request) => request.url === "/health"));
  expect(published).toEqual([]);
});

describe("a subscriber of a start", () => {
  test("sets headers of one attempt in place of the client's, and none that frame the message", async () => {
    const upstream = await startUpstream("a");
    const thrown: unknown[] = [];
    record(["attempt"], (attempt) => {
      attempt.removeHeader("TraceState");
      attempt.removeHeader("Host");
      attempt.setHeader("traceparent", `00-attempt-${attempt.number}`);
      for (const [name, value] of [
        ["content-length", "3"],
        ["transfer-encoding", "x"],
        ["a b", "x"],
        ["host", "x"],
        ["x", "a\r\nb: c"],
      ] as const) {
        try {
          attempt.setHeader(name, value);
        } catch (error) {
          thrown.push(error);
        }
      }
    });
    const { proxy, url } = await startProxy({ upstreams: [upstream.url] });
    const headers = { Traceparent: "00-client", tracestate: "a=b", "x-own": "1" };
    await fetchFrom(url, { headers });
    await (await proxy.outbound("default").fetch("/", { headers })).text();
    for (const { rawHeaders, headers: received } of upstream.received) {
      expect(received["traceparent"]).toBe("00-attempt-0");
      expect(received).not.toHaveProperty("tracestate");
      expect(received).toMatchObject({ host: expect.stringContaining(":") as string, "x-own": "1" });
      expect(rawHeaders.filter((name) => /^traceparent$/i.test(name))).toHaveLength(1);
    }
    expect(thrown).toHaveLength(10);
  });

  test("gives a request a context, in which its hooks and listeners run", async () => {
    const upstream = await startUpstream("a");
    const storage = new AsyncLocalStorage<string>();
    const bound = new AsyncLocalStorage<RequestTrace>();
    const { start } = tracingChannel<RequestTrace, RequestTrace>("evenkeel:request");
    start.bindStore(bound, (message) => message);
    onTestFinished(() => void start.unbindStore(bound));
    record(["request"], (request) => {
      request.run = (code) => storage.run(request.path, code);
    });
    const seen: unknown[] = [];
    const note = (where: string) => seen.push([where, storage.getStore(), bound.getStore()?.path]);
    const { proxy, url, finished } = await startProxy(
      { upstreams: [upstream.url] },
      { runtime: { onRequest: () => void note("onRequest"), onResponse: () => void note("onResponse") } },
    );
    proxy.on("request", () => note("request"));
    await Promise.all([fetchFrom(`${url}/one`), fetchFrom(`${url}/two`)]);
    await finished(2);
    const expected = ["/one", "/two"].flatMap((path) =>
      ["onRequest", "onResponse", "request"].map((where) => [where, path, path]),
    );
    expect(seen.toSorted()).toEqual(expected.toSorted());
  });

  test("cannot stop a request by a context that fails", async () => {
    const upstream = await startUpstream("a");
    const runs: RequestTrace["run"][] = [
      () => {
        throw new Error("a bug in front");
      },
      () => {},
      (code) => {
        code();
        code();
        throw new Error("a bug behind");
      },
    ];
    record(["request"], (request) => {
      request.run = runs.shift();
    });
    const { url, finished } = await startProxy({ upstreams: [upstream.url] });
    for (let count = 0; count < 4; count++) expect((await fetchFrom(url)).text).toBe("a");
    expect(await finished(4)).toHaveLength(4);
    expect(upstream.received).toHaveLength(4);
  });
});

test("the span that a subscriber sets is in the event of the request", async () => {
  const upstream = await startUpstream("a");
  record(["request"], (request) => {
    if (request.path === "/traced") request.span = { traceId: "1".repeat(32), spanId: "2".repeat(16), sampled: true };
  });
  const { url, finished } = await startProxy({ upstreams: [upstream.url] });
  await fetchFrom(`${url}/traced`);
  await fetchFrom(`${url}/untraced`);
  const [traced, untraced] = await finished(2);
  expect(traced).toMatchObject({ traceId: "1".repeat(32), spanId: "2".repeat(16) });
  expect(untraced).not.toHaveProperty("traceId");
});
