import { describe, expect, test } from "vitest";
import { limits } from "../../src/config/defaults.ts";
import type { HealthCheckOptions } from "../../src/config/options.ts";
import { HealthChecker } from "../../src/health/health-checker.ts";
import { Pool } from "../../src/pool/pool.ts";
import { bad, good, lab, toUpstream } from "./lab.ts";

describe("membership and states", () => {
  test("added upstreams are probed, removed ones are not, and an id can change its server", async () => {
    const { checker, clock, pool, probes } = lab({ chance: [0] });
    checker.start();
    await clock.advanceAsync(1_000);
    pool.add(toUpstream("b"));
    await clock.advanceAsync(1_000);
    pool.remove("a");
    await clock.advanceAsync(5_000);
    pool.remove("b");
    pool.add({ id: "b", url: "http://c:3000" });
    await clock.advanceAsync(1_000);
    expect(probes).toEqual([
      [0, "a"],
      [1_500, "b"],
      [6_500, "b"],
      [7_500, "c"],
    ]);
  });

  test("the late result of a removed upstream affects neither it nor a new one with its id", async () => {
    const { checker, clock, pool, events, open, upstream } = lab({ chance: [0], answers: { a: "." } });
    checker.start();
    await clock.advanceAsync(100);
    const before = upstream("a");
    pool.remove("a");
    pool.add(toUpstream("a"));
    expect(open[0]?.signal.aborted).toBe(true);
    open[0]?.answer(good);
    await clock.advanceAsync(100);
    expect([before.health, upstream("a").health, events]).toEqual(["unknown", "unknown", []]);
  });

  test("failed requests of a removed upstream do not bring the probe of a new one with its id forward", async () => {
    const { checker, clock, pool, probes, upstream } = lab({ chance: [0, 0.5, 0.4] });
    checker.start();
    await clock.advanceAsync(100);
    const attempt = pool.begin(upstream("a"));
    pool.remove("a");
    pool.add(toUpstream("a"));
    attempt.settle("reset");
    await clock.advanceAsync(500);
    expect(probes).toEqual([
      [0, "a"],
      [500, "a"],
    ]);
  });

  test("disabled upstreams are not probed, draining ones are", async () => {
    const { checker, clock, pool, probes, open } = lab({
      members: ["a", "b"],
      chance: [0, 0.1],
      answers: { a: "." },
    });
    pool.setState("b", "draining");
    checker.start();
    await clock.advanceAsync(50);
    pool.setState("a", "disabled");
    expect(open[0]?.signal.aborted).toBe(true);
    await clock.advanceAsync(10_000);
    expect(probes).toEqual([
      [0, "a"],
      [100, "b"],
      [5_100, "b"],
    ]);
    pool.setState("a", "draining");
    pool.setState("a", "active");
    await clock.advanceAsync(500);
    expect(probes.slice(3)).toEqual([
      [10_100, "b"],
      [10_550, "a"],
    ]);
  });

  test("an upstream that is disabled at the start is probed once it is enabled", async () => {
    const { checker, clock, pool, probes } = lab();
    pool.setState("a", "disabled");
    checker.start();
    await clock.advanceAsync(10_000);
    expect(probes).toEqual([]);
    pool.setState("a", "active");
    await clock.advanceAsync(600);
    expect(probes).toEqual([[10_500, "a"]]);
  });
});

describe("start and stop", () => {
  test("both can be called twice, and stop leaves no timer", async () => {
    const { checker, clock, probes } = lab({ chance: [0] });
    checker.stop();
    checker.start();
    checker.start();
    await clock.advanceAsync(100);
    expect(probes).toEqual([[0, "a"]]);
    checker.stop();
    checker.stop();
    expect(clock.pending).toBe(0);
  });

  test("a result after stop has no effect", async () => {
    const { checker, clock, pool, events, open, fail } = lab({ chance: [0], answers: { a: "." } });
    checker.start();
    await clock.advanceAsync(100);
    checker.stop();
    open[0]?.answer(bad);
    fail("a");
    pool.add(toUpstream("b"));
    pool.setState("b", "draining");
    await clock.advanceAsync(60_000);
    expect([events, open.length, clock.pending]).toEqual([[], 1, 0]);
  });

  test("a restart keeps the verdicts", async () => {
    const { checker, clock, events, upstream } = lab({ chance: [0], answers: { a: "---+" } });
    checker.start();
    await clock.advanceAsync(2_100);
    checker.stop();
    expect(upstream("a").health).toBe("unhealthy");
    checker.start();
    await clock.advanceAsync(10_000);
    // Two successes are needed, as without the restart.
    expect(events).toEqual([
      [2_000, "a", "unhealthy", "status 503"],
      [3_600, "a", "healthy", "status 200"],
    ]);
  });

  test("after a restart the checker listens to the pool once", async () => {
    const { checker, clock, pool, probes } = lab({ members: [], chance: [0.2, 0.8] });
    for (let round = 0; round < 3; round++) {
      checker.stop();
      checker.start();
    }
    pool.add(toUpstream("a"));
    await clock.advanceAsync(1_000);
    expect(probes).toEqual([[200, "a"]]);
  });

  test("a probe in flight at stop occupies no slot after a restart", async () => {
    const members = Array.from({ length: limits.concurrentProbes }, (_, index) => `u${index}`);
    const answers = Object.fromEntries(members.map((id) => [id, "."]));
    const { checker, clock, probes } = lab({ members, answers });
    for (let round = 1; round <= 3; round++) {
      checker.start();
      await clock.advanceAsync(600);
      checker.stop();
      expect(probes).toHaveLength(round * limits.concurrentProbes);
    }
  });
});

describe('initialState = "checking"', () => {
  test("an upstream gets no requests before its first success, also one that is added later", async () => {
    const { checker, clock, pool } = lab({ initialState: "checking", chance: [0.2], answers: { a: "-+" } });
    const available = () => pool.available.map(({ id }) => id);
    expect(available()).toEqual(["a"]);
    checker.start();
    expect(available()).toEqual([]);
    await clock.advanceAsync(1_199);
    expect(available()).toEqual([]);
    await clock.advanceAsync(1);
    expect(available()).toEqual(["a"]);
    pool.add(toUpstream("b"));
    expect(available()).toEqual(["a"]);
    await clock.advanceAsync(500);
    expect(available()).toEqual(["a", "b"]);
  });

  test("an upstream with a verdict is not held back", () => {
    const { checker, pool, upstream } = lab({ initialState: "checking" });
    pool.setHealth(upstream("a"), "healthy", "known");
    checker.start();
    expect(upstream("a").health).toBe("healthy");
  });

  test("stop releases upstreams without a verdict, and start holds them back again", async () => {
    const { checker, clock, pool, upstream } = lab({ initialState: "checking", chance: [0, 0], answers: { a: "-+" } });
    checker.start();
    await clock.advanceAsync(100);
    checker.stop();
    expect(upstream("a").available).toBe(true);
    checker.start();
    expect(upstream("a").available).toBe(false);
    expect(pool.panic).toBe(false);
    expect(pool.candidates).toEqual([]);
    await clock.advanceAsync(500);
    expect(upstream("a").health).toBe("healthy");
  });
});

describe("options", () => {
  test("every mistake is reported at once", () => {
    const pool = new Pool("api");
    const wrong = { interval: "often", unhealthyThreshold: 0 } as HealthCheckOptions;
    expect(() => new HealthChecker(pool, wrong)).toThrow(
      expect.objectContaining({
        code: "invalid_options",
        issues: [
          expect.objectContaining({ path: ["interval"] }),
          expect.objectContaining({ path: ["unhealthyThreshold"] }),
        ],
      }),
    );
  });
});
