import { describe, expect, test } from "vitest";
import { resolvePool } from "../../src/config/resolve.ts";
import type { Pool } from "../../src/pool/pool.ts";
import { idsOf, type MemberSketch, memberOf, poolOf, upstreamsOf, urlOf } from "../support/pools.ts";

function reconfigure(pool: Pool, members: Readonly<Record<string, MemberSketch>>, settings: object = {}) {
  return pool.reconfigure(resolvePool({ ...settings, upstreams: upstreamsOf(members) }));
}

describe("a member that stays", () => {
  test("keeps its verdict, state, counters, requests and place", () => {
    const { pool } = poolOf({ a: 1, b: 1 });
    const a = memberOf(pool, "a");
    const attempt = pool.begin(a);
    pool.begin(a).settle("reset");
    pool.setHealth(a, "unhealthy", "status 503");
    pool.setState("a", "draining");
    const changes = reconfigure(pool, { a: 1, b: 1 }, { balance: "random" });
    expect(changes).toEqual({ added: [], removed: [] });
    expect(memberOf(pool, "a")).toBe(a);
    expect(a).toMatchObject({ health: "unhealthy", state: "draining", inFlight: 1 });
    expect(pool.snapshot().upstreams[0]).toMatchObject({ outcomes: { reset: 1 } });
    attempt.settle("success");
    expect(a.inFlight).toBe(0);
  });

  test("keeps the weight that an operator gave it, until the configured one changes", () => {
    const { pool } = poolOf({ a: 3, b: 1 });
    const reasons: string[] = [];
    pool.on("weight", ({ upstream, to, reason }) => reasons.push(`${upstream} ${to} ${reason}`));
    pool.setWeight("a", 7);
    reconfigure(pool, { a: 3, b: 1 });
    expect(memberOf(pool, "a").weight).toBe(7);
    reconfigure(pool, { a: 4, b: 1 });
    expect(memberOf(pool, "a").weight).toBe(4);
    // A return to the first configured weight is a change of the configuration too.
    reconfigure(pool, { a: 3, b: 1 });
    expect(memberOf(pool, "a").weight).toBe(3);
    expect(reasons).toEqual(["a 7 operator", "a 4 config", "a 3 config"]);
  });

  test("an operator's weight that equals the new configured one is no change", () => {
    const { pool } = poolOf({ a: 3 });
    pool.setWeight("a", 5);
    let events = 0;
    pool.on("weight", () => events++);
    reconfigure(pool, { a: 5 });
    expect(memberOf(pool, "a").weight).toBe(5);
    expect(events).toBe(0);
    reconfigure(pool, { a: 5 });
    expect(memberOf(pool, "a").weight).toBe(5);
  });

  test("gets its new limit and its new tier", () => {
    const { pool } = poolOf({ a: 1, b: 1 });
    pool.begin(memberOf(pool, "a"));
    reconfigure(pool, { a: { maxInFlight: 1 }, b: { backup: true } });
    expect(memberOf(pool, "a")).toMatchObject({ maxInFlight: 1, available: false });
    expect(idsOf(pool.candidates)).toEqual(["b"]);
    reconfigure(pool, { a: { maxInFlight: 2 }, b: { backup: true } });
    expect(idsOf(pool.candidates)).toEqual(["a"]);
  });
});

describe("members that join and leave", () => {
  test("emit events, and the list has the order of the configuration", () => {
    const { pool } = poolOf({ a: 1, b: 1, c: 1 });
    const events: string[] = [];
    pool.on("member", ({ upstream, change }) => events.push(`${upstream} ${change}`));
    expect(reconfigure(pool, { d: 1, c: 1, a: 1 })).toEqual({ added: ["d"], removed: ["b"] });
    expect(idsOf(pool.upstreams)).toEqual(["d", "c", "a"]);
    expect(Object.isFrozen(pool.upstreams)).toBe(true);
    expect(events).toEqual(["b removed", "b drained", "d added"]);
  });

  test("the same id with another URL is another member", () => {
    const { pool } = poolOf({ a: 1 });
    const old = memberOf(pool, "a");
    const attempt = pool.begin(old);
    pool.setHealth(old, "unhealthy", "status 503");
    const moved = resolvePool({ upstreams: [{ id: "a", url: "http://elsewhere.internal:3000" }] });
    expect(pool.reconfigure(moved)).toEqual({ added: ["a"], removed: ["a"] });
    const next = memberOf(pool, "a");
    expect(next).not.toBe(old);
    expect(next).toMatchObject({ url: "http://elsewhere.internal:3000", health: "unknown", inFlight: 0 });
    expect(old).toMatchObject({ url: urlOf("a"), inFlight: 1, available: false });
    expect(pool.inFlight).toBe(1);
    attempt.settle("success");
    expect(pool.inFlight).toBe(0);
  });

  test("a member added by an operator leaves unless the configuration has it", () => {
    const { pool } = poolOf({ a: 1 });
    pool.add({ id: "b", url: urlOf("b") });
    pool.add({ id: "c", url: urlOf("c") });
    expect(reconfigure(pool, { a: 1, b: 1 })).toEqual({ added: [], removed: ["c"] });
    expect(idsOf(pool.upstreams)).toEqual(["a", "b"]);
  });
});

describe("waiters", () => {
  test("never see a half-applied reload", () => {
    const { pool } = poolOf({ a: { maxInFlight: 1 } });
    pool.begin(memberOf(pool, "a"));
    const seen: string[][] = [];
    const waiter = () => ({ onRoom: () => seen.push(idsOf(pool.candidates)), onTimeout: () => {} });
    for (let count = 0; count < 2; count++) pool.queue.enter(waiter());
    reconfigure(pool, { b: 1, c: 1 });
    expect(seen).toEqual([
      ["b", "c"],
      ["b", "c"],
    ]);
  });

  test("are woken by a new member, and by a raised limit", () => {
    const { pool } = poolOf({ a: { maxInFlight: 1 } });
    pool.begin(memberOf(pool, "a"));
    let woken = 0;
    const waiter = () => ({
      onRoom: () => {
        woken++;
        pool.begin(pool.candidates[0] ?? memberOf(pool, "a"));
      },
      onTimeout: () => {},
    });
    for (let count = 0; count < 3; count++) pool.queue.enter(waiter());
    reconfigure(pool, { a: { maxInFlight: 1 }, b: { maxInFlight: 1 } });
    expect(woken).toBe(1);
    reconfigure(pool, { a: { maxInFlight: 2 }, b: { maxInFlight: 1 } });
    expect(woken).toBe(2);
    reconfigure(pool, { a: { maxInFlight: 2 }, b: { maxInFlight: 1 } });
    expect(woken).toBe(2);
  });

  test("new limits of the queue and of the retry budget apply", () => {
    const full = { a: { maxInFlight: 1 } };
    const { pool } = poolOf(full, { queue: { max: 1 }, retry: { budget: 0, minRetriesPerSecond: 0 } });
    pool.begin(memberOf(pool, "a"));
    const enter = () => pool.queue.enter({ onRoom: () => {}, onTimeout: () => {}, tried: [] });
    expect([enter(), enter()]).toEqual([true, false]);
    expect(pool.retryBudget.tryWithdraw()).toBe(false);
    reconfigure(pool, full, { queue: { max: 2 }, retry: { budget: 0, minRetriesPerSecond: 1 } });
    expect([enter(), enter()]).toEqual([true, false]);
    expect(pool.retryBudget.tryWithdraw()).toBe(true);
  });
});
