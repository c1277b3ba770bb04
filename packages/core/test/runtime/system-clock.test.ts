import { expect, test } from "vitest";
import { systemClock } from "../../src/runtime/clock.ts";

test("afterInput uses a referenced immediate, so that an idle event loop does not delay it", async () => {
  const immediates = () => process.getActiveResourcesInfo().filter((type) => type === "Immediate").length;
  const before = immediates();
  const read = new Promise<void>((resolve) => systemClock.afterInput?.(resolve));
  expect(immediates()).toBe(before + 1);
  await read;
});
