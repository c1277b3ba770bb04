import { expect, test } from "vitest";
import { InFlightSet } from "../../src/attempts/in-flight.ts";
import { VirtualClock } from "../support/virtual-clock.ts";

/** A set with `count` members, and the result of waiting for it to empty. */
function waiting(count: number, timeoutMs: number) {
  const clock = new VirtualClock();
  const set = new InFlightSet();
  const destroyed: number[] = [];
  const members = Array.from({ length: count }, (_, index) => ({
    destroy: () => {
      destroyed.push(index);
      set.delete(members[index] ?? { destroy: () => {} });
    },
  }));
  for (const member of members) set.add(member);
  const verdict: { empty?: boolean } = {};
  const wait = set.emptyWithin(timeoutMs, clock).then((empty) => {
    verdict.empty = empty;
  });
  return { clock, set, members, destroyed, verdict, wait };
}

test("an empty set resolves at once, without a timer", async () => {
  const { clock, verdict, wait } = waiting(0, 1_000);
  await wait;
  expect(verdict.empty).toBe(true);
  expect(clock.pending).toBe(0);
});

test("waits for the last member", async () => {
  const { clock, set, members, verdict, wait } = waiting(2, 1_000);
  for (const member of members) {
    await clock.advanceAsync(400);
    expect(verdict.empty).toBeUndefined();
    set.delete(member);
  }
  await wait;
  expect(verdict.empty).toBe(true);
  expect(clock.pending).toBe(0);
});

test("times out, destroys the remaining members, and can wait again", async () => {
  const { clock, set, verdict, destroyed, wait } = waiting(3, 1_000);
  await clock.advanceAsync(1_000);
  await wait;
  expect(verdict.empty).toBe(false);
  const again = set.emptyWithin(500, clock);
  set.destroyAll();
  expect(destroyed).toEqual([0, 1, 2]);
  expect(await again).toBe(true);
  expect(clock.pending).toBe(0);
});

test.each(["before", "after"])("`hurry` works %s the wait has begun", async (when) => {
  const clock = new VirtualClock();
  const set = new InFlightSet();
  set.add({ destroy: () => {} });
  if (when === "before") set.hurry();
  const wait = set.emptyWithin(1_000, clock);
  if (when === "after") set.hurry();
  clock.advance(0);
  expect(await wait).toBe(false);
  expect(clock.pending).toBe(0);
  // Once only.
  const verdict = set.emptyWithin(1_000, clock);
  clock.advance(999);
  expect(clock.pending).toBe(1);
  clock.advance(1);
  expect(await verdict).toBe(false);
});
