import { describe, expect, test } from "vitest";
import { Balancer } from "../../src/balancer/balancer.ts";
import { limits } from "../../src/config/defaults.ts";
import type { PoolOptions } from "../../src/config/options.ts";
import { resolvePool } from "../../src/config/resolve.ts";
import { ManagedPool } from "../../src/managed-pool.ts";
import { type MemberSketch, memberOf, upstreamsOf } from "../support/pools.ts";
import { seededRandom } from "../support/seeded-random.ts";
import { VirtualClock } from "../support/virtual-clock.ts";

const intervalMs = 10_000;

type Members = Readonly<Record<string, MemberSketch>>;

function feedbackLab(members: Members, settings: Omit<PoolOptions, "upstreams"> = {}) {
  const clock = new VirtualClock();
  const runtime = { clock, random: seededRandom() };
  const optionsOf = (others: Omit<PoolOptions, "upstreams">) =>
    resolvePool({ outlierDetection: false, weights: {}, ...others, upstreams: upstreamsOf(members) });
  const managed = new ManagedPool("api", optionsOf(settings), runtime);
  const { pool } = managed;
  const events: string[] = [];
  pool.on("weight", ({ upstream, from, to, reason, detail }) => {
    events.push(`${clock.now() / 1_000}s ${upstream} ${from} -> ${to} ${reason}: ${detail}`);
  });
  const send = (id: string, { ms = 20, status = 200, times = 20 } = {}) => {
    for (let count = 0; count < times; count++) {
      const attempt = pool.begin(memberOf(pool, id));
      attempt.responded(ms, status);
      attempt.settle("success");
    }
  };
  const factors = () => pool.upstreams.map(({ feedback }) => feedback);
  /** Sends the given loads and returns the factors after the rating at the end of the interval. */
  const interval = (loads: Readonly<Record<string, Parameters<typeof send>[1]>>) => {
    for (const [id, load] of Object.entries(loads)) send(id, load);
    clock.advance(intervalMs);
    return factors();
  };
  return {
    clock,
    runtime,
    pool,
    managed,
    events,
    send,
    interval,
    factors,
    reload: (others: Omit<PoolOptions, "upstreams">) => managed.reconfigure(optionsOf(others)),
  };
}

const even = { a: {}, b: {}, c: {} };

describe("a rating", () => {
  test("quarters the factor of a slow upstream, down to 1/16, and doubles it back", () => {
    const { interval } = feedbackLab({ a: 1, b: 1, c: 1 });
    const trace = [
      ...[1, 2, 3].map(() => interval({ ...even, c: { ms: 200 } })[2]),
      ...[1, 2, 3, 4, 5].map(() => interval(even)[2]),
    ];
    expect(trace).toEqual([0.25, 0.0625, 0.0625, 0.125, 0.25, 0.5, 1, 1]);
  });

  test("emits events with its reason", () => {
    const { interval, events } = feedbackLab({ a: 8, b: 8, c: 8 });
    interval({ ...even, c: { ms: 200 } });
    interval(even);
    interval({ ...even, a: { status: 500, times: 30 } });
    expect(events).toEqual([
      "10s c 8 -> 2 feedback: mean time to response headers 200 ms, the pool's median is 20 ms",
      "20s c 2 -> 4 feedback: no longer an outlier",
      "30s a 8 -> 2 feedback: failure ratio 100 %, the pool's median is 0 %",
      "30s c 4 -> 8 feedback: no longer an outlier",
    ]);
  });

  test.each([
    ["failures 5 points above the median", { a: [5, 100], b: [0, 100] }, [1, 1]],
    ["failures 6 points above the median", { a: [6, 100], b: [0, 100] }, [0.25, 1]],
    ["failures at 1.5 times the median", { a: [60, 100], b: [40, 100] }, [1, 1]],
    ["failures above 1.5 times the median", { a: [61, 100], b: [40, 100] }, [0.25, 1]],
  ] as const)("of %s", (_, loads, expected) => {
    const { send, clock, factors } = feedbackLab({ a: 1, b: 1 });
    for (const [id, [failed, all]] of Object.entries(loads)) {
      send(id, { status: 500, times: failed });
      send(id, { times: all - failed });
    }
    clock.advance(intervalMs);
    expect(factors()).toEqual(expected);
  });

  test.each([
    ["a difference of 10 ms is noise", { a: { ms: 11 }, b: { ms: 1 } }, [1, 1]],
    ["in a pool of two the better one is the median", { a: { ms: 31 }, b: { ms: 20 } }, [0.25, 1]],
    ["1.5 times the median is not an outlier", { a: { ms: 30 }, b: { ms: 20 } }, [1, 1]],
    ["a pool of equally slow upstreams has no outlier", { a: { ms: 900 }, b: { ms: 1_000 } }, [1, 1]],
  ])("%s", (_, loads, expected) => {
    expect(feedbackLab({ a: 1, b: 1 }).interval(loads)).toEqual(expected);
  });

  test("takes the median deviation of the pool into account", () => {
    const { interval } = feedbackLab({ a: 1, b: 1, c: 1, d: 1, e: 1 });
    const uneven = { a: { ms: 20 }, b: { ms: 40 }, c: { ms: 60 }, d: { ms: 80 }, e: { ms: 100 } };
    // The median is 60 and the deviation 20, so the bound is 120.
    expect(interval({ ...uneven, e: { ms: 120 } })).toEqual([1, 1, 1, 1, 1]);
    expect(interval({ ...uneven, e: { ms: 121 } })).toEqual([1, 1, 1, 1, 0.25]);
  });

  test("changes no factor when all upstreams fail", () => {
    const bad = { status: 503 };
    expect(feedbackLab({ a: 1, b: 1, c: 1 }).interval({ a: bad, b: bad, c: bad })).toEqual([1, 1, 1]);
  });

  test("has no latency for an upstream that only fails", () => {
    const bad = { status: 503 };
    const { interval } = feedbackLab({ a: 1, b: 1, c: 1 });
    expect(interval({ a: bad, b: bad, c: { ms: 200 } })).toEqual([1, 1, 1]);
    expect(interval({ a: bad, b: { ms: 200 }, c: { ms: 210 } })).toEqual([0.25, 1, 1]);
  });

  test("needs a minimum of requests", () => {
    const { interval } = feedbackLab({ a: 1, b: 1, c: 1 });
    const slow = { ms: 5_000, times: limits.feedbackMinimumRequests - 1 };
    expect(interval({ ...even, c: slow })).toEqual([1, 1, 1]);
    expect(interval({ ...even, c: { ...slow, times: limits.feedbackMinimumRequests } })).toEqual([1, 1, 0.25]);
    expect(interval({ ...even, c: slow })).toEqual([1, 1, 0.5]);
  });

  test("needs a second upstream with requests", () => {
    expect(feedbackLab({ a: 1, b: 1 }).interval({ a: { ms: 5_000 } })).toEqual([1, 1]);
  });

  test("does not count client aborts and the proxy's own limits", () => {
    const { pool, interval } = feedbackLab({ a: 1, b: 1 });
    for (const outcome of ["aborted", "stale", "total_timeout", "no_file_descriptors"] as const) {
      for (let count = 0; count < 20; count++) pool.begin(memberOf(pool, "a")).settle(outcome);
    }
    expect(interval({ a: {}, b: {} })).toEqual([1, 1]);
  });
});

describe("an upstream without requests", () => {
  test.each([
    [
      "ejected",
      (id: string, { pool }: ReturnType<typeof feedbackLab>) =>
        pool.ejections.eject(memberOf(pool, id), "failure-ratio", 60_000),
    ],
    [
      "unhealthy",
      (id: string, { pool }: ReturnType<typeof feedbackLab>) => pool.setHealth(memberOf(pool, id), "unhealthy", ""),
    ],
    ["draining", (id: string, { pool }: ReturnType<typeof feedbackLab>) => pool.setState(id, "draining")],
  ])("because it is %s keeps its factor", (_, take) => {
    const lab = feedbackLab({ a: 1, b: 1, c: 1 });
    expect(lab.interval({ ...even, c: { ms: 200 } })).toEqual([1, 1, 0.25]);
    take("c", lab);
    expect(lab.interval({ a: {}, b: {} })).toEqual([1, 1, 0.25]);
    expect(lab.interval({ a: { ms: 200 }, b: {}, c: { ms: 1_000 } })).toEqual([0.25, 1, 0.25]);
  });
});

describe("after a change", () => {
  test("no factor changes for ten seconds, and the next rating covers the time since", () => {
    const { clock, send, factors, events } = feedbackLab({ a: 1, b: 1 }, { weights: { interval: "4s" } });
    const trace = [1, 2, 3, 4, 5, 6, 7].map(() => {
      send("a", { ms: 200, times: 4 });
      send("b", { times: 20 });
      clock.advance(4_000);
      return factors()[0];
    });
    // Four requests per interval are too few for a rating, the twelve of three intervals are enough.
    expect(trace).toEqual([1, 1, 1, 1, 1, 1, 1]);
    send("a", { ms: 200 });
    send("b");
    clock.advance(4_000);
    expect(factors()).toEqual([0.25, 1]);
    for (let step = 0; step < 3; step++) {
      send("a", { ms: 200, times: 4 });
      send("b", { times: 20 });
      clock.advance(4_000);
    }
    expect(events.map((line) => line.split(" ").slice(0, 4).join(" "))).toEqual(["32s a 1 ->", "44s a 0.25 ->"]);
    expect(factors()).toEqual([0.0625, 1]);
  });
});

describe("reload and close", () => {
  test("switching feedback off resets the factors and leaves no timer", () => {
    const { interval, reload, factors, clock, events } = feedbackLab({ a: 1, b: 1 });
    interval({ a: { ms: 200 }, b: {} });
    reload({ weights: undefined } as never);
    expect(factors()).toEqual([1, 1]);
    expect(events.at(-1)).toBe("10s a 0.25 -> 1 feedback: feedback is off");
    expect(clock.pending).toBe(0);
  });

  test("so does the mode announced", () => {
    const { interval, reload, factors, clock } = feedbackLab({ a: 1, b: 1 });
    interval({ a: { ms: 200 }, b: {} });
    reload({ weights: { mode: "announced" } });
    expect([factors(), clock.pending]).toEqual([[1, 1], 0]);
  });

  test("a new interval applies at once, and the factors stay", () => {
    const { interval, reload, factors, clock } = feedbackLab({ a: 1, b: 1 });
    interval({ a: { ms: 200 }, b: {} });
    reload({ weights: { interval: "3s" } });
    expect(factors()).toEqual([0.25, 1]);
    clock.advance(3_000);
    expect(factors()).toEqual([0.5, 1]);
    expect(clock.pending).toBe(1);
  });

  test("stopping the pool leaves factors as they are, and no timer", () => {
    const { interval, managed, factors, clock } = feedbackLab({ a: 1, b: 1 });
    interval({ a: { ms: 200 }, b: {} });
    managed.stop();
    expect([factors(), clock.pending]).toEqual([[0.25, 1], 0]);
  });
});

describe("over time", () => {
  /** Sends requests at random times through a real balancer, each with the latency of its upstream. */
  function simulate(policy: PoolOptions["balance"], msOf: (id: string, seconds: number) => number, seconds: number) {
    const lab = feedbackLab({ a: 1, b: 1, c: 1, d: 1 }, { balance: policy ?? "p2c" });
    const balancer = new Balancer(lab.pool, {}, lab.runtime);
    const perSecond = 100;
    const shares: number[] = [];
    let received = 0;
    for (let request = 0; request < perSecond * seconds; request++) {
      lab.clock.advance(1_000 / perSecond);
      const upstream = balancer.pick();
      if (upstream === undefined) throw new Error("nothing to pick");
      const ms = msOf(upstream.id, lab.clock.now() / 1_000) * (0.8 + 0.4 * lab.runtime.random());
      const attempt = lab.pool.begin(upstream);
      lab.clock.setTimeout(() => {
        attempt.responded(ms, 200);
        attempt.settle("success");
      }, ms);
      if (upstream.id === "a") received++;
      if ((request + 1) % (perSecond * 10) !== 0) continue;
      shares.push(received / (perSecond * 10));
      received = 0;
    }
    return shares;
  }

  test.each(["round-robin", "random", "p2c"] as const)(
    "%s: an upstream five times slower than the others loses its share within two intervals and regains it within five",
    (policy) => {
      const shares = simulate(policy, (id, seconds) => (id === "a" && seconds < 60 ? 100 : 20), 130);
      expect(Math.max(...shares.slice(2, 6))).toBeLessThan(0.12);
      expect(Math.min(...shares.slice(11))).toBeGreaterThan(0.2);
    },
  );

  test("an upstream that stays slow still gets a few requests, and never its full share", () => {
    const shares = simulate("round-robin", (id) => (id === "a" ? 200 : 20), 300);
    const later = shares.slice(2);
    expect(later.reduce((sum, share) => sum + share, 0) / later.length).toBeLessThan(0.08);
    expect(Math.min(...later)).toBeGreaterThan(0);
  });

  test("four equal upstreams keep their shares", () => {
    const shares = simulate("random", () => 50, 200);
    for (const share of shares) expect(Math.abs(share - 0.25)).toBeLessThan(0.06);
  });
});
