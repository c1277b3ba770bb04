import { expect, test } from "vitest";
import { MapView } from "../../src/runtime/map-view.ts";

test("maps each value, in the order and the current state of the source", () => {
  const source = new Map([["a", { n: 1 }]]);
  const view = new MapView(source, ({ n }) => n);
  source.set("b", { n: 2 });
  expect([view.size, view.has("b"), view.has("c"), view.get("b"), view.get("c")]).toEqual([
    2,
    true,
    false,
    2,
    undefined,
  ]);
  expect([...view]).toEqual([...new Map([...source].map(([key, { n }]) => [key, n]))]);
  expect([[...view.keys()], [...view.values()], [...view.entries()]]).toEqual([
    ["a", "b"],
    [1, 2],
    [
      ["a", 1],
      ["b", 2],
    ],
  ]);
  source.delete("a");
  expect([...view.keys()]).toEqual(["b"]);
});

test("forEach passes value, key, view and this, as Map.forEach does", () => {
  const view = new MapView(new Map([["a", { n: 1 }]]), ({ n }) => n);
  const calls: unknown[][] = [];
  const self = {};
  view.forEach(function (this: unknown, ...args) {
    calls.push([this, ...args]);
  }, self);
  expect(calls).toEqual([[self, 1, "a", view]]);
});
