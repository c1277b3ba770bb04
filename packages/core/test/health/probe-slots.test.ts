import { expect, test } from "vitest";
import { ProbeSlots } from "../../src/health/probe-slots.ts";

test("calls above the limit wait, first in, first out, and can be cancelled", () => {
  const slots = new ProbeSlots(2);
  const order: string[] = [];
  const [a, b, c, d, e] = ["a", "b", "c", "d", "e"].map((name) => () => void order.push(name));
  for (const run of [a, b, c, d, e]) slots.acquire(run as () => void);
  expect(order).toEqual(["a", "b"]);
  slots.cancel(c as () => void);
  slots.release();
  expect(order).toEqual(["a", "b", "d"]);
  slots.release();
  slots.release();
  slots.release();
  expect(order).toEqual(["a", "b", "d", "e"]);
});

test("a released slot without a waiting call is free for the next call", () => {
  const slots = new ProbeSlots(1);
  const order: string[] = [];
  slots.acquire(() => order.push("a"));
  slots.acquire(() => order.push("dropped"));
  slots.clear();
  slots.release();
  slots.acquire(() => order.push("b"));
  slots.acquire(() => order.push("c"));
  expect(order).toEqual(["a", "b"]);
});
