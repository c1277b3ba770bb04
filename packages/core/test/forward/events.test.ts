import { expect, test } from "vitest";
import type { ProxyOptions } from "../../src/config/options.ts";
import { until } from "../support/event-loop.ts";
import { startLab } from "../support/forward-lab.ts";
import { refusingUpstream, scriptedUpstream } from "../support/scripted-upstream.ts";

test("every request is told exactly once, whatever became of it, and counted the same", async () => {
  const fine = scriptedUpstream("fine");
  const silent = scriptedUpstream("silent", (request) => request.fail("headers_timeout"));
  const patient = scriptedUpstream("patient", () => {});
  const pools: Exclude<ProxyOptions, { upstreams?: unknown }>["pools"] = {
    fine: { upstreams: [{ id: "fine", url: fine.url }] },
    down: { upstreams: [refusingUpstream().url] },
    none: { upstreams: [] },
    silent: { upstreams: [silent.url] },
    patient: { upstreams: [patient.url] },
  };
  const routes = Object.keys(pools).map((pool) => ({ path: `/${pool}`, pool }));
  const lab = startLab({ pools, routes });
  for (const path of ["fine", "down", "none", "silent", "nowhere"]) await lab.fetch(`/${path}`);
  const leaver = lab.begin("/patient");
  await until(() => patient.received.length === 1);
  leaver.leave();
  await lab.finished(6);
  expect(lab.requests.map(({ url: path, status, error, pool }) => [path, status, error, pool])).toEqual([
    ["/fine", 200, undefined, "fine"],
    ["/down", 502, "connect_refused", "down"],
    ["/none", 503, "none_available", "none"],
    ["/silent", 504, "headers_timeout", "silent"],
    ["/nowhere", 404, "no_route", undefined],
    ["/patient", 499, "client_aborted", "patient"],
  ]);
  expect(new Set(lab.requests.map(({ requestId }) => requestId)).size).toBe(6);
  const { requests, durations } = lab.snapshot();
  expect(requests.map(({ code, count, pool }) => [pool, code, count])).toEqual([
    ["fine", 200, 1],
    ["down", 502, 1],
    ["none", 503, 1],
    ["silent", 504, 1],
    ["", 404, 1],
    ["patient", 499, 1],
  ]);
  expect(durations.reduce((sum, { histogram }) => sum + histogram.count, 0)).toBe(6);
});

test("a request is told with everything there is to know", async () => {
  const upstream = scriptedUpstream("a", (request) => {
    request.whenEnded(() => lab.clock.setTimeout(() => request.respond(200, [], "a"), 7));
  });
  const lab = startLab({ trustedProxies: ["127.0.0.1"], upstreams: [{ id: "a", url: upstream.url }] });
  const headers = {
    Host: "shop.example",
    "X-Forwarded-For": "1.2.3.4",
    "X-Request-Id": "r-1",
    traceparent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    "User-Agent": "curl",
    Referer: "/from",
    "Content-Length": "5",
  };
  const before = lab.clock.wallNow();
  const answer = lab.fetch("/x?y", { method: "POST", rawHeaders: Object.entries(headers).flat(), body: "hello" });
  await lab.clock.advanceAsync(7);
  await answer;
  const [event] = await lab.finished(1);
  expect(event).toEqual({
    time: before,
    requestId: "r-1",
    client: "1.2.3.4",
    method: "POST",
    host: "shop.example",
    url: "/x?y",
    protocol: "HTTP/1.1",
    status: 200,
    bytesIn: 5,
    bytesOut: 1,
    durationMs: 7,
    route: "/*",
    pool: "default",
    upstream: "a",
    attempts: [{ upstream: "a", status: 200, connectMs: 0, headersMs: 7 }],
    error: undefined,
    flags: [],
    traceparent: headers.traceparent,
    userAgent: "curl",
    referer: "/from",
  });
});

test("the answer to a HEAD counts no bytes", async () => {
  const lab = startLab({ pools: { none: {} } });
  await lab.fetch("/", { method: "HEAD" });
  expect((await lab.finished(1))[0]).toMatchObject({ status: 503, bytesOut: 0 });
});

test("attempts are told one by one, with the time each took", async () => {
  const upstream = scriptedUpstream("a", (request) => {
    request.begin(200);
    request.flush();
    lab.clock.setTimeout(() => request.end(), 5);
  });
  const upstreams = [
    { id: "down", url: refusingUpstream().url },
    { id: "a", url: upstream.url },
  ];
  const lab = startLab({ balance: "round-robin", upstreams });
  const told: object[] = [];
  lab.on("attempt", (event) => told.push(event));
  const answer = lab.fetch("/", { headers: { "X-Request-Id": "r-1" } });
  await lab.clock.advanceAsync(5);
  await answer;
  const [event] = await lab.finished(1);
  const names = { pool: "default", requestId: event?.requestId };
  expect(told).toEqual([
    { upstream: "down", error: "connect_refused", ...names, durationMs: 0 },
    { upstream: "a", status: 200, connectMs: 0, headersMs: 0, ...names, durationMs: 5 },
  ]);
});
