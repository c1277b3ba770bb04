import { once } from "node:events";
import { connect } from "node:net";
import { createProxy } from "evenkeel";
import { register } from "prom-client";
import { expect, onTestFinished, test } from "vitest";
import { refusingUrl } from "../../core/test/support/refusing-port.ts";
import { createAdmin } from "../src/index.ts";
import { parseExposition, sampleValue } from "./support/exposition.ts";
import {
  discoverySnapshot,
  poolSnapshot,
  proxySnapshot,
  proxyWith,
  serve,
  serveAdmin,
  upstreamSnapshot,
} from "./support/harness.ts";

const histogram = { bounds: [0.01, 0.1, 1], counts: [1, 3, 3], count: 4, sum: 5.25 };

const full = proxySnapshot({
  pools: [
    poolSnapshot({
      inFlight: 3,
      tunnels: 2,
      queueDepth: 7,
      queueMax: 9,
      outage: { since: 1, waiting: 8, until: null },
      panic: true,
      retries: { connect_refused: 4, 503: 1 },
      retryBudgetExhausted: 5,
      bytesIn: 100,
      bytesOut: 20_000,
      discovery: discoverySnapshot({ lookups: { success: 6, failure: 1 } }),
      upstreams: [
        upstreamSnapshot({
          weight: 5,
          effectiveWeight: 0.3125,
          slowStart: 0.5,
          feedback: 0.25,
          announced: 0.5,
          ejections: { "consecutive-failures": 2, "trial-failed": 1 },
          inFlight: 3,
          maxInFlight: 30,
          outcomes: { success: 10, reset: 2, aborted: 1 },
          serverErrors: 4,
          probes: { success: 8, failure: 3 },
          latency: histogram,
        }),
        upstreamSnapshot({
          id: 'b"\\\n',
          available: false,
          condition: { status: "ejected", since: 1, reason: "consecutive-failures" },
        }),
      ],
    }),
  ],
  requests: [
    { route: "/api", pool: "api", method: "GET", code: 200, count: 12 },
    { route: "/api", pool: "api", method: "other", code: 502, count: 1 },
  ],
  errors: [{ route: "/api", pool: "api", code: 200, error: "response_truncated", source: "upstream", count: 2 }],
  grpcCalls: [{ route: "/api", pool: "api", status: "UNAVAILABLE", count: 6 }],
  durations: [{ route: "/api", pool: "api", histogram }],
  reloads: { succeeded: 2, failed: 1, lastSuccessful: false },
});

async function scrape(snapshot = full) {
  const { send } = await serve(createAdmin(proxyWith(() => snapshot)).handler);
  const reply = await send("GET", "/metrics");
  expect(reply.status).toBe(200);
  expect(reply.headers["content-type"]).toBe("text/plain; version=0.0.4; charset=utf-8");
  return parseExposition(reply.text);
}

test("has everything that the snapshot counts", async () => {
  const families = await scrape();
  const a = { pool: "api", upstream: "a" };
  expect(
    sampleValue(families, "evenkeel_requests_total", { route: "/api", pool: "api", method: "GET", code: "200" }),
  ).toBe(12);
  const unavailable = { route: "/api", pool: "api", status: "UNAVAILABLE" };
  expect(sampleValue(families, "evenkeel_grpc_calls_total", unavailable)).toBe(6);
  const truncated = { route: "/api", pool: "api", code: "200", error: "response_truncated", source: "upstream" };
  expect(sampleValue(families, "evenkeel_request_errors_total", truncated)).toBe(2);
  expect(sampleValue(families, "evenkeel_pool_serving", { pool: "api" })).toBe(1);
  expect(sampleValue(families, "evenkeel_pool_panic", { pool: "api" })).toBe(1);
  expect(sampleValue(families, "evenkeel_pool_outage", { pool: "api" })).toBe(1);
  expect(sampleValue(families, "evenkeel_requests_in_flight", { pool: "api" })).toBe(3);
  expect(sampleValue(families, "evenkeel_upstream_requests_total", { ...a, outcome: "reset" })).toBe(2);
  expect(sampleValue(families, "evenkeel_upstream_in_flight", a)).toBe(3);
  // The other upstream has no limit.
  expect(families.get("evenkeel_upstream_in_flight_limit")?.samples).toMatchObject([{ labels: a, value: 30 }]);
  expect(sampleValue(families, "evenkeel_upstream_available", a)).toBe(1);
  expect(sampleValue(families, "evenkeel_upstream_available", { pool: "api", upstream: 'b"\\\n' })).toBe(0);
  expect(sampleValue(families, "evenkeel_upstream_server_errors_total", a)).toBe(4);
  const ejected = { pool: "api", upstream: 'b"\\\n', status: "ejected" };
  expect(sampleValue(families, "evenkeel_upstream_status", ejected)).toBe(1);
  expect(families.get("evenkeel_upstream_status")?.samples).toHaveLength(2);
  expect(sampleValue(families, "evenkeel_upstream_weight", { ...a, kind: "configured" })).toBe(5);
  expect(sampleValue(families, "evenkeel_upstream_weight", { ...a, kind: "effective" })).toBe(0.3125);
  expect(sampleValue(families, "evenkeel_upstream_weight", { ...a, kind: "slow_start" })).toBe(0.5);
  expect(sampleValue(families, "evenkeel_upstream_weight", { ...a, kind: "feedback" })).toBe(0.25);
  expect(sampleValue(families, "evenkeel_upstream_weight", { ...a, kind: "announced" })).toBe(0.5);
  expect(sampleValue(families, "evenkeel_ejections_total", { ...a, reason: "consecutive-failures" })).toBe(2);
  expect(sampleValue(families, "evenkeel_ejections_total", { ...a, reason: "failure-ratio" })).toBe(0);
  expect(sampleValue(families, "evenkeel_ejections_total", { ...a, reason: "trial-failed" })).toBe(1);
  expect(sampleValue(families, "evenkeel_retries_total", { pool: "api", reason: "connect_refused" })).toBe(4);
  expect(sampleValue(families, "evenkeel_retries_total", { pool: "api", reason: "503" })).toBe(1);
  expect(sampleValue(families, "evenkeel_retry_budget_exhausted_total", { pool: "api" })).toBe(5);
  expect(sampleValue(families, "evenkeel_health_checks_total", { ...a, result: "success" })).toBe(8);
  expect(sampleValue(families, "evenkeel_health_checks_total", { ...a, result: "failure" })).toBe(3);
  expect(sampleValue(families, "evenkeel_queue_depth", { pool: "api" })).toBe(7);
  expect(sampleValue(families, "evenkeel_queue_limit", { pool: "api" })).toBe(9);
  expect(sampleValue(families, "evenkeel_outage_waiting", { pool: "api" })).toBe(8);
  expect(sampleValue(families, "evenkeel_tunnels", { pool: "api" })).toBe(2);
  expect(sampleValue(families, "evenkeel_discovery_lookups_total", { pool: "api", result: "success" })).toBe(6);
  expect(sampleValue(families, "evenkeel_discovery_lookups_total", { pool: "api", result: "failure" })).toBe(1);
  expect(sampleValue(families, "evenkeel_bytes_total", { pool: "api", direction: "in" })).toBe(100);
  expect(sampleValue(families, "evenkeel_bytes_total", { pool: "api", direction: "out" })).toBe(20_000);
  expect(sampleValue(families, "evenkeel_config_reloads_total", { result: "success" })).toBe(2);
  expect(sampleValue(families, "evenkeel_config_reloads_total", { result: "failure" })).toBe(1);
  expect(sampleValue(families, "evenkeel_config_last_reload_successful")).toBe(0);
  expect(sampleValue(families, "evenkeel_build_info", { version: "1.2.3" })).toBe(1);
});

test("histograms are in seconds, cumulative, and end with the count", async () => {
  const families = await scrape();
  const labels = { route: "/api", pool: "api" };
  const buckets = families
    .get("evenkeel_request_duration_seconds")
    ?.samples.filter(({ name }) => name.endsWith("_bucket"))
    .map((sample) => [sample.labels["le"], sample.value]);
  expect(buckets).toEqual([
    ["0.01", 1],
    ["0.1", 3],
    ["1", 3],
    ["+Inf", 4],
  ]);
  expect(sampleValue(families, "evenkeel_request_duration_seconds_sum", labels)).toBe(5.25);
  expect(sampleValue(families, "evenkeel_request_duration_seconds_count", labels)).toBe(4);
  expect(sampleValue(families, "evenkeel_upstream_duration_seconds_count", { pool: "api", upstream: "a" })).toBe(4);
});

test("types match the suffixes of the names", async () => {
  const families = await scrape();
  for (const { name, type, help } of families.values()) {
    if (!name.startsWith("evenkeel_")) continue;
    expect(help).not.toBe("");
    const promised = name.endsWith("_total") ? "counter" : name.endsWith("_duration_seconds") ? "histogram" : "gauge";
    expect([name, type]).toEqual([name, promised]);
  }
});

test("a proxy without pools and traffic has metrics too", async () => {
  const families = await scrape(proxySnapshot());
  expect(families.get("evenkeel_requests_total")?.samples).toEqual([]);
  expect(sampleValue(families, "evenkeel_config_last_reload_successful")).toBe(1);
});

test("process metrics are included, and the app's own registry is not touched", async () => {
  const families = await scrape();
  expect(families.get("process_cpu_user_seconds_total")?.samples.length).toBe(1);
  expect(families.get("nodejs_heap_size_used_bytes")?.samples.length).toBe(1);
  expect(families.get("nodejs_gc_duration_seconds")?.type).toBe("histogram");
  expect(register.getMetricsAsArray()).toEqual([]);
});

test("two admin APIs of one process, and concurrent scrapes, do not interfere", async () => {
  const one = await serve(createAdmin(proxyWith(() => full)).handler);
  const two = await serve(createAdmin(proxyWith(() => proxySnapshot({ version: "9.9.9" }))).handler);
  const replies = await Promise.all([one, two, one, two].map(({ send }) => send("GET", "/metrics")));
  const versions = replies.map(({ text }) => parseExposition(text).get("evenkeel_build_info")?.samples[0]?.labels);
  expect(versions).toEqual([{ version: "1.2.3" }, { version: "9.9.9" }, { version: "1.2.3" }, { version: "9.9.9" }]);
});

test("metrics can be switched off", async () => {
  const { send } = await serve(createAdmin(proxyWith(proxySnapshot), { metrics: false }).handler);
  expect((await send("GET", "/metrics")).status).toBe(404);
});

test("label injection: the metrics contain no byte that a client sent", async () => {
  const upstream = await serve((_, res) => res.end("ok"));
  const url = `http://127.0.0.1:${upstream.port}`;
  const proxy = createProxy({
    pools: { api: { upstreams: [{ id: "live", url }] }, down: { upstreams: [await refusingUrl()] } },
    routes: [
      { path: "/down", pool: "down" },
      { path: "/", pool: "api" },
    ],
  });
  onTestFinished(() => proxy.close({ timeout: "0s" }));
  const front = await serve(proxy.handler);
  for (let count = 0; count < 5; count++)
    await front.send("GET", "/hunter2?hunter2", { headers: { host: "hunter2.com" } });
  await front.send("PROPFIND", "/hunter2", { headers: { "user-agent": "hunter2" } });
  expect((await front.send("GET", "/down")).status).toBe(502);
  const socket = connect(front.port, "127.0.0.1");
  socket.end("HUNTER2 / HTTP/1.1\r\nHost: x\r\n\r\n");
  await once(socket.resume(), "close");

  const { send } = await serve(createAdmin(proxy).handler);
  const { text } = await send("GET", "/metrics");
  const families = parseExposition(text);
  expect(text.toLowerCase()).not.toContain("hunter2");
  expect(text).not.toContain("PROPFIND");
  expect(
    sampleValue(families, "evenkeel_upstream_requests_total", { pool: "api", upstream: "live", outcome: "success" }),
  ).toBe(6);
  expect(sampleValue(families, "evenkeel_upstream_duration_seconds_count", { pool: "api", upstream: "live" })).toBe(6);
  const requests = families.get("evenkeel_requests_total")?.samples ?? [];
  const of = (pool: string, method: string, code: string) =>
    requests.find(({ labels }) => labels["pool"] === pool && labels["method"] === method && labels["code"] === code)
      ?.value;
  expect([of("api", "GET", "200"), of("api", "other", "200"), of("down", "GET", "502")]).toEqual([5, 1, 1]);
});

test("a reload is counted", async () => {
  const options = { upstreams: ["http://127.0.0.1:3001"] };
  const { send, proxy } = await serveAdmin(options, { onReload: () => proxy.reload(options) });
  await send("POST", "/api/reload", { headers: { "content-type": "application/json" } });
  const families = parseExposition((await send("GET", "/metrics")).text);
  expect(sampleValue(families, "evenkeel_config_reloads_total", { result: "success" })).toBe(1);
});
