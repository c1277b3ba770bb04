import type { FailedRequest, Overview, PoolOverview, Traffic, UpstreamOverview } from "@evenkeel/admin";

/** 2026-01-01T12:00:00Z. */
export const noon = 1_767_268_800_000;

const idle: Traffic = { rate: 0, errorRatio: null, p50: null, p99: null };

export function upstreamOf(id: string, changes: Partial<UpstreamOverview> = {}): UpstreamOverview {
  return {
    id,
    url: `http://10.0.0.1/${id}`,
    backup: false,
    discovered: false,
    state: "active",
    status: "healthy",
    since: noon - 3_600_000,
    until: null,
    reason: null,
    weight: 1,
    effectiveWeight: 1,
    inFlight: 0,
    maxInFlight: null,
    tunnels: 0,
    traffic: idle,
    lastProbe: null,
    lastFailure: null,
    ejections: 0,
    ...changes,
  };
}

export function poolOf(name: string, upstreams: readonly UpstreamOverview[], changes: Partial<PoolOverview> = {}) {
  const pool: PoolOverview = {
    name,
    policy: "p2c",
    serving: true,
    panic: false,
    panicSince: null,
    since: noon,
    available: upstreams.filter(({ status }) => status === "healthy").length,
    total: upstreams.length,
    inFlight: 0,
    tunnels: 0,
    queueDepth: 0,
    queueMax: 100,
    outage: null,
    retriesPerSecond: 0,
    budgetExhaustedPerSecond: 0,
    traffic: idle,
    upstreams,
    ...changes,
  };
  return pool;
}

export function overviewOf(pools: readonly PoolOverview[], changes: Partial<Overview> = {}): Overview {
  return {
    time: noon,
    version: "1.2.3",
    startedAt: noon - 180_000,
    draining: false,
    role: "operator",
    sampleMs: 1_000,
    workers: null,
    reloads: { succeeded: 0, failed: 0, lastSuccessful: true },
    connections: { open: 12, limit: 10_000 },
    certificateExpiry: null,
    problems: [],
    traffic: idle,
    pools,
    ...changes,
  };
}

/** Two pools with two upstreams in trouble. */
export const troubled: Overview = overviewOf(
  [
    poolOf(
      "web",
      [
        upstreamOf("web-1", {
          weight: 3,
          effectiveWeight: 3,
          inFlight: 2,
          traffic: { rate: 61.26, errorRatio: 0, p50: 1.23, p99: 9.96 },
        }),
        upstreamOf("web-2", {
          status: "unhealthy",
          since: noon - 12_000,
          reason: "connect_refused",
          cause: "connect ECONNREFUSED 127.0.0.1:3002",
        }),
      ],
      { traffic: { rate: 61.26, errorRatio: 0, p50: 1.5, p99: 10 }, inFlight: 2, retriesPerSecond: 0.4 },
    ),
    poolOf("api", [
      upstreamOf("a", {
        status: "ejected",
        since: noon - 5_000,
        until: noon + 25_000,
        reason: "failure-ratio",
        effectiveWeight: 0.5,
        maxInFlight: 10,
        traffic: { rate: 4, errorRatio: 0.123, p50: 152, p99: 2_512 },
      }),
      upstreamOf("b", { tunnels: 3 }),
    ]),
  ],
  {
    problems: [
      {
        severity: "critical",
        pool: "web",
        upstream: "web-2",
        status: "unhealthy",
        since: noon - 12_000,
        until: null,
        text: "web/web-2 is unhealthy: connect_refused",
      },
      {
        severity: "warning",
        pool: "api",
        upstream: "a",
        status: "ejected",
        since: noon - 5_000,
        until: noon + 25_000,
        text: "api/a is ejected: failure-ratio",
      },
    ],
    traffic: { rate: 65.3, errorRatio: 0.0123, p50: 3.1, p99: 152 },
  },
);

export const failedRequest: FailedRequest = {
  time: noon,
  requestId: "r-1",
  method: "GET",
  host: "shop.example",
  path: "/cart",
  status: 502,
  error: "reset",
  cause: "read ECONNRESET",
  pool: "api",
  upstream: "b",
  attempts: [
    { upstream: "a", error: "reset" },
    { upstream: "b", status: 503 },
    { upstream: "c" },
    { upstream: "b", error: "reset" },
  ],
  durationMs: 12.34,
};
