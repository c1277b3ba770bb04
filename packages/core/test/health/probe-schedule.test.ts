import { describe, expect, test } from "vitest";
import { limits } from "../../src/config/defaults.ts";
import { resolveHealthCheck } from "../../src/config/resolve.ts";
import { HealthChecker } from "../../src/health/health-checker.ts";
import { Pool } from "../../src/pool/pool.ts";
import { VirtualClock } from "../support/virtual-clock.ts";
import { bad, good, lab } from "./lab.ts";

describe("timing", () => {
  test("each upstream starts at a random time and is then probed once per interval", async () => {
    const { checker, clock, probes } = lab({ members: ["a", "b", "c"], chance: [0.75, 0, 0.2] });
    checker.start();
    await clock.advanceAsync(11_000);
    expect(probes).toEqual([
      [0, "b"],
      [200, "c"],
      [750, "a"],
      [5_000, "b"],
      [5_200, "c"],
      [5_750, "a"],
      [10_000, "b"],
      [10_200, "c"],
      [10_750, "a"],
    ]);
  });

  test("jitter changes an interval by its share at most", async () => {
    const { checker, clock, probes } = lab({ interval: "10s", jitter: 0.2, chance: [0, 0, 0.999999, 0.25] });
    checker.start();
    await clock.advanceAsync(31_000);
    expect(probes.map(([time]) => Math.round(time))).toEqual([0, 8_000, 20_000, 29_000]);
  });

  test("the fast interval applies before the first verdict and while the verdict is about to change", async () => {
    const { checker, clock, probes, events } = lab({ chance: [0], answers: { a: "--+-++---++" } });
    checker.start();
    await clock.advanceAsync(43_000);
    expect(probes.map(([time]) => time)).toEqual([
      0, 1_000, 2_000, 7_000, 8_000, 13_000, 18_000, 19_000, 20_000, 25_000, 26_000, 31_000, 36_000, 41_000,
    ]);
    expect(events).toEqual([
      [2_000, "a", "healthy", "status 200"],
      [20_000, "a", "unhealthy", "status 503"],
      [26_000, "a", "healthy", "status 200"],
    ]);
  });

  test("a fast interval longer than the interval is not used", async () => {
    const { checker, clock, probes } = lab({ interval: "500ms", fastInterval: "3s", chance: [0], answers: { a: "-" } });
    checker.start();
    await clock.advanceAsync(1_600);
    expect(probes.map(([time]) => time)).toEqual([0, 500, 1_000, 1_500]);
  });

  test("a probe without a response ends at the timeout and counts as a failure", async () => {
    const { checker, clock, probes, events, open } = lab({ chance: [0], answers: { a: "." } });
    checker.start();
    await clock.advanceAsync(1_999);
    expect(open.map(({ signal }) => signal.aborted)).toEqual([false]);
    await clock.advanceAsync(6_000);
    // The timeout is longer than the fast interval: the next probe follows at once, never two at a time.
    expect(probes.map(([time]) => time)).toEqual([0, 2_000, 4_000]);
    expect(open.map(({ signal }) => signal.aborted)).toEqual([true, true, true]);
    expect(events).toEqual([[6_000, "a", "unhealthy", "timeout"]]);
  });

  test("a result after the timeout has no effect", async () => {
    const { checker, clock, pool, events, open } = lab({ chance: [0], answers: { a: "." } });
    checker.start();
    await clock.advanceAsync(2_500);
    open[0]?.answer(good);
    await clock.advanceAsync(0);
    expect(events).toEqual([]);
    expect(pool.snapshot().upstreams[0]?.probes).toEqual({ success: 0, failure: 1 });
  });

  test("the interval runs from the start of one probe to the start of the next", async () => {
    const { checker, clock, probes, open } = lab({ chance: [0], answers: { a: "." } });
    checker.start();
    await clock.advanceAsync(1_500);
    open[0]?.answer(good);
    await clock.advanceAsync(3_501);
    expect(probes.map(([time]) => time)).toEqual([0, 5_000]);
  });
});

describe("the limit of concurrent probes", () => {
  const many = Array.from({ length: limits.concurrentProbes + 3 }, (_, index) => `u${index}`);

  test("further probes wait for a slot, first in, first out", async () => {
    const { checker, clock, probes, open } = lab({
      members: many,
      chance: many.map((_, index) => index / 1_000),
      answers: Object.fromEntries(many.map((id) => [id, "."])),
    });
    checker.start();
    await clock.advanceAsync(1_000);
    expect(probes).toHaveLength(limits.concurrentProbes);
    open[7]?.answer(good);
    open[3]?.answer(bad);
    await clock.advanceAsync(0);
    expect(probes.slice(limits.concurrentProbes)).toEqual([
      [1_000, many.at(-3)],
      [1_000, many.at(-2)],
    ]);
  });

  test("a failed request adds no second entry for an upstream that waits for a slot", async () => {
    const { checker, clock, fail, probes, open } = lab({
      members: many,
      chance: many.map((_, index) => index / 1_000),
      answers: Object.fromEntries(many.map((id) => [id, "."])),
      timeout: "1m",
    });
    checker.start();
    await clock.advanceAsync(1_000);
    fail(many.at(-1) as string);
    for (const { answer } of open.slice(0, 3)) answer(good);
    await clock.advanceAsync(1_000);
    expect(probes.filter(([, id]) => id === many.at(-1))).toEqual([[1_000, many.at(-1)]]);
  });

  test("an upstream that is removed or stopped while it waits leaves the queue", async () => {
    const { checker, clock, pool, probes } = lab({
      members: many,
      chance: many.map((_, index) => index / 1_000),
      answers: Object.fromEntries(many.map((id) => [id, "."])),
    });
    checker.start();
    await clock.advanceAsync(1_000);
    pool.remove(many.at(-3) as string);
    pool.remove(many[0] as string);
    expect(probes.slice(limits.concurrentProbes)).toEqual([[1_000, many.at(-2)]]);
    checker.stop();
    expect(probes).toHaveLength(limits.concurrentProbes + 1);
    expect(clock.pending).toBe(0);
  });
});

describe("failed requests", () => {
  test("bring the next probe forward to now", async () => {
    const { checker, clock, fail, probes, events } = lab({ chance: [0], answers: { a: "+-" } });
    checker.start();
    await clock.advanceAsync(3_000);
    fail("a");
    await clock.advanceAsync(2_500);
    expect(probes.map(([time]) => time)).toEqual([0, 3_000, 4_000, 5_000]);
    expect(events.at(-1)).toEqual([5_000, "a", "unhealthy", "status 503"]);
  });

  test("cause at most four probes per second", async () => {
    const { checker, clock, fail, probes } = lab({ chance: [0] });
    checker.start();
    await clock.advanceAsync(3_000);
    for (let i = 0; i < 100; i++) {
      fail("a");
      await clock.advanceAsync(10);
    }
    expect(probes.map(([time]) => time)).toEqual([0, 3_000, 3_250, 3_500, 3_750, 4_000]);
    await clock.advanceAsync(9_000);
    expect(probes.slice(6).map(([time]) => time)).toEqual([9_000]);
  });

  test("never delay a probe", async () => {
    const { checker, clock, fail, probes } = lab({ interval: "100ms", jitter: 0, chance: [0] });
    checker.start();
    await clock.advanceAsync(150);
    fail("a");
    await clock.advanceAsync(100);
    expect(probes.map(([time]) => time)).toEqual([0, 100, 200]);
  });

  test("during a probe cause another one after it", async () => {
    const { checker, clock, fail, probes, open } = lab({ chance: [0], answers: { a: ".+" } });
    checker.start();
    await clock.advanceAsync(100);
    fail("a");
    await clock.advanceAsync(50);
    open[0]?.answer(good);
    await clock.advanceAsync(1_000);
    expect(probes.map(([time]) => time)).toEqual([0, 250]);
  });

  test("do not include client aborts, and successful requests cause no probe", async () => {
    const { checker, clock, pool, probes, upstream } = lab({ chance: [0] });
    checker.start();
    await clock.advanceAsync(1_000);
    pool.begin(upstream("a")).settle("aborted");
    pool.begin(upstream("a")).settle("success");
    await clock.advanceAsync(1_000);
    expect(probes).toEqual([[0, "a"]]);
  });
});

describe("probes that do not count", () => {
  test("probes in flight during an event loop stall longer than the timeout are discarded and soon repeated", async () => {
    const { checker, clock, pool, probes, events } = lab({
      unhealthyThreshold: 1,
      chance: [0],
      answers: { a: "+." },
    });
    checker.start();
    await clock.advanceAsync(5_100);
    clock.stall(3_000);
    await clock.advanceAsync(3_000);
    expect(probes.map(([time]) => time)).toEqual([0, 5_000, 8_100]);
    expect(events).toEqual([
      [0, "a", "healthy", "status 200"],
      [10_100, "a", "unhealthy", "timeout"],
    ]);
    expect(pool.snapshot().upstreams[0]?.probes).toEqual({ success: 1, failure: 1 });
  });

  test("a probe without a free file descriptor is discarded and soon repeated", async () => {
    const clock = new VirtualClock();
    const runtime = { clock, random: () => 0 };
    const pool = new Pool("api", { upstreams: ["http://a:3000"] }, runtime);
    const check = resolveHealthCheck({ unhealthyThreshold: 1, jitter: 0 });
    let sent = 0;
    const checker = HealthChecker.resolved(pool, check, runtime, async () => {
      sent++;
      return { ok: false, reason: "no_file_descriptors" };
    });
    checker.start();
    await clock.advanceAsync(3_500);
    expect(sent).toBe(4);
    expect(pool.upstreams[0]?.health).toBe("unknown");
    expect(pool.snapshot().upstreams[0]?.probes).toEqual({ success: 0, failure: 0 });
  });

  test("a probe that throws counts as a failure", async () => {
    const clock = new VirtualClock();
    const runtime = { clock, random: () => 0 };
    const pool = new Pool("api", { upstreams: ["http://a:3000"] }, runtime);
    const check = resolveHealthCheck({ unhealthyThreshold: 2, jitter: 0 });
    const reasons: string[] = [];
    pool.on("health", ({ reason }) => reasons.push(reason));
    const checker = HealthChecker.resolved(pool, check, runtime, () => {
      throw new TypeError("a mistake");
    });
    checker.start();
    await clock.advanceAsync(1_500);
    expect(reasons).toEqual(["internal"]);
  });
});
