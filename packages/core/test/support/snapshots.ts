import type { PoolSnapshot, ProxySnapshot, UpstreamSnapshot } from "../../src/snapshot.ts";

export function upstreamOf(changes: Partial<UpstreamSnapshot> = {}): UpstreamSnapshot {
  return {
    id: "a",
    url: "http://127.0.0.1:3001",
    backup: false,
    discovered: false,
    condition: { status: "unchecked", since: 0, reason: null },
    state: "active",
    health: "unknown",
    available: true,
    weight: 1,
    effectiveWeight: 1,
    slowStart: 1,
    feedback: 1,
    announced: 1,
    ejectedUntil: null,
    onTrial: false,
    ejections: {},
    inFlight: 0,
    maxInFlight: null,
    tunnels: 0,
    outcomes: {},
    serverErrors: 0,
    probes: { success: 0, failure: 0 },
    lastProbe: null,
    latency: { bounds: [0.1, 1], counts: [0, 0], count: 0, sum: 0 },
    quantiles: { p50: null, p90: null, p99: null },
    lastFailure: null,
    ...changes,
  };
}

export function poolOf(changes: Partial<PoolSnapshot> = {}): PoolSnapshot {
  return {
    name: "api",
    policy: "p2c",
    available: 1,
    panic: false,
    serving: true,
    since: 0,
    inFlight: 0,
    tunnels: 0,
    queueDepth: 0,
    queueMax: 100,
    outage: null,
    retries: {},
    retryBudgetExhausted: 0,
    bytesIn: 0,
    bytesOut: 0,
    discovery: null,
    upstreams: [upstreamOf()],
    ...changes,
  };
}

export function snapshotOf(changes: Partial<ProxySnapshot> = {}): ProxySnapshot {
  return {
    time: 0,
    startedAt: 0,
    draining: false,
    version: "1.2.3",
    pools: [poolOf()],
    requests: [],
    grpcCalls: [],
    errors: [],
    durations: [],
    reloads: { succeeded: 0, failed: 0, lastSuccessful: true },
    ...changes,
  };
}
