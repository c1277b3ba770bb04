import type { PoolSnapshot, ProxySnapshot, UpstreamSnapshot } from "evenkeel";
import { describe, expect, test } from "vitest";
import { History } from "../../src/history/history.ts";
import { limits } from "../../src/limits.ts";
import { poolSnapshot, proxySnapshot, upstreamSnapshot } from "../support/harness.ts";

const bounds = [0.01, 0.1, 1];

/** A histogram with the given numbers of durations in each bucket, and one more above all bounds. */
function histogram(...counts: number[]) {
  const cumulative = counts.map((_, index) => counts.slice(0, index + 1).reduce((sum, count) => sum + count, 0));
  return { bounds, counts: cumulative.slice(0, bounds.length), count: cumulative.at(-1) ?? 0, sum: 1 };
}

interface Sent {
  readonly ok: number;
  readonly failed?: number;
  readonly time?: number;
}

/** A proxy with one pool and one upstream that has had so many requests, each below 10 ms. */
function snapshotAfter({ ok, failed = 0, time = 0 }: Sent, changes: Partial<UpstreamSnapshot> = {}): ProxySnapshot {
  const upstream = upstreamSnapshot({
    id: "a",
    outcomes: { success: ok, reset: failed, stale: 7 },
    latency: histogram(ok, 0, 0, 0),
    inFlight: 3,
    ...changes,
  });
  return around([upstream], { ok, failed, time });
}

function around(upstreams: UpstreamSnapshot[], { ok, failed = 0, time = 0 }: Sent, pool: Partial<PoolSnapshot> = {}) {
  const labels = { route: "/", pool: "api", method: "GET" };
  return proxySnapshot({
    time,
    pools: [poolSnapshot({ name: "api", upstreams, inFlight: 3, queueDepth: 1, ...pool })],
    requests: [
      { ...labels, code: 200, count: ok },
      { ...labels, code: 502, count: failed },
      { route: "", pool: "", method: "GET", code: 404, count: ok },
    ],
    durations: [{ route: "/", pool: "api", histogram: histogram(ok, failed, 0, 0) }],
  });
}

/** A history with a sample each second, of these totals. */
function historyOf(totals: readonly Sent[], changes: Partial<UpstreamSnapshot> = {}): History {
  const history = new History();
  for (const [index, sent] of totals.entries()) {
    history.record(snapshotAfter({ time: 1_000_000 + index * 1_000, ...sent }, changes), index * 1_000);
  }
  return history;
}

describe("the traffic of the last ten seconds", () => {
  test("has the rates, the ratio of errors and the latencies", () => {
    const recent = historyOf([
      { ok: 500, failed: 100 },
      { ok: 510, failed: 110 },
      { ok: 530, failed: 110 },
    ]).recent();
    expect(recent.upstream("api", "a")).toEqual({ rate: 20, errorRatio: 0.25, p50: 5, p99: 9.9 });
    expect(recent.pool("api")).toMatchObject({ rate: 20, errorRatio: 0.25 });
    // Requests without a pool count for all.
    expect(recent.all).toMatchObject({ rate: 35, errorRatio: 0.1429 });
  });

  test("is unknown before the second sample, and zero without requests", () => {
    const unknown = { rate: null, errorRatio: null, p50: null, p99: null };
    for (const recent of [new History().recent(), historyOf([{ ok: 500 }]).recent()]) {
      expect([recent.all, recent.pool("api"), recent.upstream("api", "a")]).toEqual([unknown, unknown, unknown]);
      expect(recent.retries("api")).toEqual({ retries: null, budgetExhausted: null });
    }
    const still = historyOf([{ ok: 500 }, { ok: 500 }]).recent();
    expect(still.upstream("api", "a")).toEqual({ rate: 0, errorRatio: null, p50: null, p99: null });
    expect([still.pool("none").rate, still.upstream("api", "none").rate]).toEqual([null, null]);
  });

  test("forgets what is older, and takes the time between two samples from the monotonic clock", () => {
    const totals = Array.from({ length: 21 }, (_, index) => ({ ok: index < 10 ? index * 1_000 : 9_000 + index }));
    expect(historyOf(totals).recent().pool("api").rate).toBe(1);
    const history = new History();
    // The wall clock is set back, and one sample is late.
    history.record(snapshotAfter({ ok: 0, time: 5_000_000 }), 0);
    history.record(snapshotAfter({ ok: 100, time: 1_000 }), 1_000);
    history.record(snapshotAfter({ ok: 400, time: 2_000 }), 4_000);
    expect(history.recent().pool("api").rate).toBe(100);
    // After a long pause only the time since is known.
    history.record(snapshotAfter({ ok: 400 + 3_600, time: 3_000 }), 3_604_000);
    expect(history.recent().pool("api").rate).toBe(1);
  });

  test("counts a response that is an error and breaks off once", () => {
    const history = historyOf([{ ok: 0 }]);
    history.record(snapshotAfter({ ok: 0, failed: 10 }, { serverErrors: 10 }), 1_000);
    expect(history.recent().upstream("api", "a").errorRatio).toBe(1);
  });

  test("has the retries of a pool", () => {
    const history = new History();
    history.record(around([], { ok: 0 }, { retries: { reset: 5 }, retryBudgetExhausted: 1 }), 0);
    history.record(around([], { ok: 0 }, { retries: { reset: 9, 503: 2 }, retryBudgetExhausted: 4 }), 2_000);
    expect(history.recent().retries("api")).toEqual({ retries: 3, budgetExhausted: 1.5 });
  });
});

describe("counts that begin anew", () => {
  test("are those of a new upstream with the same id", () => {
    const history = historyOf([{ ok: 500 }, { ok: 600 }]);
    history.record(snapshotAfter({ ok: 30 }), 2_000);
    expect(history.series("api", "a", 1_000)?.rate).toEqual([100, 30]);
  });

  test("a reload with other buckets adds no request, and leaves one sample without latencies", () => {
    const history = historyOf([{ ok: 500 }, { ok: 600 }]);
    // A reload keeps the counts.
    const others = (count: number) => ({ bounds: [0.5], counts: [count], count, sum: 1 });
    history.record(snapshotAfter({ ok: 610 }, { latency: others(610) }), 2_000);
    history.record(snapshotAfter({ ok: 630 }, { latency: others(630) }), 3_000);
    const series = history.series("api", "a", 1_000);
    expect([series?.rate, series?.p50]).toEqual([
      [100, 10, 20],
      [5, null, 250],
    ]);
    expect(history.recent().upstream("api", "a")).toMatchObject({ rate: 43.33, p50: 250 });
  });

  test("counts of a pool that is replaced between two samples are never negative", () => {
    const history = new History();
    history.record(around([], { ok: 0 }, { retries: { reset: 5 }, retryBudgetExhausted: 3 }), 0);
    history.record(around([], { ok: 10 }, { retries: {}, retryBudgetExhausted: 0 }), 1_000);
    expect(history.recent().retries("api")).toEqual({ retries: 0, budgetExhausted: 0 });
    expect(history.recent().pool("api").rate).toBe(10);
  });

  test("an upstream that joins or leaves has no history of another time", () => {
    const history = historyOf([{ ok: 500 }, { ok: 600 }]);
    const b = (count: number) => upstreamSnapshot({ id: "b", outcomes: { success: count } });
    history.record(around([b(1_000)], { ok: 600 }), 2_000);
    expect(history.series("api", "a", 1_000)).toBeUndefined();
    history.record(around([b(1_010)], { ok: 600 }), 3_000);
    expect(history.series("api", "b", 1_000)?.rate).toEqual([null, null, 10]);
    expect(history.recent().upstream("api", "b").rate).toBe(10);
    history.record(proxySnapshot({ pools: [] }), 4_000);
    expect([history.series("api", undefined, 1_000), history.all(1_000).pools]).toEqual([undefined, {}]);
  });
});

describe("the last minute", () => {
  test("has one value for each sample, oldest first, and no more than sixty", () => {
    const history = historyOf(Array.from({ length: 75 }, (_, index) => ({ ok: (index * (index + 1)) / 2 })));
    const all = history.all(1_000);
    const seconds = Array.from({ length: 60 }, (_, index) => 15 + index);
    expect(all.times).toEqual(seconds.map((second) => 1_000_000 + second * 1_000));
    expect([all.sampleMs, all.end]).toEqual([1_000, 1_074_000]);
    expect(all.upstreams).toEqual({ api: { a: seconds } });
    const pool = history.series("api", undefined, 1_000);
    expect(pool).toEqual({ sampleMs: 1_000, times: all.times, ...all.pools["api"] });
    expect(pool?.rate).toEqual(seconds);
    for (const values of [pool?.inFlight, pool?.queueDepth, pool?.errorRatio]) expect(values).toHaveLength(60);
    expect([pool?.inFlight[0], pool?.queueDepth?.[0], pool?.errorRatio[0]]).toEqual([3, 1, 0]);
    expect(history.series("api", "a", 1_000)).not.toHaveProperty("queueDepth");
  });

  test("has fewer samples where they are taken less often", () => {
    const history = new History();
    for (let sample = 0; sample < 40; sample++) history.record(snapshotAfter({ ok: sample * 50 }), sample * 5_000);
    expect(history.all(5_000).upstreams["api"]?.["a"]).toEqual(Array.from({ length: 12 }, () => 10));
    expect(history.recent().pool("api").rate).toBe(10);
  });

  test("keeps names that are properties of objects", () => {
    const history = new History();
    const upstream = upstreamSnapshot({ id: "__proto__" });
    for (const now of [0, 1_000]) {
      const pool = poolSnapshot({ name: "constructor", upstreams: [upstream] });
      history.record(proxySnapshot({ pools: [pool] }), now);
    }
    expect(JSON.stringify(history.all(1_000).upstreams)).toBe('{"constructor":{"__proto__":[0]}}');
  });

  test("is bounded: upstreams beyond the limit have none", () => {
    const upstreams = Array.from({ length: limits.historyUpstreams + 10 }, (_, index) =>
      upstreamSnapshot({ id: `u${index}` }),
    );
    const history = new History();
    for (const now of [0, 1_000]) history.record(around(upstreams, { ok: 0 }), now);
    expect(Object.keys(history.all(1_000).upstreams["api"] ?? {})).toHaveLength(limits.historyUpstreams);
    expect(history.recent().upstream("api", `u${limits.historyUpstreams}`).rate).toBeNull();
    expect(history.recent().upstream("api", "u0").rate).toBe(0);
  });
});
