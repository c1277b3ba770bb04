import { describe, expect, test } from "vitest";
import { LimitShares } from "../../src/group-limits/limit-shares.ts";
import { createProxy } from "../../src/proxy.ts";
import { poolOf } from "../support/pools.ts";
import { VirtualClock } from "../support/virtual-clock.ts";

/** A pool with a participant's shares, and the function that grants one. */
function shared(...[members, settings]: Parameters<typeof poolOf>) {
  const made = poolOf(members, settings);
  const shares = new LimitShares(made.clock, () => new Map([["api", made.pool]]));
  let seq = 0;
  shares.begin({ slot: 1, slots: 4, shares: [] }, () => {});
  const grant = (limit: "maxInFlight" | "queue" | "retries", share: number, total: number, upstream?: string) =>
    shares.apply({
      seq: ++seq,
      shares: [{ since: seq, pool: "api", upstream, limit, share, total, contested: false }],
    });
  return { ...made, shares, grant };
}

describe("maxInFlight", () => {
  test("is split evenly before the first grant, and a raised share wakes waiting requests", () => {
    const { pool, grant } = shared({ a: { maxInFlight: 6 } });
    const member = pool.upstreams[0] as (typeof pool.upstreams)[0];
    pool.begin(member);
    expect(pool.candidates).toHaveLength(1);
    pool.begin(member);
    expect(pool.candidates).toHaveLength(0);
    let woken = 0;
    const onRoom = () => {
      pool.begin(member);
      woken++;
    };
    for (let n = 0; n < 3; n++) pool.queue.enter({ onRoom, onTimeout: () => {} });
    grant("maxInFlight", 4, 6, "a");
    expect([woken, pool.queue.depth, member.inFlight]).toEqual([2, 1, 4]);
  });

  test("a lowered share lets requests in flight go on; one of 0 takes none, also during a slow start", () => {
    const { pool, grant, clock } = shared({ a: { maxInFlight: 8 }, b: 1 }, { slowStart: { window: "10s" } });
    const [member] = pool.upstreams as [(typeof pool.upstreams)[0]];
    const attempt = pool.begin(member);
    grant("maxInFlight", 0, 8, "a");
    expect(member).toMatchObject({ inFlight: 1, available: false, full: true });
    attempt.settle("success");
    expect(member).toMatchObject({ inFlight: 0, available: false, full: true });
    pool.effectiveWeights.startSlowStart(member as never);
    clock.advance(2_000);
    expect(pool.candidates.map(({ id }) => id)).toEqual(["b"]);
  });

  test("snapshots and explanations have the limit and the share; without a group there is no share", () => {
    const clock = new VirtualClock();
    const upstreams = [{ id: "a", url: "http://10.0.0.1:80", maxInFlight: 10 }];
    const proxy = createProxy({ upstreams }, { clock });
    const seen = () => {
      const explained = proxy.explain({ url: "/" });
      return {
        upstream: proxy.snapshot().pools[0]?.upstreams[0],
        queue: explained.pool?.queue,
        room: explained.pool?.upstreams[0]?.reasons.find(({ code }) => code === "has-room")?.text,
      };
    };
    expect(seen()).toMatchObject({ upstream: { maxInFlight: 10 }, room: "0 of 10 in flight" });
    expect(seen().upstream).not.toHaveProperty("inFlightShare");
    expect(seen().queue).toEqual({ depth: 0, max: 100 });
    proxy.limitShares.begin({ slot: 0, slots: 4, shares: [] }, () => {});
    expect(seen()).toEqual({
      upstream: expect.objectContaining({ maxInFlight: 10, inFlightShare: 3 }),
      queue: { depth: 0, max: 100, share: 25 },
      room: "0 of 3 in flight, this process's share of 10",
    });
  });
});

describe("the retries per second", () => {
  test("a used share stays used until it leaves the window, also when it was lowered meanwhile", () => {
    const { pool, clock, grant } = shared({ a: 1 }, { retry: { budget: 0, minRetriesPerSecond: 4 } });
    const drain = () => {
      let taken = 0;
      while (pool.retryBudget.tryWithdraw()) taken++;
      return taken;
    };
    const used = () => [...pool.limits.uses()].find(({ limit }) => limit === "retries");
    expect(drain()).toBe(10);
    expect(used()).toMatchObject({ total: 40, share: 10, held: 10, wanted: 11 });
    grant("retries", 3, 40);
    clock.advance(5_000);
    expect([drain(), used()?.held]).toEqual([0, 10]);
    clock.advance(5_000);
    expect([drain(), used()?.held]).toEqual([3, 3]);
  });

  test("retries that requests cover use no share", () => {
    const { pool } = shared({ a: 1 }, { retry: { budget: 0.5, minRetriesPerSecond: 1 } });
    for (let n = 0; n < 8; n++) pool.retryBudget.deposit();
    for (let n = 0; n < 4; n++) expect(pool.retryBudget.tryWithdraw()).toBe(true);
    expect(pool.retryBudget.fixedUsed).toBe(0);
    expect(pool.retryBudget.tryWithdraw()).toBe(true);
    expect(pool.retryBudget.fixedUsed).toBe(1);
  });
});

test("queue.max: a request beyond the share is reported soon, and waits a moment for a larger one", () => {
  const { pool, clock, shares, grant } = shared({ a: { maxInFlight: 1 } }, { queue: { max: 4 } });
  const reports: unknown[] = [];
  shares.begin({ slot: 3, slots: 4, shares: [] }, (report) => void reports.push(report));
  clock.advance(100);
  reports.length = 0;
  const codes: string[] = [];
  const waiter = () => ({ onRoom: () => {}, onTimeout: (code: string) => void codes.push(code) });
  expect([1, 2, 3].map(() => pool.queue.enter(waiter()))).toEqual([true, true, true]);
  expect([pool.queue.queued, pool.queue.depth]).toEqual([1, 3]);
  clock.advance(20);
  expect(reports).toEqual([
    expect.objectContaining({
      full: false,
      uses: expect.arrayContaining([
        expect.objectContaining({ limit: "queue", total: 4, share: 1, held: 1, wanted: 3 }),
      ]),
    }),
  ]);
  grant("queue", 2, 4);
  clock.advance(250);
  expect([codes, pool.queue.queued, pool.queue.depth]).toEqual([["queue_full"], 2, 2]);
  clock.advance(5_000);
  expect(codes).toEqual(["queue_full", "queue_timeout", "queue_timeout"]);
});
