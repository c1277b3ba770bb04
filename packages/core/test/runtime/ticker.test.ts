import { describe, expect, test } from "vitest";
import { Ticker, type Timed, tickerOf } from "../../src/runtime/ticker.ts";
import { VirtualClock } from "../support/virtual-clock.ts";

function timed(clock: VirtualClock, deadline: number, onDeadline: (self: Timed) => void = () => {}) {
  const late: number[] = [];
  const one = {
    deadline,
    late,
    onDeadline() {
      late.push(clock.now());
      one.deadline = Infinity;
      onDeadline(one);
    },
  };
  return one;
}

describe("a ticker", () => {
  test("reports a deadline at the first tick after it, and never before it", () => {
    for (let deadline = 0; deadline < 100; deadline += 7) {
      const clock = new VirtualClock();
      const one = timed(clock, deadline);
      new Ticker(clock).watch(one);
      clock.advance(1_000);
      expect(one.late).toHaveLength(1);
      expect(one.late[0]).toBeGreaterThanOrEqual(deadline);
      expect(one.late[0]).toBeLessThanOrEqual(deadline + 20);
    }
  });

  test("uses the deadline's value at the time of the tick", () => {
    const clock = new VirtualClock();
    const ticker = new Ticker(clock);
    const moved = timed(clock, 100);
    const never = timed(clock, Infinity);
    ticker.watch(moved);
    ticker.watch(never);
    clock.advance(90);
    moved.deadline = 500;
    clock.advance(400);
    expect(moved.late).toEqual([]);
    clock.advance(100);
    expect(moved.late).toEqual([500]);
    expect(never.late).toEqual([]);
  });

  test("has one timer for all entries, and no timer without entries", () => {
    const clock = new VirtualClock();
    const ticker = new Ticker(clock);
    expect(clock.pending).toBe(0);
    const all = Array.from({ length: 1_000 }, () => timed(clock, Infinity));
    for (const one of all) ticker.watch(one);
    expect(clock.pending).toBe(1);
    clock.advance(100);
    expect(clock.pending).toBe(1);
    for (const one of all) ticker.forget(one);
    clock.advance(100);
    expect(clock.pending).toBe(0);
    ticker.watch(all[0] as Timed);
    expect(clock.pending).toBe(1);
  });

  test("has one timer when onDeadline adds an entry", () => {
    const clock = new VirtualClock();
    const ticker = new Ticker(clock);
    const chain = (left: number) => {
      const one = timed(clock, clock.now(), (self) => {
        ticker.forget(self);
        if (left > 0) chain(left - 1);
      });
      ticker.watch(one);
    };
    chain(5);
    const keeper = timed(clock, Infinity);
    ticker.watch(keeper);
    for (let tick = 0; tick < 20; tick++) {
      clock.advance(20);
      expect(clock.pending).toBe(1);
    }
  });

  test("does not call an entry that another entry's onDeadline has removed", () => {
    const clock = new VirtualClock();
    const ticker = new Ticker(clock);
    const second = timed(clock, 10);
    const first = timed(clock, 10, () => ticker.forget(second));
    ticker.watch(first);
    ticker.watch(second);
    clock.advance(100);
    expect(first.late).toEqual([20]);
    expect(second.late).toEqual([]);
  });

  test("extends a deadline that passed during a stall by the time left before the stall", () => {
    const clock = new VirtualClock();
    const ticker = new Ticker(clock);
    const alive = timed(clock, 100);
    const dead = timed(clock, 100);
    ticker.watch(alive);
    ticker.watch(dead);
    clock.advance(40);
    clock.stall(1_000);
    clock.advance(0);
    expect([alive.late, dead.late]).toEqual([[], []]);
    // The event loop reads input for one of them, which moves its deadline.
    alive.deadline = clock.now() + 100;
    clock.advance(80);
    expect([alive.late, dead.late]).toEqual([[], [1_100]]);
  });

  test("extends it also when an earlier late tick found no deadline that had passed", () => {
    const clock = new VirtualClock();
    const ticker = new Ticker(clock);
    const one = timed(clock, 500);
    ticker.watch(one);
    clock.advance(100);
    clock.stall(60);
    clock.advance(0);
    clock.stall(2_000);
    clock.advance(0);
    expect(one.late).toEqual([]);
    one.deadline = Infinity;
    clock.advance(1_000);
    expect(one.late).toEqual([]);
  });

  test("reports a deadline while every tick is late, after input was read", () => {
    const clock = new VirtualClock();
    const ticker = new Ticker(clock);
    const dead = timed(clock, 1_000);
    const alive = timed(clock, 1_000);
    ticker.watch(dead);
    ticker.watch(alive);
    for (let turn = 0; turn < 30; turn++) {
      clock.stall(60);
      clock.advance(0);
      // Input of each turn moves this deadline.
      alive.deadline = clock.now() + 1_000;
    }
    expect(dead.late).toHaveLength(1);
    expect(dead.late[0]).toBeLessThanOrEqual(1_200);
    expect(alive.late).toEqual([]);
  });

  test("after a late tick, reports only deadlines that have not moved while input was read", () => {
    const read: (() => void)[] = [];
    const clock = new VirtualClock();
    const ticker = new Ticker({
      now: () => clock.now(),
      wallNow: () => clock.wallNow(),
      setTimeout: (callback, ms) => clock.setTimeout(callback, ms),
      clearTimeout: (timer) => clock.clearTimeout(timer),
      afterInput: (callback) => void read.push(callback),
    });
    const [moving, silent] = [timed(clock, 10), timed(clock, 10)];
    ticker.watch(moving);
    ticker.watch(silent);
    const stall = () => {
      clock.stall(500);
      clock.advance(0);
    };
    stall();
    read.pop()?.();
    stall();
    expect([moving.late, silent.late]).toEqual([[], []]);
    moving.deadline = clock.now() + 5_000;
    read.pop()?.();
    expect([moving.late, silent.late]).toEqual([[], [clock.now()]]);
  });
});

test("tickerOf returns the same ticker for the same clock", () => {
  const clock = new VirtualClock();
  expect(tickerOf(clock)).toBe(tickerOf(clock));
  expect(tickerOf(new VirtualClock())).not.toBe(tickerOf(clock));
});
