import { describe, expect, test } from "vitest";
import { connectionBudget, descriptorLimit } from "../../src/server/connection-budget.ts";

describe("the connection budget", () => {
  test.each([
    [10_000, Infinity, 10_000],
    [10_000, 1_048_576, 10_000],
    [10_000, 65_536, 10_000],
    [10_000, 20_000, 9_808],
    [10_000, 16_384, 8_000],
    [10_000, 1_024, 398],
    [300, 1_024, 300],
    [10_000, 256, 85],
    [10_000, 64, 21],
    [10_000, 8, 2],
    [10_000, 1, 1],
  ])("maxConnections = %i and %i descriptors: %i clients", (maxConnections, descriptors, served) => {
    expect(connectionBudget(maxConnections, descriptors).served).toBe(served);
  });

  test.each([64, 256, 1_024, 16_384, 65_536])(
    "%i, every client that is served has one to an upstream",
    (descriptors) => {
      const { served, refused } = connectionBudget(1_000_000, descriptors);
      expect(2 * served + refused).toBeLessThan(descriptors);
      expect(refused).toBeGreaterThan(0);
    },
  );
});

test("the limit of open files of this process is found", () => {
  expect(descriptorLimit()).toBeGreaterThan(64);
});
