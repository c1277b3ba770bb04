import type { ProxySnapshot } from "evenkeel";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { intervalFor, Sampler } from "../../src/history/sampler.ts";
import { limits } from "../../src/limits.ts";
import { proxyTarget } from "../../src/target/proxy-target.ts";
import { proxySnapshot, proxyWith } from "../support/harness.ts";

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
});

afterEach(() => {
  vi.useRealTimers();
});

test("takes a sample each second, goes on after a failure, and stops", async () => {
  let taken = 0;
  const proxy = proxyWith((): ProxySnapshot => {
    if (++taken === 2) throw new Error("the workers do not reply");
    return proxySnapshot({ time: taken });
  });
  const sampler = new Sampler(proxyTarget(proxy), () => () => 1);
  expect(taken).toBe(0);
  sampler.start();
  await vi.advanceTimersByTimeAsync(0);
  expect(taken).toBe(1);
  await vi.advanceTimersByTimeAsync(3 * limits.sampleMs);
  expect(taken).toBe(4);
  expect(sampler.history.all(sampler.sampleMs).times).toEqual([3, 4]);
  sampler.stop();
  await vi.advanceTimersByTimeAsync(5 * limits.sampleMs);
  expect(taken).toBe(4);
  sampler.start();
  await vi.advanceTimersByTimeAsync(5 * limits.sampleMs);
  expect(taken).toBe(4);
});

test("takes fewer samples where one costs more than a hundredth of a second", () => {
  expect(intervalFor([])).toBe(1_000);
  expect(intervalFor([500, 500])).toBe(1_000);
  expect(intervalFor([10, 10, 10])).toBe(1_000);
  expect(intervalFor([11, 30, 25])).toBe(2_000);
  // One that was cheaper has not included other work.
  expect(intervalFor([3_000, 45, 2_000])).toBe(5_000);
  expect(intervalFor([3_000, 3_000, 3_000])).toBe(limits.sampleMaxMs);
});
