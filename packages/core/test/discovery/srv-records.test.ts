import { describe, expect, test } from "vitest";
import { toSrvTargets } from "../../src/discovery/srv-records.ts";

const record = (name: string, priority: number, weight: number, port = 80) => ({ name, priority, weight, port });
const weightsOf = (...weights: number[]) =>
  toSrvTargets(weights.map((weight, index) => record(`t${index}`, 0, weight))).map(({ weight }) => weight);

describe("weights", () => {
  test.each([
    ["that fit stay", [1, 10, 256], [1, 10, 256]],
    ["that do not fit are scaled", [100, 500, 1_000], [26, 128, 256]],
    ["of 0 become the smallest share there is", [0, 1, 4], [1, 64, 256]],
    ["of 0 beside great ones, too", [0, 65_535], [1, 256]],
    ["that would be scaled to nothing stay a small share", [1, 65_535], [1, 256]],
    ["that are all 0 are equal", [0, 0, 0], [1, 1, 1]],
  ])("%s", (_name, weights, expected) => {
    expect(weightsOf(...weights)).toEqual(expected);
  });

  test("mean something among those of one priority only", () => {
    const services = toSrvTargets([record("a", 0, 3), record("b", 0, 1), record("c", 7, 65_535), record("d", 7, 0)]);
    expect(services.map(({ target, tier, weight }) => [target, tier, weight])).toEqual([
      ["a", 0, 3],
      ["b", 0, 1],
      ["c", 1, 256],
      ["d", 1, 1],
    ]);
  });
});

test("priorities become tiers by their rank, and the order is that of the names", () => {
  const records = [
    record("z", 20, 1),
    record("B", 10, 1),
    record("a", 10, 1, 81),
    record("a", 10, 1),
    record("y", 65_535, 1),
  ];
  const services = toSrvTargets(records);
  expect(services.map(({ target, port, tier }) => `${tier} ${target}:${port}`)).toEqual([
    "0 a:80",
    "0 a:81",
    "0 b:80",
    "1 z:80",
    "2 y:80",
  ]);
  expect(toSrvTargets(records.toReversed())).toEqual(services);
});

test("a record of no service is none", () => {
  expect(toSrvTargets([record("", 0, 1), record("a", 0, 1, 0)])).toEqual([]);
});
