import { expect, test } from "vitest";
import { mergeSnapshots } from "../../src/observe/merge-snapshots.ts";
import { countsOf } from "../../src/observe/snapshot-counts.ts";
import type { UpstreamCondition, UpstreamSnapshot } from "../../src/snapshot.ts";
import { poolOf, snapshotOf, upstreamOf } from "../support/snapshots.ts";

const histogram = { bounds: [0.1, 1], counts: [1, 3], count: 4, sum: 2.5 };

const base = snapshotOf({
  time: 7,
  pools: [
    poolOf({
      discovery: {
        name: "api.internal",
        status: "ok",
        since: 2,
        lookups: { success: 1, failure: 0 },
        lastSuccess: 3,
        lastError: null,
        nextLookup: 9,
        passedOver: 0,
      },
      upstreams: [
        upstreamOf({ weight: 4, health: "healthy", probes: { success: 5, failure: 1 } }),
        upstreamOf({ id: "b" }),
      ],
    }),
  ],
  reloads: { succeeded: 2, failed: 1, lastSuccessful: false },
});

const one = snapshotOf({
  pools: [
    poolOf({
      inFlight: 2,
      tunnels: 1,
      queueDepth: 3,
      retries: { reset: 1 },
      retryBudgetExhausted: 1,
      bytesIn: 10,
      bytesOut: 20,
      outage: { since: 50, waiting: 2, until: null },
      upstreams: [
        upstreamOf({
          health: "unhealthy",
          effectiveWeight: 4,
          inFlight: 2,
          tunnels: 1,
          outcomes: { success: 3, reset: 1 },
          ejections: { "failure-ratio": 1 },
          latency: histogram,
          lastFailure: { code: "reset", at: 5 },
        }),
        upstreamOf({ id: "b", available: false, ejectedUntil: 100 }),
      ],
    }),
  ],
  requests: [{ route: "/*", pool: "api", method: "GET", code: 200, count: 3 }],
  grpcCalls: [{ route: "/*", pool: "api", status: "OK", count: 1 }],
  errors: [{ route: "/*", pool: "api", code: 200, error: "response_truncated", source: "upstream", count: 1 }],
  durations: [{ route: "/*", pool: "api", histogram }],
  reloads: { succeeded: 2, failed: 0, lastSuccessful: true },
});

const two = snapshotOf({
  pools: [
    poolOf({
      serving: false,
      panic: true,
      inFlight: 1,
      retries: { reset: 2, "503": 1 },
      bytesIn: 1,
      outage: { since: 40, waiting: 1, until: 90 },
      upstreams: [
        upstreamOf({
          effectiveWeight: 1,
          slowStart: 0.5,
          feedback: 0.5,
          outcomes: { success: 2 },
          latency: histogram,
          lastFailure: { code: "connect_refused", at: 6 },
        }),
        upstreamOf({ id: "b", available: false, ejectedUntil: 120, onTrial: true }),
        upstreamOf({ id: "unknown to the base" }),
      ],
    }),
    poolOf({ name: "unknown to the base" }),
  ],
  requests: [
    { route: "/*", pool: "api", method: "GET", code: 200, count: 2 },
    { route: "/*", pool: "api", method: "GET", code: 502, count: 1 },
  ],
  errors: [
    { route: "/*", pool: "api", code: 502, error: "connect_refused", source: "upstream", count: 1 },
    { route: "/*", pool: "api", code: 200, error: "response_truncated", source: "upstream", count: 2 },
  ],
  durations: [{ route: "/*", pool: "api", histogram }],
});

const twice = { bounds: [0.1, 1], counts: [2, 6], count: 8, sum: 5 };

test("counts and what is in flight are sums, and the base decides what there is", () => {
  const merged = mergeSnapshots(base, [one, two]);
  expect(merged).toMatchObject({
    time: 7,
    requests: [
      { route: "/*", pool: "api", method: "GET", code: 200, count: 5 },
      { route: "/*", pool: "api", method: "GET", code: 502, count: 1 },
    ],
    grpcCalls: [{ route: "/*", pool: "api", status: "OK", count: 1 }],
    errors: [
      { route: "/*", pool: "api", code: 200, error: "response_truncated", source: "upstream", count: 3 },
      { route: "/*", pool: "api", code: 502, error: "connect_refused", source: "upstream", count: 1 },
    ],
    durations: [{ route: "/*", pool: "api", histogram: twice }],
    reloads: { succeeded: 2, failed: 1, lastSuccessful: false },
  });
  expect(merged.pools.map(({ name }) => name)).toEqual(["api"]);
  expect(merged.pools[0]).toMatchObject({
    inFlight: 3,
    tunnels: 1,
    queueDepth: 3,
    queueMax: 100,
    retries: { reset: 3, "503": 1 },
    retryBudgetExhausted: 1,
    bytesIn: 11,
    bytesOut: 20,
    discovery: { status: "ok", lookups: { success: 1, failure: 0 } },
  });
  const [a, ...others] = merged.pools[0]?.upstreams ?? [];
  expect(others.map(({ id }) => id)).toEqual(["b"]);
  expect(a).toMatchObject({
    weight: 4,
    health: "healthy",
    inFlight: 2,
    tunnels: 1,
    outcomes: { success: 5, reset: 1 },
    ejections: { "failure-ratio": 1 },
    probes: { success: 5, failure: 1 },
    latency: twice,
    lastFailure: { code: "connect_refused", at: 6 },
  });
  expect(a?.quantiles.p50).toBeCloseTo(550);
});

test("what workers decide by their own traffic comes from them, and not from the base", () => {
  const [api] = mergeSnapshots(base, [one, two]).pools;
  expect(api).toMatchObject({ available: 1, serving: true, panic: true });
  expect(api?.outage).toEqual({ since: 40, waiting: 3, until: 90 });
  const [a, b] = api?.upstreams ?? [];
  expect(a).toMatchObject({ available: true, effectiveWeight: 2.5, slowStart: 0.75, feedback: 0.75, ejectedIn: 0 });
  expect(b).toMatchObject({ available: false, ejectedUntil: 120, ejectedIn: 2, onTrial: true });
});

test("a worker that drains counts, but decides nothing", () => {
  const [api] = mergeSnapshots(base, [{ ...one, draining: true }, two]).pools;
  expect(api).toMatchObject({ serving: false, inFlight: 3, retries: { reset: 3 } });
  expect(api?.upstreams[0]).toMatchObject({ effectiveWeight: 1, outcomes: { success: 5 } });
  expect(api?.upstreams[1]).toMatchObject({ ejectedIn: 1 });
});

test("without workers the base decides, and no upstream is ejected in a worker", () => {
  const merged = mergeSnapshots(base, []);
  expect(merged).toEqual({ ...base, pools: [{ ...base.pools[0], available: 2 }] });
  expect(Object.isFrozen(merged.pools[0]?.upstreams[0]?.outcomes)).toBe(true);
});

test("a group that drains counts with its reloads, and decides nothing; retired counts are added", () => {
  const leaving = [snapshotOf({ ...one, draining: true })];
  const merged = mergeSnapshots(base, [two], { leaving, retired: [countsOf(one)] });
  expect(merged.reloads).toEqual({ succeeded: 6, failed: 1, lastSuccessful: false });
  expect(merged.requests[0]?.count).toBe(3 + 2 + 3);
  expect(merged.pools[0]).toMatchObject({ serving: false, inFlight: 3, retries: { reset: 4 } });
});

test("a histogram with other bounds, of another version, never adds more than is certain", () => {
  const older = snapshotOf({
    durations: [{ route: "", pool: "", histogram: { bounds: [0.5, 2], counts: [2, 3], count: 5, sum: 9 } }],
  });
  const newer = snapshotOf({ durations: [{ route: "", pool: "", histogram }] });
  expect(mergeSnapshots(newer, [older]).durations[0]?.histogram).toEqual({
    bounds: [0.1, 1],
    counts: [1, 5],
    count: 9,
    sum: 11.5,
  });
});

test("the sum of durations does not depend on the order of the workers, so that it never decreases", () => {
  const sums = [0.1, 0.2, 0.3, 1_234.567_891, 0.7];
  const workers = sums.map((sum) => {
    return snapshotOf({ durations: [{ route: "/*", pool: "api", histogram: { ...histogram, sum } }] });
  });
  const sumOf = (all: typeof workers) => mergeSnapshots(snapshotOf({}), all).durations[0]?.histogram.sum;
  const retired = mergeSnapshots(snapshotOf({}), workers.slice(2), { retired: workers.slice(0, 2).map(countsOf) });
  expect(sumOf(workers)).toBe(1_235.867_891);
  expect(sumOf(workers.toReversed())).toBe(1_235.867_891);
  expect(retired.durations[0]?.histogram.sum).toBe(1_235.867_891);
});

test("the condition of operators and health checks is that of the base, and that of traffic comes from the workers", () => {
  const since = 5;
  const healthy = { status: "healthy", since, reason: "status 200" } as const;
  const unhealthy = { status: "unhealthy", since, reason: "timeout" } as const;
  const draining = { status: "draining", since, reason: "set by an operator" } as const;
  const warming = (from: number) => ({ status: "warming", since: from, reason: "slow start" }) as const;
  const ejected = (from: number, until: number) =>
    ({ status: "ejected", since: from, reason: "failure-ratio", cause: "status 500", until }) as const;
  const full = { status: "full", since: null, reason: "2 of 2 in flight" } as const;
  const failing = { status: "failing", since: 8, reason: "connect_refused" } as const;
  const of = (condition: UpstreamCondition) =>
    snapshotOf({ pools: [poolOf({ upstreams: [upstreamOf({ condition })] })] });
  const merged = (own: UpstreamCondition, ...workers: UpstreamCondition[]) =>
    mergeSnapshots(of(own), workers.map(of)).pools[0]?.upstreams[0]?.condition;

  expect(merged(healthy)).toEqual(healthy);
  expect(merged(healthy, { ...healthy, since: 7 }, { ...healthy, since: 9 })).toEqual(healthy);
  expect(merged(draining, ejected(1, 2), ejected(1, 2))).toEqual(draining);
  expect(merged(unhealthy, ejected(1, 2), healthy)).toEqual(unhealthy);
  expect(merged(healthy, ejected(9, 20), ejected(8, 30))).toEqual(ejected(8, 30));
  const inOne = { ...ejected(9, 20), reason: "failure-ratio, in 1 of 2 workers" };
  expect(merged(healthy, healthy, ejected(9, 20))).toEqual(inOne);
  expect(merged(healthy, warming(7), ejected(9, 20))).toEqual(inOne);
  expect(merged(healthy, failing, healthy)).toEqual({ ...failing, reason: "connect_refused, in 1 of 2 workers" });
  expect(merged(healthy, full, full)).toEqual(full);
  expect(merged(healthy, full, healthy)).toEqual(healthy);
  expect(merged(healthy, warming(7), warming(6))).toEqual(warming(6));
  // The slow start of the base has no meaning.
  expect(merged(warming(7), healthy, healthy)).toEqual(healthy);
});

test("a group serves since its first worker does, and does not since the last one ceased", () => {
  const of = (serving: boolean, since: number) => snapshotOf({ pools: [poolOf({ serving, since })] });
  const merged = (...workers: ReturnType<typeof of>[]) => mergeSnapshots(of(true, 1), workers).pools[0];
  expect(merged()).toMatchObject({ serving: true, since: 1 });
  expect(merged(of(true, 7), of(true, 5), of(false, 9))).toMatchObject({ serving: true, since: 5 });
  expect(merged(of(false, 7), of(false, 9))).toMatchObject({ serving: false, since: 9 });
});

test("the last probe is the latest of all, and the proxy has started with the base", () => {
  const probe = (at: number) => ({ at, ok: true, reason: "status 200", durationMs: 1 });
  const of = (lastProbe: ReturnType<typeof probe> | null, startedAt: number) =>
    snapshotOf({ startedAt, pools: [poolOf({ upstreams: [upstreamOf({ lastProbe, serverErrors: 2 })] })] });
  const merged = mergeSnapshots(of(probe(4), 10), [of(null, 20), of(probe(9), 30)]);
  expect(merged.startedAt).toBe(10);
  expect(merged.pools[0]?.upstreams[0]).toMatchObject({ lastProbe: probe(9), serverErrors: 6 });
});

test("counts of an earlier version without the newer ones are added, too", () => {
  const { serverErrors: _, ...earlier } = upstreamOf({ outcomes: { success: 1 } });
  const old = snapshotOf({ pools: [poolOf({ upstreams: [earlier as UpstreamSnapshot] })] });
  const merged = mergeSnapshots(snapshotOf({ pools: [poolOf({ upstreams: [upstreamOf({ serverErrors: 1 })] })] }), [], {
    leaving: [old],
  });
  expect(merged.pools[0]?.upstreams[0]).toMatchObject({ serverErrors: 1, outcomes: { success: 1 } });
});
