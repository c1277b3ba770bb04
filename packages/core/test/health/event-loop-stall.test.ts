import { expect, test } from "vitest";
import { EventLoopStallDetector } from "../../src/health/event-loop-stall.ts";
import { VirtualClock } from "../support/virtual-clock.ts";

function started(limitMs: number): { clock: VirtualClock; watch: EventLoopStallDetector } {
  const clock = new VirtualClock();
  const watch = new EventLoopStallDetector(clock, limitMs);
  watch.start();
  return { clock, watch };
}

test("time during which the event loop runs is not a stall", () => {
  const { clock, watch } = started(2_000);
  clock.advance(60_000);
  expect(watch.count).toBe(0);
});

test("a stall longer than the limit counts as soon as `count` is read", () => {
  const { clock, watch } = started(2_000);
  clock.advance(10_000);
  clock.stall(2_001);
  expect(watch.count).toBe(1);
  clock.advance(10_000);
  expect(watch.count).toBe(1);
  clock.stall(5_000);
  clock.advance(0);
  expect(watch.count).toBe(2);
});

test("a shorter stall does not count, nor do two with a timer in between", () => {
  const { clock, watch } = started(2_000);
  clock.stall(1_900);
  clock.advance(0);
  clock.stall(1_900);
  clock.advance(10_000);
  expect(watch.count).toBe(0);
});

test("with a timeout of a few milliseconds, delays below 100 ms are not stalls", () => {
  const { clock, watch } = started(5);
  clock.stall(90);
  expect(watch.count).toBe(0);
  clock.stall(101);
  expect(watch.count).toBe(1);
});

test("stop leaves no timer", () => {
  const { clock, watch } = started(2_000);
  clock.advance(5_000);
  expect(clock.pending).toBe(1);
  watch.stop();
  expect(clock.pending).toBe(0);
});
