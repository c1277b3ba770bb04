import { describe, expect, test } from "vitest";
import { toSrvTargets } from "../../src/discovery/srv-records.ts";

const record = (name: string, priority: number, weight: number, port = 80) => ({ name, priority, weight, port });
const weightsOf = (...weights: number[]) =>
  toSrvTargets(weights.map((weight, index) => record(`t${index}`, 0, weight))).map(({ weight }) => weight);

describe("weights", () => {
  test.each([
    ["within the range stay", [1, 10, 256], [1, 10, 256]],
    ["above the range are scaled", [100, 500, 1_000], [26, 128, 256]],
    ["of 0 become the smallest share", [0, 1, 4], [1, 64, 256]],
    ["of 0 become the smallest share also among large weights", [0, 65_535], [1, 256]],
    ["that would be scaled to 0 become 1", [1, 65_535], [1, 256]],
    ["that are all 0 are equal", [0, 0, 0], [1, 1, 1]],
  ])("%s", (_name, weights, expected) => {
    expect(weightsOf(...weights)).toEqual(expected);
  });

  test("are relative to those of the same priority", () => {
    const targets = toSrvTargets([record("a", 0, 3), record("b", 0, 1), record("c", 7, 65_535), record("d", 7, 0)]);
    expect(targets.map(({ target, tier, weight }) => [target, tier, weight])).toEqual([
      ["a", 0, 3],
      ["b", 0, 1],
      ["c", 1, 256],
      ["d", 1, 1],
    ]);
  });
});

test("priorities become tiers by rank, and each tier is sorted by name", () => {
  const records = [
    record("z", 20, 1),
    record("B", 10, 1),
    record("a", 10, 1, 81),
    record("a", 10, 1),
    record("y", 65_535, 1),
  ];
  const targets = toSrvTargets(records);
  expect(targets.map(({ target, port, tier }) => `${tier} ${target}:${port}`)).toEqual([
    "0 a:80",
    "0 a:81",
    "0 b:80",
    "1 z:80",
    "2 y:80",
  ]);
  expect(toSrvTargets(records.toReversed())).toEqual(targets);
});

test("a record without a service is left out", () => {
  expect(toSrvTargets([record("", 0, 1), record("a", 0, 1, 0)])).toEqual([]);
});
