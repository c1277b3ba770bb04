import { expect, test } from "vitest";
import { toLatencyBounds } from "../../src/config/resolve.ts";
import { RequestMetrics } from "../../src/observe/request-metrics.ts";
import { deepFrozen } from "../support/frozen.ts";

test("counts by route, pool, method and status, and times by route and pool", () => {
  const metrics = new RequestMetrics(toLatencyBounds());
  const labels = { route: "/api/*", pool: "api", method: "GET", status: 200 };
  metrics.count(labels, 4);
  metrics.count(labels, 6);
  metrics.count({ ...labels, status: 502 }, 1);
  metrics.count({ ...labels, method: "POST" }, 1);
  metrics.count({ ...labels, route: "/*", pool: "web" }, 1);
  expect(metrics.requests()).toEqual([
    { route: "/api/*", pool: "api", method: "GET", code: 200, count: 2 },
    { route: "/api/*", pool: "api", method: "GET", code: 502, count: 1 },
    { route: "/api/*", pool: "api", method: "POST", code: 200, count: 1 },
    { route: "/*", pool: "web", method: "GET", code: 200, count: 1 },
  ]);
  expect(metrics.durations().map(({ route, pool, histogram }) => [route, pool, histogram.count])).toEqual([
    ["/api/*", "api", 4],
    ["/*", "web", 1],
  ]);
});

test("a tunnel counts as a request, and its time is not a response time", () => {
  const metrics = new RequestMetrics(toLatencyBounds());
  metrics.count({ route: "/*", pool: "api", method: "GET", status: 101, tunnel: true }, 3_600_000);
  expect(metrics.requests()).toEqual([{ route: "/*", pool: "api", method: "GET", code: 101, count: 1 }]);
  expect(metrics.durations().map(({ histogram }) => histogram.count)).toEqual([0]);
});

test("counts gRPC calls by status as well", () => {
  const metrics = new RequestMetrics(toLatencyBounds());
  const labels = { route: "/*", pool: "api", method: "POST", status: 200 };
  for (const grpcStatus of [0, 14, 0, undefined]) metrics.count({ ...labels, grpcStatus }, 1);
  expect(metrics.grpcCalls()).toEqual([
    { route: "/*", pool: "api", status: "OK", count: 2 },
    { route: "/*", pool: "api", status: "UNAVAILABLE", count: 1 },
  ]);
  expect(deepFrozen(metrics.grpcCalls())).toBe(true);
});

test("counts errors by code and by the status that was sent", () => {
  const metrics = new RequestMetrics(toLatencyBounds());
  const labels = { route: "/*", pool: "api", method: "GET" };
  metrics.count({ ...labels, status: 502, error: "connect_refused" }, 1);
  metrics.count({ ...labels, status: 502, error: "connect_refused" }, 1);
  metrics.count({ ...labels, status: 200, error: "response_truncated" }, 1);
  metrics.count({ ...labels, status: 503 }, 1);
  expect(metrics.errors()).toEqual([
    { route: "/*", pool: "api", code: 502, error: "connect_refused", source: "upstream", count: 2 },
    { route: "/*", pool: "api", code: 200, error: "response_truncated", source: "upstream", count: 1 },
  ]);
  expect(deepFrozen(metrics.errors())).toBe(true);
});

test("a client cannot choose a label", () => {
  const metrics = new RequestMetrics(toLatencyBounds());
  for (const method of ["get", "PROPFIND", "__proto__", 'G="<>', "X".repeat(10_000)]) {
    metrics.count({ route: undefined, pool: undefined, method, status: 404 }, 1);
  }
  expect(metrics.requests()).toEqual([{ route: "", pool: "", method: "other", code: 404, count: 5 }]);
});

test("results are frozen", () => {
  const metrics = new RequestMetrics(toLatencyBounds());
  metrics.count({ route: "/*", pool: "web", method: "GET", status: 200 }, 1);
  expect(deepFrozen(metrics.requests())).toBe(true);
  expect(deepFrozen(metrics.durations())).toBe(true);
});
