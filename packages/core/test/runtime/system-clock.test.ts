import { expect, test } from "vitest";
import { systemClock } from "../../src/runtime/clock.ts";

test("waiting for input keeps the event loop from sleeping: a deadline that has passed is noticed while all is quiet", async () => {
  const immediates = () => process.getActiveResourcesInfo().filter((type) => type === "Immediate").length;
  const before = immediates();
  const read = new Promise<void>((resolve) => systemClock.afterInput?.(resolve));
  expect(immediates()).toBe(before + 1);
  await read;
});
