import { expect, test } from "vitest";
import { seededRandom } from "../../src/runtime/seeded-random.ts";
import { VirtualClock } from "../../src/runtime/virtual-clock.ts";

test("timers run at their own time, in the order of their time, then of their creation", () => {
  const clock = new VirtualClock(1_000);
  const log: string[] = [];
  for (const [name, delayMs] of [
    ["c", 30],
    ["a", 10],
    ["b", 10],
    ["now", -5],
  ] as const) {
    clock.setTimeout(() => log.push(`${name} at ${clock.now()}`), delayMs);
  }
  clock.advance(10);
  expect(log).toEqual(["now at 0", "a at 10", "b at 10"]);
  expect([clock.now(), clock.wallNow(), clock.nextAt, clock.pending]).toEqual([10, 1_010, 30, 1]);
  expect([clock.step(), clock.step()]).toEqual([true, false]);
  expect(log.at(-1)).toBe("c at 30");
  expect([clock.now(), clock.nextAt]).toEqual([30, Infinity]);
});

test("timers created during a move run within it, and cleared timers do not run", () => {
  const clock = new VirtualClock();
  const log: number[] = [];
  const again = () => {
    log.push(clock.now());
    clock.setTimeout(again, 10);
  };
  again();
  const cleared = clock.setTimeout(() => log.push(-1), 15);
  clock.setTimeout(() => clock.clearTimeout(cleared), 12);
  clock.advance(35);
  expect(log).toEqual([0, 10, 20, 30]);
  clock.clearTimeout(cleared);
  clock.clearTimeout(undefined);
  expect(clock.pending).toBe(1);
});

test("timers due during a stall run late, in order", () => {
  const clock = new VirtualClock();
  const log: string[] = [];
  clock.setTimeout(() => log.push(`b at ${clock.now()}`), 20);
  clock.setTimeout(() => log.push(`a at ${clock.now()}`), 10);
  clock.stall(100);
  expect(log).toEqual([]);
  clock.advance(0);
  expect(log).toEqual(["a at 100", "b at 100"]);
});

test("advanceAsync lets promises settle between two timers", async () => {
  const clock = new VirtualClock();
  const log: string[] = [];
  clock.setTimeout(() => void Promise.resolve().then(() => log.push("settled")), 1);
  clock.setTimeout(() => log.push("late"), 2);
  await clock.advanceAsync(5);
  expect(log).toEqual(["settled", "late"]);
});

test("runs the same timers in the same order as a sorted list, with random creates and clears", () => {
  const random = seededRandom(5);
  const clock = new VirtualClock();
  const expected: { at: number; made: number }[] = [];
  const ran: number[] = [];
  const timers: unknown[] = [];
  for (let made = 0; made < 5_000; made++) {
    const at = Math.floor(random() * 1_000);
    timers.push(clock.setTimeout(() => ran.push(made), at));
    expected.push({ at, made });
    if (random() < 0.4) {
      const gone = Math.floor(random() * timers.length);
      clock.clearTimeout(timers[gone]);
      const index = expected.findIndex((timer) => timer.made === gone);
      if (index >= 0) expected.splice(index, 1);
    }
  }
  expect(clock.pending).toBe(expected.length);
  clock.advance(1_000);
  expect(ran).toEqual(expected.sort((a, b) => a.at - b.at || a.made - b.made).map(({ made }) => made));
});

test("a million timers can be cleared one by one, and none stays pending", () => {
  const clock = new VirtualClock();
  const timers = Array.from({ length: 1_000_000 }, (_, index) => clock.setTimeout(() => {}, index % 997));
  for (const timer of timers) clock.clearTimeout(timer);
  expect(clock.pending).toBe(0);
});
