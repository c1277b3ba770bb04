import { expect, test } from "vitest";
import { SlidingSum } from "../../src/runtime/sliding-sum.ts";
import { VirtualClock } from "../support/virtual-clock.ts";

test("sums the amounts within the window; older ones expire one tenth of the window at a time", () => {
  const clock = new VirtualClock();
  clock.advance(123_450);
  const sum = new SlidingSum(1_000, clock);
  const totals: number[] = [];
  for (let slot = 0; slot < 15; slot++) {
    if (slot < 5) sum.add(1);
    totals.push(sum.total);
    clock.advance(100);
  }
  expect(totals).toEqual([1, 2, 3, 4, 5, 5, 5, 5, 5, 5, 4, 3, 2, 1, 0]);
});

test("is zero when nothing was added for one window or longer", () => {
  const clock = new VirtualClock();
  const sum = new SlidingSum(1_000, clock);
  sum.add(7);
  clock.advance(1_000);
  expect(sum.total).toBe(0);
  sum.add(7);
  clock.advance(86_400_000);
  expect(sum.total).toBe(0);
  sum.add(2);
  sum.clear();
  expect(sum.total).toBe(0);
});

test("accepts a window whose tenth is not a whole number of milliseconds", () => {
  const clock = new VirtualClock();
  const sum = new SlidingSum(333, clock);
  for (let ms = 0; ms < 3_330; ms++) {
    sum.add(1);
    clock.advance(1);
  }
  expect(sum.total).toBeGreaterThanOrEqual(299);
  expect(sum.total).toBeLessThanOrEqual(333);
});
