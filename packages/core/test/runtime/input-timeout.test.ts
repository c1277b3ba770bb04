import { expect, test } from "vitest";
import { type Clock, systemClock } from "../../src/runtime/clock.ts";
import { InputTimeout } from "../../src/runtime/input-timeout.ts";
import { turns } from "../support/event-loop.ts";
import { VirtualClock } from "../support/virtual-clock.ts";

function started(ms: number) {
  const clock = new VirtualClock();
  const ended: number[] = [];
  const timeout = new InputTimeout(clock, () => ended.push(clock.now()), ms);
  return { clock, ended, timeout };
}

test("ends on time while the event loop turns", () => {
  const { clock, ended } = started(100);
  clock.advance(99);
  expect(ended).toEqual([]);
  clock.advance(1);
  expect([ended, clock.pending]).toEqual([[100], 0]);
});

test("does not end once it is cleared, not even while input is read", () => {
  const { clock, ended, timeout } = started(100);
  timeout.clear();
  clock.advance(1_000);
  expect([ended, clock.pending]).toEqual([[], 0]);

  const read: (() => void)[] = [];
  const late: Clock = {
    now: () => clock.now(),
    wallNow: () => 0,
    setTimeout: (callback, ms) => clock.setTimeout(callback, ms),
    clearTimeout: (timer) => clock.clearTimeout(timer),
    afterInput: (callback) => void read.push(callback),
  };
  const other = new InputTimeout(late, () => ended.push(clock.now()), 100);
  clock.advance(100);
  other.clear();
  read.pop()?.();
  expect(ended).toEqual([]);
});

test("lasts longer once by what it came late, and by no more than it would have lasted", () => {
  const short = started(100);
  short.clock.stall(150);
  short.clock.advance(0);
  expect(short.ended).toEqual([]);
  short.clock.advance(50);
  expect(short.ended).toEqual([200]);

  const long = started(100);
  long.clock.stall(5_000);
  long.clock.advance(0);
  long.clock.stall(5_000);
  long.clock.advance(0);
  expect(long.ended).toEqual([10_000]);
});

test("on the machine's own clock, input is read before it ends", async () => {
  const order: string[] = [];
  await new Promise<void>((resolve) => {
    new InputTimeout(
      systemClock,
      () => {
        order.push("timeout");
        resolve();
      },
      1,
    );
    // Both have fallen due: a timer, and something that only a turn of the event loop brings.
    const until = performance.now() + 15;
    while (performance.now() < until);
    setImmediate(() => order.push("input"));
  });
  await turns(1);
  expect(order).toEqual(["input", "timeout"]);
});
