import type { PoolSnapshot, ProxySnapshot, UpstreamSnapshot } from "evenkeel";
import { expect, test, vi } from "vitest";
import { Sampler } from "../../src/history/sampler.ts";
import type { ListenerSnapshot } from "../../src/index.ts";
import { limits } from "../../src/limits.ts";
import { createOverview } from "../../src/overview/create-overview.ts";
import { proxyTarget } from "../../src/target/proxy-target.ts";
import { workerSnapshot } from "../support/group-target.ts";
import { discoverySnapshot, poolSnapshot, proxySnapshot, proxyWith, upstreamSnapshot } from "../support/harness.ts";

const day = 86_400_000;

interface Situation {
  readonly before?: ProxySnapshot;
  readonly now: ProxySnapshot;
  readonly expiresIn?: number;
  readonly missingWorkers?: number;
  readonly draining?: boolean;
}

/** The problems of a target that had the counts of `before` one second ago. */
async function problemsOf({ before, now, expiresIn, missingWorkers = 0, draining = false }: Situation) {
  const workers = [1, 2, 3].map((number) => ({
    ...workerSnapshot(number),
    ...(number <= missingWorkers && { pid: null }),
  }));
  const target = { ...proxyTarget(proxyWith(() => now)), workers: async () => workers };
  const sampler = new Sampler(target);
  sampler.history.record(before ?? now, 0);
  sampler.history.record(now, 1_000);
  const listener = {
    connections: { open: 1, limit: 2, refused: 0, idleClosed: 0 },
    certificateExpiry: expiresIn === undefined ? null : now.time + expiresIn,
  } as ListenerSnapshot;
  const options = { listener: () => listener, draining: () => draining };
  const overview = await createOverview(target, async () => now, sampler, options)("operator");
  return overview.problems;
}

/** Its problems as "severity status: text". */
async function describe(situation: Situation): Promise<string[]> {
  return (await problemsOf(situation)).map(({ severity, status, text }) => `${severity} ${status}: ${text}`);
}

function withPool(pool: Partial<PoolSnapshot>, proxy: Partial<ProxySnapshot> = {}): ProxySnapshot {
  return proxySnapshot({ time: 5_000, pools: [poolSnapshot({ name: "api", ...pool })], ...proxy });
}

function withUpstream(upstream: Partial<UpstreamSnapshot>): ProxySnapshot {
  return withPool({ upstreams: [upstreamSnapshot({ id: "b", ...upstream })] });
}

test.each([
  ["all is well", { now: withUpstream({}) }, []],
  [
    "unhealthy",
    { now: withUpstream({ condition: { status: "unhealthy", since: 7, reason: "status 503" } }) },
    ["warning unhealthy: api/b is unhealthy: status 503"],
  ],
  [
    "ejected",
    {
      now: withUpstream({
        condition: { status: "ejected", since: 7, reason: "consecutive-failures", cause: "reset", until: 9 },
      }),
    },
    ["warning ejected: api/b is ejected: consecutive-failures (reset)"],
  ],
  [
    "half-open",
    { now: withUpstream({ condition: { status: "trial", since: 7, reason: null } }) },
    ["warning trial: api/b is half-open after an ejection"],
  ],
  [
    "not connectable",
    { now: withUpstream({ condition: { status: "failing", since: 7, reason: "connect_refused" } }) },
    ["warning failing: api/b cannot be connected: connect_refused"],
  ],
  [
    "the intent of operators is none",
    { now: withUpstream({ condition: { status: "draining", since: 7, reason: "set by an operator" }, feedback: 0.1 }) },
    [],
  ],
  [
    "degraded",
    { now: withUpstream({ feedback: 0.2 }) },
    ["warning degraded: api/b gets 20 % of its share: it is slower or fails more than the others"],
  ],
  [
    "no upstream",
    { now: withPool({ serving: false, since: 3 }) },
    ["critical not_serving: api serves no requests: no upstream is available"],
  ],
  [
    "panic",
    { now: withPool({ panic: true }) },
    ["critical panic: api has no available upstream and uses unhealthy and ejected ones"],
  ],
  [
    "an outage",
    { now: withPool({ outage: { since: 2, waiting: 4, until: 8 } }) },
    ["critical outage: api cannot connect to any upstream"],
  ],
  [
    "a full queue",
    { now: withPool({ queueDepth: 100, queueMax: 100 }) },
    ["critical queue_full: api rejects requests: 100 wait, which is the limit"],
  ],
  [
    "a queue that fills",
    { now: withPool({ queueDepth: 50, queueMax: 100 }) },
    ["warning queue_filling: api has 50 waiting requests; the limit is 100"],
  ],
  ["no queue", { now: withPool({ queueDepth: 0, queueMax: 0 }) }, []],
  [
    "an exhausted retry budget",
    { before: withPool({}), now: withPool({ retryBudgetExhausted: 1 }) },
    ["warning retry_budget_exhausted: api does not retry all failures: its retry budget is exhausted"],
  ],
  [
    "failing discovery",
    {
      now: withPool({ discovery: discoverySnapshot({ status: "failing", lastError: { reason: "SERVFAIL", at: 4 } }) }),
    },
    ["warning discovery_failing: api cannot look up api.internal: SERVFAIL"],
  ],
  [
    "the proxy itself",
    {
      now: proxySnapshot({ pools: [], reloads: { succeeded: 1, failed: 1, lastSuccessful: false } }),
      missingWorkers: 1,
      draining: true,
      expiresIn: 10.5 * day,
    },
    [
      "warning draining: the proxy drains: it stops when its requests have ended",
      "warning reload_failed: the last reload failed: the configuration before it is in force",
      "warning worker_missing: 1 of 3 workers is not running",
      "warning certificate_expiring: the TLS certificate expires in 10 days",
    ],
  ],
  [
    "a certificate that expires soon",
    { now: withPool({}), expiresIn: day * 1.5 },
    ["critical certificate_expiring: the TLS certificate expires in 1 day"],
  ],
  [
    "an expired certificate",
    { now: withPool({}), expiresIn: -1 },
    ["critical certificate_expiring: the TLS certificate has expired"],
  ],
  ["a certificate with time", { now: withPool({}), expiresIn: 15 * day }, []],
] satisfies readonly [string, Situation, string[]][])("problems: %s", async (_name, situation, expected) => {
  expect(await describe(situation)).toEqual(expected);
});

test("many errors are a problem of the pool and of the upstream, and a few are none", async () => {
  const before = withUpstream({ outcomes: { success: 1_000, reset: 500 } });
  const labels = { route: "/", pool: "api", method: "GET" };
  const after = (failed: number, ok: number): ProxySnapshot => ({
    ...withUpstream({ outcomes: { success: 1_000 + ok, reset: 500 + failed } }),
    requests: [
      { ...labels, code: 200, count: ok },
      { ...labels, code: 502, count: failed },
    ],
  });
  expect(await describe({ before, now: after(5, 45) })).toEqual([
    "critical errors: api fails 10 % of its requests",
    "warning errors: api/b fails 10 % of its requests",
  ]);
  expect(await describe({ before, now: after(4, 0) })).toEqual([]);
  expect(await describe({ before, now: after(5, 1_000) })).toEqual([]);
});

test("what clients notice comes first, then what has lasted longest, and the list is bounded", async () => {
  const upstreams = Array.from({ length: 2 * limits.problems }, (_, index) =>
    upstreamSnapshot({ id: `u${index}`, condition: { status: "unhealthy", since: 1_000 - index, reason: null } }),
  );
  const pools = [poolSnapshot({ name: "api", upstreams }), poolSnapshot({ name: "web", serving: false, since: 3 })];
  const problems = await problemsOf({ now: proxySnapshot({ pools }) });
  expect(problems).toHaveLength(limits.problems);
  expect(problems[0]).toEqual({
    severity: "critical",
    pool: "web",
    upstream: null,
    status: "not_serving",
    since: 3,
    until: null,
    text: "web serves no requests: no upstream is available",
  });
  expect(problems[1]).toMatchObject({ pool: "api", upstream: `u${2 * limits.problems - 1}` });
});

test("a problem without a time in the snapshot lasts since the first of the samples that have it", async () => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  try {
    let now = withPool({});
    const target = proxyTarget(proxyWith(() => now));
    const sampler = new Sampler(target, () => () => 1);
    const overview = createOverview(target, async () => now, sampler, {});
    const sample = async (time: number, panic: boolean) => {
      now = withPool({ panic, since: 1 }, { time });
      await vi.advanceTimersByTimeAsync(limits.sampleMs);
      const { problems, pools } = await overview("viewer");
      return [problems.map(({ status, since }) => [status, since]), pools.map(({ panicSince }) => panicSince)];
    };
    sampler.start();
    expect(await sample(6_000, false)).toEqual([[], [null]]);
    expect(await sample(7_000, true)).toEqual([[["panic", 7_000]], [7_000]]);
    expect(await sample(8_000, true)).toEqual([[["panic", 7_000]], [7_000]]);
    expect(await sample(9_000, false)).toEqual([[], [null]]);
    expect(await sample(10_000, true)).toEqual([[["panic", 10_000]], [10_000]]);
    now = withPool({}, { time: 11_000, reloads: { succeeded: 0, failed: 1, lastSuccessful: false } });
    expect((await overview("viewer")).problems).toMatchObject([{ status: "reload_failed", since: null }]);
    await vi.advanceTimersByTimeAsync(limits.sampleMs);
    expect((await overview("viewer")).problems).toMatchObject([{ status: "reload_failed", since: 11_000 }]);
    sampler.stop();
  } finally {
    vi.useRealTimers();
  }
});
