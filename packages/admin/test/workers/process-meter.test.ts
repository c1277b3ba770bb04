import { setImmediate as immediate, setTimeout as wait } from "node:timers/promises";
import { expect, onTestFinished, test, vi } from "vitest";
import { ProcessMeter } from "../../src/index.ts";
import { limits } from "../../src/limits.ts";

/** Blocks the event loop, after a timer of the meter and before another. */
async function stall(ms: number): Promise<void> {
  // Node runs its own timers in a row. The meter's timer, which is one of libuv, has run at the latest before an immediate.
  const turn = async () => {
    await wait(limits.eventLoopResolutionMs + 1);
    await immediate();
  };
  await turn();
  for (const end = performance.now() + ms; performance.now() < end; );
  await turn();
}

test("measures this process, and a stall stays visible for at least one window", async () => {
  let now = 0;
  const meter = new ProcessMeter(() => now);
  onTestFinished(() => meter.stop());
  const before = meter.snapshot();
  expect(before).toMatchObject({ pid: process.pid, eventLoopDelayMs: { max: 0 } });
  expect(Math.abs(before.since - (Date.now() - process.uptime() * 1_000))).toBeLessThan(1_000);
  expect(before.heapUsedBytes).toBeGreaterThan(1e6);
  expect(before.rssBytes).toBeGreaterThan(before.heapUsedBytes / 2);

  await stall(150);
  expect(meter.snapshot().eventLoopDelayMs.max).toBeGreaterThan(100);
  now += limits.eventLoopWindowMs;
  expect(meter.snapshot().eventLoopDelayMs.max).toBeGreaterThan(100);
  const { p50, p90, p99, max } = meter.snapshot().eventLoopDelayMs;
  expect(max).toBeGreaterThan(100);
  expect([p50 <= p90, p90 <= p99, p99 <= max]).toEqual([true, true, true]);
  now += limits.eventLoopWindowMs;
  meter.snapshot();
  expect(meter.snapshot().eventLoopDelayMs.max).toBeLessThan(100);
});

test("has the last measurement when the process has no descriptor to measure its memory", () => {
  const meter = new ProcessMeter();
  onTestFinished(() => meter.stop());
  const before = meter.snapshot();
  const memoryUsage = vi.spyOn(process, "memoryUsage").mockImplementation(() => {
    throw new Error("EMFILE: too many open files, uv_resident_set_memory");
  });
  onTestFinished(() => memoryUsage.mockRestore());
  const { heapUsedBytes, rssBytes } = before;
  expect(meter.snapshot()).toMatchObject({ pid: process.pid, heapUsedBytes, rssBytes });
});
