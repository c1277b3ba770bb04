import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { defaults, limits } from "../../src/config/defaults.ts";

const page = readFileSync(new URL("../../../../docs/retries.md", import.meta.url), "utf8");

test("the page states the actual defaults and limits", () => {
  const { retry } = defaults;
  expect(page).toContain(`| ${retry.methods.join(", ")} |`);
  expect(page).toContain(`| ${retry.on.map((condition) => `\`"${condition}"\``).join(", ")} |`);
  expect(page).toContain(`| ${retry.attempts} after the first |`);
  expect(page).toContain(`| ${retry.bodyBuffer.replace("kb", " KiB")} |`);
  expect(page).toContain(`| ${retry.budget * 100} % of requests, and ${retry.minRetriesPerSecond} a second |`);
  expect(page).toContain(`a pause of ${limits.retryBackoffMinMs} to ${limits.retryBackoffMaxMs} ms`);
  expect(defaults.timeouts.total).toBe("0s");
  expect(limits.retryBudgetWindowMs).toBe(10_000);
});
