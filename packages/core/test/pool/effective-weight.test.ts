import { describe, expect, test } from "vitest";
import { Balancer } from "../../src/balancer/balancer.ts";
import { limits } from "../../src/config/defaults.ts";
import type { PolicyName } from "../../src/config/options.ts";
import { resolvePool } from "../../src/config/resolve.ts";
import type { WeightEvent } from "../../src/events.ts";
import type { Pool } from "../../src/pool/pool.ts";
import { lineUp } from "../support/line-up.ts";
import { memberOf, poolOf, upstreamsOf, urlOf } from "../support/pools.ts";

/** Lets an upstream serve one request. */
function serve(pool: Pool, id: string): void {
  const attempt = pool.begin(memberOf(pool, id));
  attempt.responded(1, 200);
  attempt.settle("success");
}

function recover(pool: Pool, id: string): void {
  pool.setHealth(memberOf(pool, id), "unhealthy", "status 500");
  pool.setHealth(memberOf(pool, id), "healthy", "status 200");
}

function eventsOf(pool: Pool): string[] {
  const log: string[] = [];
  pool.on("weight", ({ upstream, from, to, reason, detail }: WeightEvent) => {
    const weights = [from, to].map((weight) => Math.round(weight * 1_000) / 1_000).join(" -> ");
    log.push(`${upstream} ${weights} ${reason}${detail === undefined ? "" : `: ${detail}`}`);
  });
  return log;
}

describe("slow start", () => {
  const slow = (members: Parameters<typeof poolOf>[0] = { a: 10, b: 10 }, options = {}) =>
    poolOf(members, { slowStart: { window: "20s" }, ...options });
  const weightOf = (pool: Pool, id: string) => {
    pool.candidatesExcept([]);
    return memberOf(pool, id).effectiveWeight;
  };

  test("grows with time, from the minimum", () => {
    const { pool, clock } = slow();
    recover(pool, "a");
    const trace: number[] = [];
    for (const seconds of [0, 1, 1, 1, 2, 5, 9.9, 0.1, 100]) {
      clock.advance(seconds * 1_000);
      trace.push(Math.round(weightOf(pool, "a") * 100) / 100);
    }
    expect(trace).toEqual([1, 1, 1, 1.5, 2.5, 5, 9.9, 10, 10]);
    expect(weightOf(pool, "b")).toBe(10);
  });

  test("needs no timer", () => {
    const { pool, clock } = slow();
    recover(pool, "a");
    weightOf(pool, "a");
    expect(clock.pending).toBe(0);
  });

  test("begins with the share of one second in a short window", () => {
    const { pool } = slow({ a: 10, b: 10 }, { slowStart: { window: "2s", minWeightPercent: 1 } });
    recover(pool, "a");
    expect(weightOf(pool, "a")).toBe(5);
  });

  test("emits events at its beginning and end, with the weights before and after", () => {
    const { pool, clock } = slow();
    const events = eventsOf(pool);
    recover(pool, "a");
    clock.advance(10_000);
    weightOf(pool, "a");
    clock.advance(10_000);
    weightOf(pool, "a");
    expect(events).toEqual([
      "a 10 -> 1 slow-start: growing over 20000 ms",
      "a 5 -> 10 slow-start: it has its full share again",
    ]);
  });

  test("applies to a weight that is set meanwhile", () => {
    const { pool, clock } = slow();
    recover(pool, "a");
    clock.advance(10_000);
    pool.setWeight("a", 100);
    expect(weightOf(pool, "a")).toBe(50);
  });

  test("is off by default", () => {
    const { pool } = poolOf({ a: 10, b: 10 });
    recover(pool, "a");
    expect(weightOf(pool, "a")).toBe(10);
  });

  test("does not begin at a first verdict", () => {
    const { pool } = slow();
    serve(pool, "b");
    pool.setHealth(memberOf(pool, "a"), "healthy", "status 200");
    expect(weightOf(pool, "a")).toBe(10);
  });

  test("does not begin for the first members, but for members that join a pool that has served", () => {
    const { pool } = slow();
    const add = (id: string) => pool.add({ id, url: urlOf(id), weight: 10 });
    add("early");
    serve(pool, "b");
    add("late");
    expect([weightOf(pool, "a"), weightOf(pool, "early"), weightOf(pool, "late")]).toEqual([10, 10, 1]);
  });

  test("of a held member begins at its release", () => {
    const { pool, clock } = slow({ a: 10 }, { healthCheck: { initialState: "checking" } });
    pool.setHealth(memberOf(pool, "a"), "healthy", "status 200");
    serve(pool, "a");
    pool.add({ id: "late", url: urlOf("late"), weight: 10 });
    clock.advance(60_000);
    expect(weightOf(pool, "late")).toBe(10);
    pool.setHealth(memberOf(pool, "late"), "healthy", "status 200");
    expect(weightOf(pool, "late")).toBe(1);
  });

  test("does not begin for members held from the start", () => {
    const { pool } = slow({ a: 10, b: 10 }, { healthCheck: { initialState: "checking" } });
    pool.setHealth(memberOf(pool, "a"), "healthy", "status 200");
    serve(pool, "a");
    pool.setHealth(memberOf(pool, "b"), "healthy", "status 200");
    expect([weightOf(pool, "a"), weightOf(pool, "b")]).toEqual([10, 10]);
  });

  test("does not begin for the only member", () => {
    const alone = slow({ a: 10 });
    serve(alone.pool, "a");
    recover(alone.pool, "a");
    expect(weightOf(alone.pool, "a")).toBe(10);

    const { pool } = slow();
    pool.setState("b", "disabled");
    recover(pool, "a");
    expect(weightOf(pool, "a")).toBe(10);
  });

  test("begins for a member beside full ones, which have their share", () => {
    const { pool } = slow({ a: 10, b: { maxInFlight: 1 } });
    pool.begin(memberOf(pool, "b"));
    recover(pool, "a");
    expect(weightOf(pool, "a")).toBe(1);
  });

  test("ends when the other members leave", () => {
    const { pool } = slow({ a: { weight: 10, maxInFlight: 10 }, b: 10 });
    const events = eventsOf(pool);
    recover(pool, "a");
    pool.begin(memberOf(pool, "a"));
    expect(memberOf(pool, "a").available).toBe(false);
    pool.setState("b", "disabled");
    expect(weightOf(pool, "a")).toBe(10);
    expect(memberOf(pool, "a").available).toBe(true);
    expect(events.at(-1)).toBe("a 1 -> 10 slow-start: it is the only upstream");
  });

  test("ends when a reload removes the option", () => {
    const { pool } = slow();
    recover(pool, "a");
    pool.reconfigure(resolvePool({ upstreams: upstreamsOf({ a: 10, b: 10 }) }));
    expect(weightOf(pool, "a")).toBe(10);
  });

  test("uses the new window after a reload", () => {
    const { pool, clock } = slow();
    recover(pool, "a");
    clock.advance(10_000);
    pool.reconfigure(resolvePool({ upstreams: upstreamsOf({ a: 10, b: 10 }), slowStart: { window: "100s" } }));
    expect(weightOf(pool, "a")).toBe(1);
    clock.advance(10_000);
    expect(weightOf(pool, "a")).toBe(2);
  });

  test("of a member that leaves is forgotten", () => {
    const { pool, clock } = slow();
    const events = eventsOf(pool);
    recover(pool, "a");
    pool.remove("a");
    clock.advance(60_000);
    pool.candidatesExcept([]);
    expect(events).toHaveLength(1);
  });

  test.each<PolicyName>(["round-robin", "random", "p2c"])("changes the shares of %s", (policy) => {
    const { pool, clock, runtime } = slow({ a: 10, b: 10, c: 10 });
    const balancer = new Balancer(pool, { policy }, runtime);
    recover(pool, "a");
    const picks = 4_000;
    let expected = 0;
    let received = 0;
    for (let pick = 0; pick < picks; pick++) {
      clock.advance(20_000 / picks);
      const picked = balancer.pick();
      const share = memberOf(pool, "a").effectiveWeight;
      expected += share / (20 + share);
      if (picked?.id === "a") received++;
    }
    expect(Math.abs(received - expected) / picks).toBeLessThan(0.02);
    expect(received / picks).toBeGreaterThan(0.15);
    expect(received / picks).toBeLessThan(0.25);
  });
});

describe("the limit during a slow start", () => {
  const limited = () => poolOf({ a: { maxInFlight: 10 }, b: { maxInFlight: 1 } }, { slowStart: { window: "20s" } });
  const roomOf = (pool: Pool) => {
    const attempts = [];
    while (pool.candidatesExcept([]).includes(memberOf(pool, "a"))) attempts.push(pool.begin(memberOf(pool, "a")));
    for (const attempt of attempts) attempt.settle("success");
    return attempts.length;
  };

  test("grows with the share", () => {
    const { pool, clock } = limited();
    recover(pool, "a");
    const rooms = [0, 2, 0.2, 7.8, 9.9, 0.1].map((seconds) => {
      clock.advance(seconds * 1_000);
      return roomOf(pool);
    });
    expect(rooms).toEqual([1, 1, 2, 5, 10, 10]);
  });

  test("wakes waiters as it grows, without any other event", () => {
    const { pool, clock } = limited();
    const log: string[] = [];
    recover(pool, "a");
    pool.begin(memberOf(pool, "b"));
    pool.begin(memberOf(pool, "a"));
    for (const name of ["x", "y", "z"]) lineUp(pool, log, name);
    const trace: string[] = [];
    for (let seconds = 0; seconds <= 7; seconds++) {
      trace.push(`${seconds}s ${log.length}`);
      clock.advance(seconds === 0 ? 1_500 : 1_000);
    }
    expect(log).toEqual(["x: a", "y: a", "z: timeout"]);
    expect(trace.slice(0, 5)).toEqual(["0s 0", "1s 0", "2s 1", "3s 1", "4s 2"]);
  });

  test("does not wake waiters for another upstream, and sets no timer without waiters", () => {
    const { pool, clock } = limited();
    const log: string[] = [];
    recover(pool, "a");
    pool.begin(memberOf(pool, "b"));
    pool.begin(memberOf(pool, "a"));
    lineUp(pool, log, "x", [memberOf(pool, "a")]);
    clock.advance(4_000);
    expect(log).toEqual([]);
    clock.advance(1_000);
    expect(log).toEqual(["x: timeout"]);
    clock.advance(30_000);
    expect(clock.pending).toBe(0);
  });

  test("leaves no timer after the pool is closed", () => {
    const { pool, clock } = limited();
    recover(pool, "a");
    pool.begin(memberOf(pool, "b"));
    pool.begin(memberOf(pool, "a"));
    const waiter = { tried: [], onRoom: () => {}, onTimeout: () => {} };
    pool.queue.enter(waiter);
    expect(clock.pending).toBe(2);
    pool.queue.leave(waiter);
    pool.close();
    expect(clock.pending).toBe(0);
  });
});

describe("announced load", () => {
  const announced = () => {
    const { pool, clock } = poolOf({ a: 10, b: 10 }, { weights: { mode: "announced" } });
    const events = eventsOf(pool);
    const say = (load: number) => pool.effectiveWeights.announce(memberOf(pool, "a"), load);
    const weight = () => {
      pool.candidatesExcept([]);
      return Math.round(memberOf(pool, "a").effectiveWeight * 1_000) / 1_000;
    };
    return { pool, clock, events, say, weight };
  };

  test.each([
    [0, 10],
    [0.25, 7.5],
    [0.95, 0.5],
    [0.99, 0.5],
    [1, 0.5],
  ])("of %d leaves a weight of %d out of 10", (load, left) => {
    const { say, weight } = announced();
    say(load);
    expect(weight()).toBe(left);
  });

  test.each([-0.1, 1.1, Number.NaN, Infinity, -Infinity])("of %d is ignored", (load) => {
    const { say, weight, clock } = announced();
    say(load);
    expect(weight()).toBe(10);
    say(0.5);
    clock.advance(1_000);
    say(load);
    expect(weight()).toBe(5);
  });

  test("is applied at most once per second", () => {
    const { say, weight, clock } = announced();
    say(0.5);
    clock.advance(limits.announcedIntervalMs - 1);
    say(0.1);
    expect(weight()).toBe(5);
    clock.advance(1);
    say(0.1);
    expect(weight()).toBe(9);
  });

  test("expires after three minutes, without a timer", () => {
    const { say, weight, clock, events } = announced();
    say(0.5);
    expect(clock.pending).toBe(0);
    clock.advance(179_999);
    expect(weight()).toBe(5);
    clock.advance(1);
    expect(weight()).toBe(10);
    expect(events).toEqual([
      "a 10 -> 5 announced: it announces a load of 0.5",
      "a 5 -> 10 announced: its announcement has expired",
    ]);
  });

  test("ends when a reload switches dynamic weights off", () => {
    const { pool, say, weight } = announced();
    say(0.5);
    pool.reconfigure(resolvePool({ upstreams: upstreamsOf({ a: 10, b: 10 }) }));
    expect(weight()).toBe(10);
    expect(pool.effectiveWeights.changesWithTime).toBe(false);
  });

  test("of a member that has left is ignored", () => {
    const { pool, say } = announced();
    const a = memberOf(pool, "a");
    say(0.5);
    pool.remove("a");
    pool.effectiveWeights.announce(a, 0.1);
    expect(pool.effectiveWeights.changesWithTime).toBe(false);
  });

  test("multiplies with the other factors, and snapshots show each", () => {
    const { pool, clock } = poolOf({ a: 100, b: 10 }, { slowStart: { window: "20s" }, weights: {} });
    recover(pool, "a");
    clock.advance(10_000);
    pool.effectiveWeights.announce(memberOf(pool, "a"), 0.5);
    pool.effectiveWeights.setFeedback(memberOf(pool, "a"), 0.25, "test");
    expect(pool.snapshot().upstreams[0]).toMatchObject({
      weight: 100,
      effectiveWeight: 6.25,
      slowStart: 0.5,
      feedback: 0.25,
      announced: 0.5,
    });
  });
});

describe("events", () => {
  test("an operator's change is emitted with the effective weights before and after", () => {
    const { pool } = poolOf({ a: 10, b: 10 });
    const events = eventsOf(pool);
    pool.effectiveWeights.setFeedback(memberOf(pool, "a"), 0.25, "test");
    pool.setWeight("a", 20);
    pool.setWeight("a", 20);
    expect(events).toEqual(["a 10 -> 2.5 feedback: test", "a 2.5 -> 5 operator"]);
  });
});

describe("the lists of candidates", () => {
  test("stay the same without a change, and are replaced after each change of a weight", () => {
    const { pool, clock } = poolOf({ a: 2, b: 2 }, { slowStart: { window: "20s" } });
    const lists = () => [pool.candidates, pool.candidatesExcept([])];
    let known = lists();
    const expectOthers = (after: string) => {
      const now = lists();
      for (const [index, list] of now.entries()) expect(list, after).not.toBe(known[index]);
      known = now;
    };
    const expectSame = () => {
      for (const [index, list] of lists().entries()) expect(list).toBe(known[index]);
    };
    pool.begin(memberOf(pool, "a")).settle("success");
    expectSame();
    pool.setWeight("a", 3);
    expectOthers("the operator's weight");
    pool.effectiveWeights.setFeedback(memberOf(pool, "a"), 0.5, "slow");
    expectOthers("feedback");
    pool.effectiveWeights.announce(memberOf(pool, "b"), 0.5);
    expectOthers("an announcement");
    recover(pool, "a");
    expectOthers("the begin of a slow start");
    expectSame();
    clock.advance(10_000);
    expectOthers("half of a slow start");
    clock.advance(limits.announcedMs);
    expectOthers("the end of an announcement");
    expectSame();
  });

  test("are replaced once for several changed weights, and last for a step of a slow start", () => {
    const { pool, clock } = poolOf({ a: 1, b: 1, c: 1, d: 1 }, { slowStart: { window: "20s" } });
    for (const id of ["b", "c", "d"]) recover(pool, id);
    clock.advance(10_000);
    const list = pool.candidates;
    clock.advance(199);
    expect(pool.candidates).toBe(list);
    clock.advance(1);
    const next = pool.candidates;
    expect(next).not.toBe(list);
    expect(pool.candidates).toBe(next);
    expect(memberOf(pool, "b").effectiveWeight).toBe(0.51);
  });
});
