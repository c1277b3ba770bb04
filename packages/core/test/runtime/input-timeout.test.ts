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

test("expires on time while the event loop runs", () => {
  const { clock, ended } = started(100);
  clock.advance(99);
  expect(ended).toEqual([]);
  clock.advance(1);
  expect([ended, clock.pending]).toEqual([[100], 0]);
});

test("does not expire after clear, not even when cleared while input is read", () => {
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

test("a late timer extends the timeout once by its delay, at most by the timeout itself", () => {
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

test("on the system clock, input is read before the timeout expires", async () => {
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
    // After the loop both are due: the timer, and an immediate that stands for input.
    const until = performance.now() + 15;
    while (performance.now() < until);
    setImmediate(() => order.push("input"));
  });
  await turns(1);
  expect(order).toEqual(["input", "timeout"]);
});
