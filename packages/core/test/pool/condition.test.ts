// What an upstream is, since when and why.

import { describe, expect, test } from "vitest";
import type { UpstreamCondition } from "../../src/snapshot.ts";
import { end, outlierLab } from "../health/outlier-lab.ts";
import { memberOf, poolOf } from "../support/pools.ts";
import { seededRandom } from "../support/seeded-random.ts";

const start = Date.UTC(2025, 0, 1);
/** The times of `VirtualClock` in seconds. */
const at = (seconds: number) => start + 1_000 * seconds;

type Lab = ReturnType<typeof outlierLab>;
const conditionOf = ({ pool }: Pick<Lab, "pool">, id = "a") => pool.upstreamSnapshot(id)?.condition;
const advance = ({ clock }: Pick<Lab, "clock">, seconds: number) => clock.advance(1_000 * seconds);
const probe = { ok: true, reason: "status 200" };

test("an upstream without health checks is unchecked since it has joined", () => {
  const lab = poolOf({ a: 1 });
  advance(lab, 5);
  lab.pool.add({ id: "late", url: "http://late" });
  advance(lab, 5);
  expect(conditionOf(lab)).toEqual({ status: "unchecked", since: start, reason: null });
  expect(conditionOf(lab, "late")).toEqual({ status: "unchecked", since: at(5), reason: null });
});

describe("what an operator sets", () => {
  test("comes before everything else, and what was known shows again afterwards", () => {
    const lab = poolOf({ a: 1 });
    const { pool } = lab;
    advance(lab, 1);
    pool.setHealth(memberOf(pool, "a"), "unhealthy", "connect_failed", "no route to host (EHOSTUNREACH)");
    advance(lab, 1);
    pool.setState("a", "draining");
    expect(conditionOf(lab)).toEqual({ status: "draining", since: at(2), reason: "set by an operator" });
    advance(lab, 1);
    pool.setState("a", "draining");
    expect(conditionOf(lab)?.since).toBe(at(2));
    pool.setState("a", "disabled");
    expect(conditionOf(lab)).toEqual({ status: "disabled", since: at(3), reason: "set by an operator" });
    advance(lab, 1);
    pool.setState("a", "active");
    expect(conditionOf(lab)).toEqual({
      status: "unhealthy",
      since: at(1),
      reason: "connect_failed",
      cause: "no route to host (EHOSTUNREACH)",
    });
  });

  test("an upstream that is enabled again is in service since then", () => {
    const lab = poolOf({ a: 1 });
    advance(lab, 1);
    lab.pool.setState("a", "disabled");
    advance(lab, 1);
    lab.pool.setState("a", "active");
    expect(conditionOf(lab)).toEqual({ status: "unchecked", since: at(2), reason: null });
  });
});

describe("health checks", () => {
  test("a verdict has the time and the reason of the deciding probe, and further probes do not move it", () => {
    const lab = poolOf({ a: 1 });
    const { pool } = lab;
    const member = memberOf(pool, "a");
    advance(lab, 1);
    pool.setHealth(member, "healthy", "status 200");
    advance(lab, 1);
    pool.countProbe(member, probe, lab.clock.now() - 7);
    expect(conditionOf(lab)).toEqual({ status: "healthy", since: at(1), reason: "status 200" });
    expect(pool.upstreamSnapshot("a")?.lastProbe).toEqual({ at: at(2), ...probe, durationMs: 7 });
    advance(lab, 1);
    pool.countProbe(member, { ok: false, reason: "tls_failed", cause: "expired" }, lab.clock.now());
    pool.setHealth(member, "unhealthy", "tls_failed", "expired");
    expect(conditionOf(lab)).toEqual({ status: "unhealthy", since: at(3), reason: "tls_failed", cause: "expired" });
    expect(pool.upstreamSnapshot("a")?.lastProbe).toMatchObject({ ok: false, reason: "tls_failed", cause: "expired" });
    advance(lab, 1);
    pool.forgetHealth();
    expect(conditionOf(lab)).toEqual({ status: "unchecked", since: at(4), reason: null });
  });

  test("an upstream that is held back is being checked until its first verdict", () => {
    const lab = poolOf({ a: 1, b: 1 }, { healthCheck: { initialState: "checking" } });
    const { pool } = lab;
    advance(lab, 1);
    expect(conditionOf(lab)).toEqual({ status: "checking", since: start, reason: "no verdict yet" });
    pool.hold(memberOf(pool, "a"), false);
    expect(conditionOf(lab)).toEqual({ status: "unchecked", since: at(1), reason: null });
    advance(lab, 1);
    pool.hold(memberOf(pool, "a"), true);
    expect(conditionOf(lab)).toMatchObject({ status: "checking", since: at(2) });
    advance(lab, 1);
    pool.setHealth(memberOf(pool, "a"), "healthy", "status 204");
    expect(conditionOf(lab)).toEqual({ status: "healthy", since: at(3), reason: "status 204" });
  });
});

describe("an ejection", () => {
  const reason = "consecutive-failures";

  test("begins with the first ejection, whatever trials fail, and ends with the readmission", () => {
    const lab = outlierLab({ baseEjectionTime: "30s" });
    advance(lab, 1);
    lab.send("a", 503, 5);
    expect(conditionOf(lab)).toEqual({ status: "ejected", since: at(1), reason, cause: "status 503", until: at(31) });
    advance(lab, 30);
    expect(conditionOf(lab)).toEqual({ status: "trial", since: at(31), reason, cause: "status 503" });
    advance(lab, 1);
    const trial = lab.begin("a");
    expect(conditionOf(lab)).toMatchObject({ status: "trial", since: at(31) });
    end(trial, "connect_refused");
    const failed = { reason: "trial-failed", cause: "connect_refused" };
    expect(conditionOf(lab)).toEqual({ status: "ejected", since: at(1), ...failed, until: at(32 + 60) });
    advance(lab, 60);
    expect(conditionOf(lab)).toEqual({ status: "trial", since: at(92), ...failed });
    lab.send("a", "success");
    expect(conditionOf(lab)).toEqual({ status: "unchecked", since: at(92), reason: null });
    lab.send("a", "reset", 5);
    expect(conditionOf(lab)).toMatchObject({ status: "ejected", since: at(92), reason, cause: "reset" });
  });

  test("comes after a verdict of unhealthy, and keeps its begin", () => {
    const lab = outlierLab();
    advance(lab, 1);
    lab.send("a", "reset", 5);
    advance(lab, 1);
    const member = memberOf(lab.pool, "a");
    lab.pool.setHealth(member, "unhealthy", "timeout");
    expect(conditionOf(lab)).toEqual({ status: "unhealthy", since: at(2), reason: "timeout" });
    advance(lab, 1);
    lab.pool.setHealth(member, "healthy", "status 200");
    expect(conditionOf(lab)).toMatchObject({ status: "ejected", since: at(1) });
  });
});

describe("an upstream without health checks that cannot be connected", () => {
  const lab = () => outlierLab(false);

  test("is failing from the first failure until a response", () => {
    const one = lab();
    one.send("a", "success");
    advance(one, 1);
    one.send("a", "connect_refused");
    advance(one, 1);
    one.send("a", "connect_timeout");
    expect(conditionOf(one)).toEqual({ status: "failing", since: at(1), reason: "connect_timeout" });
    advance(one, 1);
    // A stream that has begun and not ended is a response, too.
    one.begin("a").responded(1, 200);
    expect(conditionOf(one)).toEqual({ status: "unchecked", since: at(2), reason: null });
    advance(one, 1);
    one.send("a", "connect_refused");
    expect(conditionOf(one)).toEqual({ status: "failing", since: at(4), reason: "connect_refused" });
  });

  test("is not failing for other failures, nor with a verdict", () => {
    const one = lab();
    one.send("a", "reset", 3);
    one.send("a", 500, 3);
    expect(conditionOf(one)?.status).toBe("unchecked");
    one.send("a", "connect_refused");
    one.pool.setHealth(memberOf(one.pool, "a"), "healthy", "status 200");
    expect(conditionOf(one)?.status).toBe("healthy");
  });
});

test("a full upstream has no begin, and has been full without a trace", () => {
  const lab = outlierLab({}, { members: { a: { maxInFlight: 2 }, b: 1 } });
  const [first] = [lab.begin("a"), lab.begin("a")];
  advance(lab, 1);
  expect(conditionOf(lab)).toEqual({ status: "full", since: null, reason: "2 of 2 in flight" });
  end(first, "success");
  expect(conditionOf(lab)).toEqual({ status: "unchecked", since: start, reason: null });
});

test("a slow start is in force from the readmission to its end, seen late or not", () => {
  const lab = outlierLab({}, { slowStart: { window: "30s" } });
  lab.send("a", "reset", 5);
  advance(lab, 30);
  lab.send("a", "success");
  advance(lab, 10);
  expect(conditionOf(lab)).toEqual({ status: "warming", since: at(30), reason: "slow start" });
  advance(lab, 100);
  expect(conditionOf(lab)).toEqual({ status: "unchecked", since: at(60), reason: null });
});

test("a reload keeps the times of an upstream that stays, and one with another URL begins anew", () => {
  const lab = outlierLab();
  advance(lab, 1);
  lab.send("a", "reset", 5);
  lab.pool.setState("b", "draining");
  advance(lab, 1);
  lab.reload({ baseEjectionTime: "1m" }, { a: 3, b: 1, e: 1 });
  expect(conditionOf(lab)).toMatchObject({ status: "ejected", since: at(1) });
  expect(conditionOf(lab, "b")).toMatchObject({ status: "draining", since: at(1) });
  expect(conditionOf(lab, "e")).toEqual({ status: "unchecked", since: at(2), reason: null });
  lab.pool.remove("a");
  advance(lab, 1);
  lab.pool.add({ id: "a", url: "http://elsewhere" });
  expect(conditionOf(lab)).toEqual({ status: "unchecked", since: at(3), reason: null });
});

describe("since when a pool serves", () => {
  const sinceOf = ({ pool }: Pick<Lab, "pool">) => {
    const { serving, since } = pool.snapshot();
    return { serving, since };
  };

  test("it ceases with its last upstream and begins with the first, at the time of the change", () => {
    const lab = outlierLab(false, { members: { a: 1, b: 1 }, panic: "fail" });
    const { pool } = lab;
    advance(lab, 1);
    pool.setHealth(memberOf(pool, "a"), "unhealthy", "timeout");
    advance(lab, 1);
    pool.setState("b", "disabled");
    advance(lab, 1);
    expect(sinceOf(lab)).toEqual({ serving: false, since: at(2) });
    advance(lab, 1);
    pool.setState("b", "active");
    advance(lab, 1);
    pool.setHealth(memberOf(pool, "a"), "healthy", "status 200");
    advance(lab, 1);
    expect(sinceOf(lab)).toEqual({ serving: true, since: at(4) });
  });

  test("a reload that replaces every upstream does not interrupt it, and full upstreams serve", () => {
    const lab = outlierLab(false, { members: { a: { maxInFlight: 1 } } });
    lab.begin("a");
    advance(lab, 1);
    lab.reload(false, { b: 1, c: 1 });
    expect(sinceOf(lab)).toEqual({ serving: true, since: start });
    lab.reload(false, {});
    advance(lab, 1);
    expect(sinceOf(lab)).toEqual({ serving: false, since: at(1) });
  });

  test("an ejection within the end of an attempt counts at its time", () => {
    const lab = outlierLab({}, { members: { a: 1, b: 1 }, panic: "fail" });
    lab.pool.setState("b", "draining");
    advance(lab, 1);
    lab.pool.setState("b", "active");
    lab.send("a", "reset", 5);
    advance(lab, 1);
    lab.pool.setState("b", "draining");
    advance(lab, 3);
    expect(sinceOf(lab)).toEqual({ serving: false, since: at(2) });
  });
});

test.each([1, 2, 3, 4])(
  "agrees with the rest of a snapshot, whatever happens, and no time goes back: seed %s",
  (seed) => {
    const random = seededRandom(seed);
    const oneOf = <T>(values: readonly T[]) => values[Math.floor(random() * values.length)] as T;
    const ids = ["a", "b", "c"] as const;
    const members = { a: { maxInFlight: 3 }, b: 1, c: 1 };
    const detection = { consecutiveFailures: 2, maxEjectionPercent: 100, baseEjectionTime: "5s" };
    const lab = outlierLab(detection, { members, panic: "fail", slowStart: { window: "5s" } });
    const { pool } = lab;
    const open: ReturnType<Lab["begin"]>[] = [];
    const steps = [
      () => lab.send(oneOf(ids), oneOf(["success", "connect_refused", "reset", 500] as const)),
      () => open.push(lab.begin(oneOf(ids))),
      () => open.pop()?.settle("success"),
      () => pool.setState(oneOf(ids), oneOf(["active", "active", "draining", "disabled"] as const)),
      () =>
        pool.setHealth(memberOf(pool, oneOf(ids)), oneOf(["healthy", "unhealthy", "unknown"] as const), "status 200"),
      () => pool.hold(memberOf(pool, oneOf(ids)), random() < 0.3),
      () => pool.setWeight(oneOf(ids), oneOf([0, 1, 2])),
      () => advance(lab, oneOf([0.5, 1, 4])),
      () => lab.reload(detection, members),
    ];
    const last = new Map<string, UpstreamCondition>();
    let before = pool.snapshot();
    let changedAt = before.since;
    for (let step = 0; step < 600; step++) {
      oneOf(steps)();
      const now = lab.clock.wallNow();
      // A look at every step must not be what notes the time.
      if (step % 3 > 0) continue;
      const snapshot = pool.snapshot();
      if (snapshot.serving !== before.serving) {
        expect(snapshot.since).toBeGreaterThanOrEqual(changedAt);
        expect(snapshot.since).toBeLessThanOrEqual(now);
        changedAt = snapshot.since;
      }
      expect(snapshot.since).toBeGreaterThanOrEqual(before.since);
      before = snapshot;
      for (const upstream of snapshot.upstreams) {
        const { id, condition, state, health, available, ejectedUntil, onTrial, slowStart } = upstream;
        const { status, since } = condition;
        expect(since ?? 0).toBeLessThanOrEqual(now);
        if (state !== "active") expect(status).toBe(state);
        else if (health === "unhealthy") expect(status).toBe("unhealthy");
        else if (ejectedUntil !== null) expect(status).toBe(onTrial ? "trial" : "ejected");
        else if (!available) expect(["checking", "failing", "full"]).toContain(status);
        else if (slowStart < 1) expect(["failing", "warming"]).toContain(status);
        else expect(["failing", "healthy", "unchecked"]).toContain(status);
        const known = last.get(id);
        if (known?.status === status && since !== null) expect(since).toBeGreaterThanOrEqual(known.since ?? 0);
        last.set(id, condition);
      }
    }
  },
);
