import { describe, expect, test } from "vitest";
import { type Waiter, WaitQueue } from "../../src/pool/availability/wait-queue.ts";
import type { Pool } from "../../src/pool/pool.ts";
import type { Clock } from "../../src/runtime/clock.ts";
import { agedBytes } from "../support/memory.ts";
import { memberOf, poolOf } from "../support/pools.ts";
import { VirtualClock } from "../support/virtual-clock.ts";

function queueOf(max: number, timeoutMs: number) {
  const clock = new VirtualClock();
  const queue = new WaitQueue({ max, timeoutMs }, clock);
  const log: string[] = [];
  const waiter = (name: string) => ({
    onRoom: () => log.push(`${name} room`),
    onTimeout: () => log.push(`${name} timeout at ${clock.now()}`),
    tried: [],
  });
  return { clock, queue, log, waiter };
}

function wakeFirst(queue: WaitQueue): void {
  const { depth } = queue;
  queue.wake(() => queue.depth === depth);
}

describe("the queue alone", () => {
  test("wakes in the order of arrival", () => {
    const { queue, log, waiter } = queueOf(10, 1_000);
    for (const name of ["a", "b", "c"]) expect(queue.enter(waiter(name))).toBe(true);
    expect(queue.depth).toBe(3);
    queue.wake(() => true);
    expect(queue.depth).toBe(0);
    expect(log).toEqual(["a room", "b room", "c room"]);
  });

  test("skips a waiter for another upstream, which keeps its place", () => {
    const { queue, log, waiter } = queueOf(10, 1_000);
    const waitsFor = memberOf(poolOf({ own: 1 }).pool, "own");
    const bound = { ...waiter("bound"), waitsFor };
    for (const each of [bound, waiter("b"), waiter("c")]) queue.enter(each);
    queue.wake((each) => each.waitsFor === undefined);
    expect(log).toEqual(["b room", "c room"]);
    queue.enter(waiter("d"));
    queue.wake(() => true);
    expect(log).toEqual(["b room", "c room", "bound room", "d room"]);
  });

  test("does not retain waiters that have left, also after a full collection", () => {
    // A clock whose timers retain nothing.
    const clock: Clock = { now: () => 0, wallNow: () => 0, setTimeout: () => undefined, clearTimeout: () => {} };
    const queue = new WaitQueue({ max: 1_000, timeoutMs: 1_000 }, clock);
    class LargeWaiter implements Waiter {
      readonly load: number[] = Array<number>(500).fill(0.5);
      onRoom(): void {}
      onTimeout(): void {}
    }
    const waiters = () => Array.from({ length: 64 }, () => new LargeWaiter());
    let present = waiters();
    for (const each of present) queue.enter(each);
    const grown = agedBytes(() => {
      const next = waiters();
      for (const [index, each] of present.entries()) {
        queue.enter(next[index] as Waiter);
        queue.leave(each);
      }
      present = next;
    });
    // Of 25 MB that have entered and left.
    expect(grown).toBeLessThan(5_000_000);
  });

  test("refuses waiters beyond its limit", () => {
    const { queue, log, waiter } = queueOf(2, 1_000);
    expect(["a", "b", "c"].map((name) => queue.enter(waiter(name)))).toEqual([true, true, false]);
    wakeFirst(queue);
    expect(queue.enter(waiter("d"))).toBe(true);
    expect(log).toEqual(["a room"]);
    expect(queueOf(0, 1_000).queue.enter(waiter("x"))).toBe(false);
  });

  test("times out each waiter separately, and leaves no timer", () => {
    const { clock, queue, log, waiter } = queueOf(10, 1_000);
    queue.enter(waiter("a"));
    clock.advance(400);
    queue.enter(waiter("b"));
    queue.enter(waiter("c"));
    clock.advance(600);
    wakeFirst(queue);
    expect(queue.depth).toBe(1);
    clock.advance(10_000);
    expect(log).toEqual(["a timeout at 1000", "b room", "c timeout at 1400"]);
    expect(queue.depth).toBe(0);
    expect(clock.pending).toBe(0);
  });

  test("forgets waiters that leave", () => {
    const { clock, queue, log, waiter } = queueOf(10, 1_000);
    const [a, b] = [waiter("a"), waiter("b")];
    queue.enter(a);
    queue.enter(b);
    queue.leave(a);
    queue.leave(a);
    expect(queue.depth).toBe(1);
    wakeFirst(queue);
    clock.advance(10_000);
    expect(log).toEqual(["b room"]);
    expect(clock.pending).toBe(0);
  });
});

describe("in a pool", () => {
  /** Puts waiters into the queue that take the first candidate once there is one, as requests do. */
  function line(pool: Pool, served: string[], names: readonly string[]): void {
    for (const name of names) {
      const onRoom = () => {
        served.push(name);
        const [upstream] = pool.candidates;
        if (upstream === undefined) throw new Error("woken without room");
        pool.begin(upstream);
      };
      pool.queue.enter({ onRoom, onTimeout: () => {}, tried: [] });
    }
  }

  test.each(["success", "reset", "aborted"] as const)("a %s wakes exactly one waiter, the first", (outcome) => {
    const { pool } = poolOf({ a: { maxInFlight: 1 } });
    const served: string[] = [];
    const attempt = pool.begin(memberOf(pool, "a"));
    line(pool, served, ["x", "y"]);
    attempt.settle(outcome);
    expect(served).toEqual(["x"]);
    expect(pool.queue.depth).toBe(1);
    expect(memberOf(pool, "a").inFlight).toBe(1);
  });

  test("a member that is enabled, joins or recovers wakes as many waiters as it has room for", () => {
    const { pool } = poolOf({ a: { maxInFlight: 2 }, b: { maxInFlight: 1 } }, { panic: "fail" });
    const served: string[] = [];
    pool.setState("a", "disabled");
    pool.setHealth(memberOf(pool, "b"), "unhealthy", "status 503");
    line(pool, served, ["1", "2", "3", "4", "5"]);
    pool.setState("a", "active");
    expect(served).toEqual(["1", "2"]);
    pool.add({ id: "c", url: "http://c.internal", maxInFlight: 1 });
    expect(served).toEqual(["1", "2", "3"]);
    pool.setHealth(memberOf(pool, "b"), "healthy", "status 200");
    expect(served).toEqual(["1", "2", "3", "4"]);
    pool.remove("a");
    expect(served).toEqual(["1", "2", "3", "4"]);
  });
});
