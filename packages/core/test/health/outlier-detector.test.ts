import { describe, expect, test } from "vitest";
import { limits } from "../../src/config/defaults.ts";
import type { ErrorCode } from "../../src/errors.ts";
import { OutlierDetector } from "../../src/health/outlier-detector.ts";
import type { Outcome } from "../../src/pool/upstream.ts";
import { memberOf, poolOf } from "../support/pools.ts";
import { outlierLab } from "./outlier-lab.ts";

describe("consecutive failures", () => {
  test("eject at the limit, not before", () => {
    const { send, isOut, log } = outlierLab();
    send("a", "reset", 4);
    expect(isOut("a")).toBe(false);
    send("a", "reset");
    expect(log).toEqual(["0s a out for 30s: consecutive-failures"]);
  });

  test("are counted from 0 after a success", () => {
    const { send, log } = outlierLab({ failureRatio: 0 });
    for (let round = 0; round < 20; round++) {
      send("a", "reset", 4);
      send("a", "success");
    }
    expect(log).toEqual([]);
  });

  test("are counted for each upstream separately, over any time", () => {
    const { send, clock, log } = outlierLab();
    for (let round = 0; round < 4; round++) {
      send("a", 500);
      send("b", "connect_refused");
      clock.advance(3_600_000);
    }
    expect(log).toEqual([]);
    send("b", "connect_refused");
    expect(log).toEqual(["14400s b out for 30s: consecutive-failures"]);
  });

  test("eject no upstream when their limit is 0", () => {
    const { send, log } = outlierLab({ consecutiveFailures: 0, failureRatio: 0 });
    send("a", "reset", 1_000);
    expect(log).toEqual([]);
  });
});

describe("the failure ratio", () => {
  /** Sends failures and successes such that no two failures are consecutive. */
  const alternate = ({ send }: ReturnType<typeof outlierLab>, pairs: number) => {
    for (let pair = 0; pair < pairs; pair++) {
      send("a", "success");
      send("a", 503);
    }
  };

  test("ejects at exactly the minimum of requests and exactly the ratio", () => {
    const lab = outlierLab();
    alternate(lab, 9);
    lab.send("a", "success");
    expect(lab.log).toEqual([]);
    lab.send("a", 503);
    expect(lab.log).toEqual(["0s a out for 30s: failure-ratio"]);
  });

  test("does not eject slightly below the ratio", () => {
    const lab = outlierLab();
    lab.send("a", "success");
    alternate(lab, 500);
    expect(lab.log).toEqual([]);
  });

  test("ignores requests older than its window", () => {
    const lab = outlierLab({ window: "10s" });
    alternate(lab, 9);
    lab.clock.advance(10_000);
    alternate(lab, 9);
    expect(lab.log).toEqual([]);
    lab.clock.advance(8_900);
    alternate(lab, 1);
    expect(lab.log).toEqual(["18.9s a out for 30s: failure-ratio"]);
  });

  test("ejects no upstream when it is 0", () => {
    const lab = outlierLab({ failureRatio: 0 });
    alternate(lab, 1_000);
    expect(lab.log).toEqual([]);
  });
});

describe("outcomes", () => {
  const failures: readonly ErrorCode[] = [
    "dns_failed",
    "connect_refused",
    "connect_failed",
    "connect_timeout",
    "tls_failed",
    "reset",
    "headers_timeout",
    "invalid_response",
    "response_headers_too_large",
    "upgrade_failed",
    "response_truncated",
    "response_idle_timeout",
  ];

  test.each([...failures, 500, 503, 599])("%s counts as a failure", (outcome) => {
    const { send, isOut } = outlierLab();
    send("a", outcome, 5);
    expect(isOut("a")).toBe(true);
  });

  const others: readonly (Outcome | number)[] = [
    "aborted",
    "stale",
    "client_aborted",
    "send_timeout",
    "body_too_large",
    "request_timeout",
    "no_file_descriptors",
    "total_timeout",
    "closed",
    "internal",
    "request_hook_failed",
    "response_hook_failed",
    200,
    304,
    404,
    429,
    499,
  ];

  test.each(others)("%s does not count as a failure", (outcome) => {
    const { send, isOut, pool } = outlierLab();
    send("a", outcome, 100);
    expect(isOut("a")).toBe(false);
    expect(memberOf(pool, "a").ejectedUntil).toBeUndefined();
  });

  test.each(["aborted", "stale", "no_file_descriptors", "total_timeout"] as const)(
    "%s does not reset the count of consecutive failures",
    (outcome) => {
      const { send, isOut } = outlierLab();
      for (let count = 0; count < 5; count++) {
        send("a", outcome, 10);
        send("a", "reset");
      }
      expect(isOut("a")).toBe(true);
    },
  );

  test("a failure status counts when the client aborts before the end of the body", () => {
    const { begin, isOut } = outlierLab();
    for (let count = 0; count < 5; count++) {
      const attempt = begin("a");
      attempt.responded(1, 500);
      attempt.settle("aborted");
    }
    expect(isOut("a")).toBe(true);
  });

  test("the statuses that count are those of the options", () => {
    const { send, isOut } = outlierLab({ failureStatuses: ["429", "503-504"] });
    send("a", 500, 10);
    send("b", 429, 5);
    send("c", 504, 5);
    expect([isOut("a"), isOut("b"), isOut("c")]).toEqual([false, true, true]);
  });

  test("attempts started before an ejection do not count after it", () => {
    const { begin, end, send, clock, log, pool } = outlierLab();
    const before = Array.from({ length: 20 }, () => begin("a"));
    const tail = before.splice(10);
    clock.advance(10);
    send("a", "reset", 5);
    for (const attempt of before) end(attempt, "reset");
    expect(log).toHaveLength(1);
    clock.advance(30_000);
    expect(memberOf(pool, "a").onTrial).toBe(true);
    for (const attempt of tail.splice(5)) end(attempt, "success");
    expect(log).toHaveLength(1);
    send("a", "success");
    for (const attempt of tail) end(attempt, "reset");
    expect(log.slice(1)).toEqual(["30.01s a in: trial"]);
  });
});

describe("the duration of ejections", () => {
  test("grows by the base time up to the maximum, and is not reset by a readmission", () => {
    const { send, clock, log } = outlierLab({ baseEjectionTime: "30s", maxEjectionTime: "70s" });
    send("a", "reset", 5);
    for (const seconds of [30, 60, 70, 70]) {
      clock.advance(seconds * 1_000);
      send("a", "reset");
    }
    expect(log.map((line) => /for \d+s: .*/.exec(line)?.[0])).toEqual([
      "for 30s: consecutive-failures",
      "for 60s: trial-failed",
      "for 70s: trial-failed",
      "for 70s: trial-failed",
      "for 70s: trial-failed",
    ]);
  });

  test("is longer by a random share up to one tenth", () => {
    const lab = outlierLab({ baseEjectionTime: "30s", maxEjectionTime: "30s" }, { chance: 0.999_999 });
    lab.send("a", "reset", 5);
    expect(lab.log).toEqual(["0s a out for 33s: consecutive-failures"]);
    expect(memberOf(lab.pool, "a").ejectedUntil).toBe(lab.clock.wallNow() + 33_000);
    lab.clock.advance(32_999);
    expect(memberOf(lab.pool, "a").onTrial).toBe(false);
    lab.clock.advance(1);
    expect(memberOf(lab.pool, "a").onTrial).toBe(true);
  });

  test.each([
    [0, 120],
    [limits.ejectionForgivenessMs - 1, 120],
    [limits.ejectionForgivenessMs, 90],
    [2 * limits.ejectionForgivenessMs, 60],
    [3 * limits.ejectionForgivenessMs, 30],
    [1_000 * limits.ejectionForgivenessMs, 30],
  ])("%d ms after a readmission the fourth ejection lasts %d s", (goodMs, seconds) => {
    const { send, clock, log } = outlierLab();
    send("a", "reset", 5);
    clock.advance(30_000);
    send("a", "reset");
    clock.advance(60_000);
    send("a", "reset");
    clock.advance(90_000);
    send("a", "success");
    clock.advance(goodMs);
    send("a", "reset", 5);
    expect(log.at(-1)).toContain(`a out for ${seconds}s`);
  });

  test("after a long series of ejections is reduced in as many steps as lead to the maximum", () => {
    const { send, clock, log } = outlierLab({ baseEjectionTime: "30s", maxEjectionTime: "90s" });
    send("a", "reset", 5);
    for (let day = 0; day < 1_000; day++) {
      clock.advance(90_000);
      send("a", "reset");
    }
    clock.advance(90_000);
    send("a", "success");
    clock.advance(3 * limits.ejectionForgivenessMs);
    send("a", "reset", 5);
    expect(log.at(-1)).toContain("a out for 30s");
  });
});

describe("the share of ejected upstreams", () => {
  test.each([
    { percent: 50, members: ["a", "b", "c", "d"], out: ["a", "b"] },
    { percent: 50, members: ["a", "b", "c"], out: ["a"] },
    { percent: 50, members: ["a", "b"], out: ["a"] },
    { percent: 10, members: ["a", "b", "c"], out: ["a"] },
    { percent: 66, members: ["a", "b", "c"], out: ["a"] },
    { percent: 67, members: ["a", "b", "c"], out: ["a", "b"] },
    { percent: 100, members: ["a", "b", "c"], out: ["a", "b", "c"] },
    { percent: 100, members: ["a"], out: [] },
    { percent: 0, members: ["a", "b", "c"], out: [] },
  ])("$percent % of $members is $out", ({ percent, members, out }) => {
    const { send, isOut } = outlierLab(
      { maxEjectionPercent: percent },
      { members: Object.fromEntries(members.map((id) => [id, 1])) },
    );
    for (let round = 0; round < 3; round++) for (const id of members) send(id, "reset", 10);
    expect(members.filter(isOut)).toEqual(out);
  });

  test("at the limit, a failing upstream is ejected with its next failure after another was readmitted", () => {
    const { send, isOut, clock } = outlierLab({}, { members: { a: 1, b: 1 } });
    send("a", "reset", 5);
    send("b", "reset", 50);
    expect(isOut("b")).toBe(false);
    clock.advance(30_000);
    send("a", "success");
    send("b", "reset");
    expect([isOut("a"), isOut("b")]).toEqual([false, true]);
  });

  test.each([
    ["unhealthy", (lab: ReturnType<typeof outlierLab>) => lab.pool.setHealth(memberOf(lab.pool, "b"), "unhealthy", "")],
    ["draining", (lab: ReturnType<typeof outlierLab>) => lab.pool.setState("b", "draining")],
    ["disabled", (lab: ReturnType<typeof outlierLab>) => lab.pool.setState("b", "disabled")],
    ["without weight", (lab: ReturnType<typeof outlierLab>) => lab.pool.setWeight("b", 0)],
    ["held back", (lab: ReturnType<typeof outlierLab>) => lab.pool.hold(memberOf(lab.pool, "b"), true)],
    ["gone", (lab: ReturnType<typeof outlierLab>) => lab.pool.remove("b")],
  ])("the last available upstream is not ejected when the other one is %s", (_, take) => {
    const lab = outlierLab({ maxEjectionPercent: 99 }, { members: { a: 1, b: 1 } });
    take(lab);
    lab.send("a", "reset", 10);
    expect(lab.isOut("a")).toBe(false);
  });

  test("the last primary is ejected when a backup is available", () => {
    const { send, pool, ids } = outlierLab({}, { members: { a: 1, spare: { backup: true } } });
    send("a", "reset", 5);
    expect(ids(pool.candidates)).toBe("spare");
  });
});

describe("alone, without a proxy", () => {
  test("the detector observes from start to stop, and stop readmits every upstream", () => {
    const { pool, clock, runtime } = poolOf({ a: 1, b: 1 });
    const detector = new OutlierDetector(pool, { consecutiveFailures: 2 }, runtime);
    const fail = () => {
      for (let count = 0; count < 2; count++) pool.begin(memberOf(pool, "a")).settle("reset");
      return memberOf(pool, "a").available;
    };
    expect(fail()).toBe(true);
    detector.start();
    detector.start();
    expect(fail()).toBe(false);
    detector.stop();
    expect(memberOf(pool, "a").available).toBe(true);
    expect(clock.pending).toBe(0);
    expect(fail()).toBe(true);
    detector.start();
    expect(fail()).toBe(false);
    expect(clock.pending).toBe(1);
  });

  test("a pool that works without `answered` returns by a success all the same", () => {
    const { pool, clock, runtime } = poolOf({ a: 1, b: 1 });
    new OutlierDetector(pool, { consecutiveFailures: 1 }, runtime).start();
    pool.begin(memberOf(pool, "a")).settle("reset");
    clock.advance(40_000);
    pool.begin(memberOf(pool, "a")).settle("success");
    expect(memberOf(pool, "a").ejectedUntil).toBeUndefined();
  });

  test("invalid options throw", () => {
    const { pool } = poolOf({ a: 1 });
    expect(() => new OutlierDetector(pool, { failureRatio: 2 })).toThrow(/failureRatio/);
  });
});
