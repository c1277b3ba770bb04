import { once } from "node:events";
import { createServer } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { context, ROOT_CONTEXT, SpanKind, trace } from "@opentelemetry/api";
import { RPCType, setRPCMetadata } from "@opentelemetry/core";
import { AlwaysOffSampler, ParentBasedSampler } from "@opentelemetry/sdk-trace-base";
import { describe, expect, onTestFinished, test } from "vitest";
import { createProxy } from "../../src/index.ts";
import { redactQuery } from "../../src/opentelemetry/redact-url.ts";
import { begin, fetchFrom } from "../support/client.ts";
import { until } from "../support/event-loop.ts";
import { startLab } from "../support/forward-lab.ts";
import { refusingUpstream, scriptedUpstream, type UpstreamRequest } from "../support/scripted-upstream.ts";
import { documentedTrees, drawTrees, startTracing } from "../support/spans.ts";
import { startProxy } from "../support/start-proxy.ts";
import { startUpstream, type TestUpstream } from "../support/start-upstream.ts";
import { closeCode, connectSocket, startEcho } from "../support/web-sockets.ts";

const traceId = "0af7651916cd43dd8448eb211c80319c";
const parentId = "b7ad6b7169203331";
const traceparent = `00-${traceId}-${parentId}-01`;

/** The header that the last request to an upstream had. */
function sent(upstream: TestUpstream, name = "traceparent") {
  return upstream.received.at(-1)?.headers[name];
}

test("a request is a SERVER span with a CLIENT span, which is the parent of the upstream's", async () => {
  const upstream = await startUpstream("a");
  const tracing = startTracing();
  const { proxy, requests } = await startProxy({
    pools: { api: { upstreams: [{ id: "a", url: `${upstream.url}/base` }], balance: "least-requests" } },
    routes: [{ host: "*.example.com", path: "/v1", pool: "api" }],
  });
  // A server of our own, for which no instrumentation exists.
  const [url = ""] = (await proxy.listen("127.0.0.1:0")).urls;
  const headers = { host: "api.example.com:81", traceparent, tracestate: "vendor=1", "user-agent": "test" };
  await fetchFrom(`${url}/v1/users?page=2&token=abc&sig=def`, { headers });
  const spans = await tracing.ended(2);

  expect(drawTrees(spans)).toBe(documentedTrees("A request"));
  const [client, server] = spans;
  expect(server?.parentSpanContext).toMatchObject({ traceId, spanId: parentId, isRemote: true });
  expect(server?.attributes).toEqual({
    "http.request.method": "GET",
    "url.scheme": "http",
    "url.path": "/v1/users",
    "url.query": "page=2&token=REDACTED&sig=REDACTED",
    "server.address": "api.example.com",
    "server.port": 81,
    "client.address": "127.0.0.1",
    "network.peer.address": "127.0.0.1",
    "network.protocol.version": "1.1",
    "user_agent.original": "test",
    "http.route": "*.example.com/v1/*",
    "http.response.status_code": 200,
    "evenkeel.request_id": requests[0]?.requestId,
    "evenkeel.pool": "api",
    "evenkeel.upstream": "a",
  });
  expect(client?.attributes).toEqual({
    "http.request.method": "GET",
    "url.full": `${upstream.url}/base/v1/users?page=2&token=REDACTED&sig=REDACTED`,
    "server.address": "127.0.0.1",
    "server.port": upstream.port,
    "network.peer.address": "127.0.0.1",
    "network.peer.port": upstream.port,
    "network.protocol.version": "1.1",
    "http.response.status_code": 200,
    "evenkeel.pool": "api",
    "evenkeel.upstream": "a",
    "evenkeel.route": "*.example.com/v1/*",
    "evenkeel.pick.by": "policy",
    "evenkeel.pick.reason": "least-requests: 0 in flight, weight 1, 1 of 1",
    "evenkeel.connection.reused": false,
    "evenkeel.connect_ms": expect.any(Number) as number,
  });
  expect(sent(upstream)).toBe(`00-${traceId}-${client?.spanContext().spanId}-01`);
  expect(sent(upstream, "tracestate")).toBe("vendor=1");
  expect(requests[0]).toMatchObject({ traceId, spanId: server?.spanContext().spanId });
});

describe("the context of a client", () => {
  const state = (members: number, length = 1) =>
    Array.from({ length: members }, (_, index) => `k${index}=${"v".repeat(length)}`).join(",");

  test.each([
    ["none", [], false],
    ["a version that is not allowed", ["traceparent", `ff-${traceId}-${parentId}-01`], false],
    ["upper case", ["traceparent", traceparent.toUpperCase()], false],
    ["an id of zeros", ["traceparent", `00-${"0".repeat(32)}-${parentId}-01`], false],
    ["version 0 with more fields", ["traceparent", `${traceparent}-01`], false],
    ["two of them", ["traceparent", traceparent, "Traceparent", traceparent], false],
    ["bytes that are no text", ["traceparent", `${traceparent}\u00ff`], false],
    ["a later version with more fields", ["traceparent", `cc-${traceId}-${parentId}-01-more`], true],
  ] as const)("with %s", async (_, headers, isParent) => {
    const upstream = await startUpstream("a");
    const tracing = startTracing();
    const { url } = await startProxy({ upstreams: [upstream.url] });
    await fetchFrom(url, {
      headers: ["Host", "a", "tracestate", "a=1", ...headers] as unknown as Record<string, string>,
    });
    const [client, server] = await tracing.ended(2);
    expect(server?.parentSpanContext?.spanId).toBe(isParent ? parentId : undefined);
    expect(sent(upstream)).toBe(`00-${server?.spanContext().traceId}-${client?.spanContext().spanId}-01`);
    // Without a valid parent, the state of another trace is dropped.
    expect(sent(upstream, "tracestate")).toBe(isParent ? "a=1" : undefined);
  });

  test.each([
    ["more than 32 members", state(33), state(32)],
    ["more than 512 characters", state(30, 20), state(20, 20)],
  ])("has a state of %s", async (_, tracestate, kept) => {
    const upstream = await startUpstream("a");
    const tracing = startTracing();
    const { url } = await startProxy({ upstreams: [upstream.url] });
    await fetchFrom(url, { headers: { traceparent, tracestate } });
    await tracing.ended(2);
    expect(sent(upstream)).toMatch(new RegExp(`^00-${traceId}-`));
    expect(sent(upstream, "tracestate")?.length ?? 0).toBeLessThanOrEqual(512);
    expect(sent(upstream, "tracestate")).toBe(kept);
  });

  test("that is not sampled is passed on as not sampled, with ids of our own", async () => {
    const upstream = await startUpstream("a");
    const tracing = startTracing({ sampler: new ParentBasedSampler({ root: new AlwaysOffSampler() }) });
    const { url, finished } = await startProxy({ upstreams: [upstream.url] });
    await fetchFrom(url, { headers: { traceparent: `00-${traceId}-${parentId}-00` } });
    expect(sent(upstream)).toMatch(new RegExp(`^00-${traceId}-(?!${parentId})[0-9a-f]{16}-00$`));
    await fetchFrom(url);
    expect(sent(upstream)).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/);
    const [event] = await finished(2);
    expect(event).toMatchObject({ traceId });
    expect(tracing.spans).toEqual([]);
  });

  test("passes unchanged while nothing traces, whatever it is", async () => {
    const upstream = await startUpstream("a");
    startTracing().stop();
    const { url } = await startProxy({ upstreams: [upstream.url] });
    for (const value of [traceparent, "malformed"]) {
      await fetchFrom(url, { headers: { traceparent: value, tracestate: "a=1" } });
      expect([sent(upstream), sent(upstream, "tracestate")]).toEqual([value, "a=1"]);
    }
  });
});

describe("a span that is active in front of the proxy", () => {
  test("is the parent of attempts and gets their events, and no SERVER span is made", async () => {
    const upstream = await startUpstream("b");
    const tracing = startTracing();
    const tracer = tracing.provider.getTracer("app");
    const failing = await startUpstream("a", (_req, res) => void res.writeHead(503).end());
    const upstreams = [
      { id: "a", url: failing.url },
      { id: "b", url: upstream.url },
    ];
    const { url, finished } = await startProxy(
      { upstreams, balance: "first", retry: { on: [503] } },
      {
        listener: (forward) => (req, res) =>
          tracer.startActiveSpan("GET", { kind: SpanKind.SERVER }, (span) => {
            res.on("close", () => span.end());
            forward(req, res);
          }),
      },
    );
    await fetchFrom(url);
    expect(drawTrees(await tracing.ended(3))).toBe(documentedTrees("A request behind another instrumentation"));
    const [event] = await finished(1);
    expect(event?.spanId).toBe(tracing.spans.find(({ kind }) => kind === SpanKind.SERVER)?.spanContext().spanId);
  });

  test.each(["the proxy's own", "the app's"])("is no parent if it is that of the start of %s server", async (whose) => {
    const upstream = await startUpstream("a");
    const tracing = startTracing();
    const boot = tracing.provider.getTracer("app").startSpan("boot");
    const proxy = createProxy({ upstreams: [{ id: "a", url: upstream.url }] });
    onTestFinished(() => proxy.close({ timeout: "0ms" }));
    const server = createServer(proxy.handler);
    onTestFinished(() => void server.close());
    const url = await context.with(trace.setSpan(ROOT_CONTEXT, boot), async () => {
      if (whose === "the proxy's own") return String((await proxy.listen("127.0.0.1:0")).urls[0]);
      await once(server.listen(0, "127.0.0.1"), "listening");
      // An app's own code may be in front of a proxy in its server: there, only an ended span is known to be another's.
      boot.end();
      return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    });
    await fetchFrom(url);
    await tracing.ended(whose === "the app's" ? 3 : 2);
    boot.end();
    expect(drawTrees(tracing.spans)).toBe(
      ["INTERNAL boot", "SERVER GET /* 200", "  CLIENT GET 200 upstream=a", ""].join("\n"),
    );
  });
});

test("an ended span of a middleware does not hide the one of an instrumentation in front of it", async () => {
  const upstream = await startUpstream("a");
  const tracing = startTracing();
  const tracer = tracing.provider.getTracer("app");
  const { url, finished } = await startProxy(
    { upstreams: [{ id: "a", url: upstream.url }] },
    {
      // As instrumentation-http does.
      listener: (forward) => (req, res) => {
        const span = tracer.startSpan("GET", { kind: SpanKind.SERVER });
        res.on("close", () => span.end());
        const inFront = trace.setSpan(context.active(), span);
        context.with(setRPCMetadata(inFront, { type: RPCType.HTTP, span }), () =>
          tracer.startActiveSpan("auth", (auth) => {
            auth.end();
            forward(req, res);
          }),
        );
      },
    },
  );
  await fetchFrom(url);
  expect(drawTrees(await tracing.ended(3))).toBe(
    ["SERVER GET", "  INTERNAL auth", "  CLIENT GET 200 upstream=a", ""].join("\n"),
  );
  const [event] = await finished(1);
  expect(event?.spanId).toBe(tracing.spans.find(({ kind }) => kind === SpanKind.SERVER)?.spanContext().spanId);
});

describe("a target with user info", () => {
  test.each([
    ["CONNECT", "user:secret@a:443", undefined],
    ["GET", "ftp://user:secret@a/", undefined],
    ["GET", "http:user:secret@a/", undefined],
    ["GET", "http://user:secret@a/path", "/path"],
    ["GET", "//user:secret@a/path", "//***@a/path"],
    ["GET", "/path?next=https://user:secret@a/", "/path"],
  ])("is in no attribute of spans and no recorded failure: %s %s", async (method, target, path) => {
    const upstream = await startUpstream("a");
    const tracing = startTracing();
    const { proxy } = await startProxy({ upstreams: [upstream.url] });
    const [url = ""] = (await proxy.listen("127.0.0.1:0")).urls;
    const socket = connect(Number(new URL(url).port), "127.0.0.1");
    socket.resume().write(`${method} ${target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`);
    await once(socket, "close");
    await until(() => tracing.spans.some(({ kind }) => kind === SpanKind.SERVER));
    const server = tracing.spans.find(({ kind }) => kind === SpanKind.SERVER);
    expect(server?.attributes["url.path"] || undefined).toBe(path);
    const shown = [tracing.spans.map(({ attributes }) => attributes), proxy.recentFailures()];
    expect(JSON.stringify(shown)).not.toContain("secret");
  });
});

test("secrets in a query are found by their decoded names, in linear time", () => {
  const query = "api%5Fkey=1&token=a=b;Signature=x&%=%&a&=b&next=https://u:p@h&plain=x@y";
  expect(redactQuery(query)).toBe(
    "api%5Fkey=REDACTED&token=REDACTED;Signature=REDACTED&%=%&a&=b&next=https://***@h&plain=x@y",
  );
  const startedAt = performance.now();
  redactQuery("a".repeat(200_000));
  // With a quadratic expression: minutes.
  expect(performance.now() - startedAt).toBeLessThan(1_000);
});

test("hooks run in the span of their request, and none in that of an attempt", async () => {
  const upstream = await startUpstream("a");
  const tracing = startTracing();
  const active: (string | undefined)[] = [];
  const note = () => void active.push(trace.getActiveSpan()?.spanContext().spanId);
  const { proxy, url, finished } = await startProxy(
    { upstreams: [upstream.url] },
    { runtime: { onRequest: note, onResponse: note } },
  );
  proxy.on("request", note);
  await fetchFrom(url);
  await finished(1);
  const [, server] = await tracing.ended(2);
  expect(active).toEqual(Array(3).fill(server?.spanContext().spanId));
});

describe("without sockets", () => {
  /** The trees of one request to upstreams in memory. */
  async function treesOf(
    options: Parameters<typeof startLab>[0],
    count: number,
    play?: (lab: ReturnType<typeof startLab>) => Promise<void>,
  ) {
    const tracing = startTracing();
    const lab = startLab(options);
    const done = lab.begin("/", {}).ended();
    await play?.(lab);
    const ended = tracing.ended(count);
    await until(async () => {
      await lab.clock.advanceAsync(100);
      return tracing.spans.length >= count;
    });
    await done;
    return { trees: drawTrees(await ended), spans: tracing.spans };
  }

  test("a connection that is refused is a span with an error, and the next attempt is a resend", async () => {
    const upstreams = [
      { id: "a", url: refusingUpstream().url },
      { id: "b", url: scriptedUpstream("b").url },
    ];
    const { trees, spans } = await treesOf({ upstreams, balance: "first" }, 3);
    expect(trees).toBe(documentedTrees("A retry"));
    expect(spans.map(({ attributes }) => attributes["http.request.resend_count"])).toEqual([undefined, 1, undefined]);
    expect(spans.at(-1)?.attributes["evenkeel.flags"]).toEqual(["retried"]);
  });

  test("a failed request is an error, and an error of the client is none", async () => {
    const { trees } = await treesOf(
      { upstreams: [{ id: "a", url: refusingUpstream().url }], retry: { connectFor: "0s" } },
      2,
    );
    expect(trees).toBe(
      [
        "SERVER GET /* 502 ERROR error.type=connect_refused",
        "  CLIENT GET ERROR error.type=connect_refused upstream=a",
        "",
      ].join("\n"),
    );
    const tracing = startTracing();
    const lab = startLab({
      routes: [{ path: "/api", pool: "a" }],
      pools: { a: { upstreams: [scriptedUpstream("a", (request) => request.respond(404, [], "")).url] } },
    });
    await lab.fetch("/nowhere", { method: "PURGE" });
    await lab.fetch("/api");
    expect(drawTrees(await tracing.ended(3))).toMatch(
      /^SERVER HTTP 404 error\.type=no_route\nSERVER GET \/api\/\* 404\n {2}CLIENT GET 404 ERROR error\.type=404 upstream=\S+\n$/,
    );
    expect(tracing.spans[0]?.attributes).toMatchObject({
      "http.request.method": "_OTHER",
      "http.request.method_original": "PURGE",
    });
  });

  test("a gRPC call has the name of its status, beside the status of HTTP", async () => {
    const grpc = ["Content-Type", "application/grpc"];
    const upstream = scriptedUpstream("a", (request) => {
      request.begin(200, [...grpc, "grpc-status", "5"], 0);
      request.end();
    });
    const tracing = startTracing();
    const lab = startLab({ upstreams: [upstream.url] });
    await lab.fetch("/users.Users/Get", { method: "POST", headers: [...grpc, "TE", "trailers"], body: "" });
    for (const { attributes } of await tracing.ended(2)) {
      expect(attributes).toMatchObject({ "http.response.status_code": 200, "rpc.response.status_code": "NOT_FOUND" });
    }
  });

  test("the time in the queue is an event, and so is the wait for the end of an outage", async () => {
    const held: UpstreamRequest[] = [];
    const upstream = scriptedUpstream("a", (request) => void held.push(request));
    const options = { upstreams: [{ id: "a", url: upstream.url, maxInFlight: 1 }] };
    const tracing = startTracing();
    const lab = startLab(options);
    const first = lab.fetch("/first");
    await until(() => held.length === 1);
    const second = lab.fetch("/second");
    await until(() => lab.pool.queue.depth === 1);
    await lab.clock.advanceAsync(250);
    held.shift()?.respond(200, [], "");
    await until(() => held.length === 1);
    held.shift()?.respond(200, [], "");
    await Promise.all([first, second]);
    const spans = await tracing.ended(4);
    const server = spans.find(({ attributes }) => attributes["url.path"] === "/second");
    const trace = server?.spanContext().traceId;
    expect(drawTrees(spans.filter((span) => span.spanContext().traceId === trace))).toBe(
      documentedTrees("A request that has waited in the queue"),
    );
    expect(server?.events).toMatchObject([{ name: "evenkeel.queue", attributes: { "evenkeel.wait_ms": 250 } }]);

    upstream.refuses = true;
    const third = lab.fetch("/third");
    await until(() => lab.pool.outage.depth === 1);
    upstream.refuses = false;
    upstream.respond = (request) => request.respond(200, [], "");
    await lab.clock.advanceAsync(1_000);
    await third;
    const last = (await tracing.ended(7)).find(({ attributes }) => attributes["url.path"] === "/third");
    expect(last?.events.map(({ name }) => name)).toEqual(["evenkeel.outage", "evenkeel.retry"]);
    expect(last?.events[0]?.attributes?.["evenkeel.wait_ms"]).toBeGreaterThan(0);
  });
});

test("a client that leaves ends both spans, with no status", async () => {
  const upstream = await startUpstream("a", () => {});
  const tracing = startTracing();
  const { url } = await startProxy({ upstreams: [{ id: "a", url: upstream.url }] });
  const request = begin(url);
  request.on("error", () => {}).end();
  await until(() => upstream.received.length === 1);
  request.destroy();
  expect(drawTrees(await tracing.ended(2))).toBe(documentedTrees("A request whose client has left"));
});

test("a WebSocket: the attempt ends with the handshake, the request with the tunnel", async () => {
  const upstream = await startEcho();
  const tracing = startTracing();
  const { url } = await startProxy({ upstreams: [{ id: "a", url: upstream.url }] });
  const socket = await connectSocket(`${url}/chat`, [], { headers: { traceparent, tracestate: "a=1" } });
  const [client] = await tracing.ended(1);
  expect(sent(upstream)).toBe(`00-${traceId}-${client?.spanContext().spanId}-01`);
  socket.close();
  await closeCode(socket);
  expect(drawTrees(await tracing.ended(2))).toBe(documentedTrees("A WebSocket"));
});

test("an outbound request: its attempts are children of the span that is active at the call", async () => {
  const upstream = await startUpstream("b");
  const failing = await startUpstream("a", (_req, res) => void res.writeHead(503).end());
  const tracing = startTracing();
  const upstreams = [
    { id: "a", url: failing.url },
    { id: "b", url: upstream.url },
  ];
  const { proxy } = await startProxy({ upstreams, balance: "first", retry: { on: [503] } });
  const { fetch } = proxy.outbound("default");
  await tracing.provider.getTracer("app").startActiveSpan("job", async (span) => {
    await (await fetch("/users")).text();
    span.end();
  });
  expect(drawTrees(await tracing.ended(3))).toBe(documentedTrees("A request of the app itself"));
  expect(sent(upstream)).toContain(tracing.spans.find(({ name }) => name === "job")?.spanContext().traceId);
  await (await fetch("/")).text();
  expect(drawTrees((await tracing.ended(5)).slice(3))).toContain("CLIENT GET 200 upstream=b");
});

test("probes have spans of their own only on demand, without a parent", async () => {
  const upstream = await startUpstream("a");
  const healthCheck = { path: "/health", fastInterval: "100ms", timeout: "1s" };
  const off = startTracing();
  await startProxy({ upstreams: [upstream.url], healthCheck });
  await until(() => upstream.received.length > 0);
  await fetchFrom(upstream.url);
  expect(off.spans).toEqual([]);
  const on = startTracing({ probes: true });
  await startProxy({ upstreams: [{ id: "a", url: upstream.url }], healthCheck });
  const [span] = await on.ended(1);
  expect(span).toMatchObject({ kind: SpanKind.CLIENT, name: "GET", parentSpanContext: undefined });
  expect(span?.attributes).toMatchObject({ "evenkeel.probe": "http", "http.response.status_code": 200 });
  expect(upstream.received.every(({ headers }) => headers["traceparent"] === undefined)).toBe(true);
});

test("an exception in a span processor affects no request", async () => {
  const upstream = await startUpstream("a");
  const fail = () => {
    throw new Error("a bug");
  };
  const processor = { onStart: fail, onEnd: fail, shutdown: async () => {}, forceFlush: async () => {} };
  startTracing({ processors: [processor] });
  const { url, finished } = await startProxy({ upstreams: [upstream.url] });
  const socketless = await Promise.all([fetchFrom(url), fetchFrom(url)]);
  expect(socketless.map(({ text }) => text)).toEqual(["a", "a"]);
  expect(await finished(2)).toHaveLength(2);
  expect(sent(upstream)).toBeUndefined();
});
