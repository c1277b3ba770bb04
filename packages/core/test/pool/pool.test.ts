import { describe, expect, test } from "vitest";
import { limits } from "../../src/config/defaults.ts";
import { OptionsError } from "../../src/config/issues.ts";
import { ProxyError } from "../../src/errors.ts";
import type { Pool } from "../../src/pool/pool.ts";
import { checkUpstreamChange } from "../../src/pool/validate-change.ts";
import { deepFrozen } from "../support/frozen.ts";
import { idsOf, memberOf, poolOf } from "../support/pools.ts";

/** Collects the events of the pool from now on. */
function listenTo(pool: Pool): object[] {
  const events: object[] = [];
  for (const name of ["health", "weight", "state", "member"] as const) {
    pool.on(name, (event: object) => events.push({ name, ...event }));
  }
  return events;
}

/** The `ProxyError` that a call throws. */
function thrownBy(call: () => unknown): ProxyError {
  try {
    call();
  } catch (error) {
    if (error instanceof ProxyError) return error;
  }
  throw new Error("expected a ProxyError");
}

describe("weights", () => {
  test("take effect at once and emit one event", () => {
    const { pool } = poolOf({ a: 3, b: 1 });
    const events = listenTo(pool);
    pool.setWeight("a", 1);
    pool.setWeight("a", 1);
    expect(memberOf(pool, "a").weight).toBe(1);
    expect(memberOf(pool, "a").effectiveWeight).toBe(1);
    expect(events).toEqual([{ name: "weight", pool: "api", upstream: "a", from: 3, to: 1, reason: "operator" }]);
  });

  test.each([-1, 257, 1.5, Number.NaN, Infinity, ...(["5", undefined, null] as unknown as number[])])(
    "%s is refused",
    (weight) => {
      const { pool } = poolOf({ a: 3 });
      const error = thrownBy(() => pool.setWeight("a", weight));
      expect(error).toBeInstanceOf(OptionsError);
      expect(error.code).toBe("invalid_options");
      expect((error as OptionsError).issues.map(({ path }) => path)).toEqual([["weight"]]);
      expect(memberOf(pool, "a").weight).toBe(3);
    },
  );
});

describe("states", () => {
  test.each(["draining", "disabled"] as const)("%s takes no new request and finishes those in flight", (state) => {
    const { pool } = poolOf({ a: 1, b: 1 });
    const events = listenTo(pool);
    const attempt = pool.begin(memberOf(pool, "a"));
    pool.setState("a", state);
    pool.setState("a", state);
    expect(idsOf(pool.available)).toEqual(["b"]);
    expect(memberOf(pool, "a")).toMatchObject({ state, inFlight: 1, available: false });
    attempt.settle("success");
    expect(memberOf(pool, "a").inFlight).toBe(0);
    pool.setState("a", "active");
    expect(idsOf(pool.available)).toEqual(["a", "b"]);
    expect(events).toEqual([
      { name: "state", pool: "api", upstream: "a", from: "active", to: state },
      { name: "state", pool: "api", upstream: "a", from: state, to: "active" },
    ]);
  });

  test("any other state is refused", () => {
    const { pool } = poolOf({ a: 1 });
    for (const word of ["paused", undefined, null]) {
      expect(thrownBy(() => pool.setState("a", word as "active")).code).toBe("invalid_options");
    }
    expect(memberOf(pool, "a").state).toBe("active");
  });
});

describe("a change from outside", () => {
  test("is refused with all mistakes, and without possible secrets", () => {
    const change = { wieght: 2, weight: { toString: 5, text: "s3cret" }, state: "down", timeout: "soon" };
    const issues = checkUpstreamChange(change);
    expect(issues.map(({ path }) => path)).toEqual([["wieght"], ["weight"], ["state"], ["timeout"]]);
    expect(JSON.stringify(issues)).not.toContain("s3cret");
    expect(checkUpstreamChange({})).toHaveLength(1);
    expect(checkUpstreamChange({ state: "active", timeout: "30s" }).map(({ path }) => path)).toEqual([["timeout"]]);
    expect(checkUpstreamChange({ weight: 256, state: "draining", timeout: "30s" })).toEqual([]);
  });
});

describe("the snapshot of one upstream", () => {
  test("equals its part of the pool's snapshot", () => {
    const { pool } = poolOf({ a: 3, b: 1 });
    expect(pool.upstreamSnapshot("b")).toEqual(pool.snapshot().upstreams[1]);
    expect(pool.upstreamSnapshot("c")).toBeUndefined();
  });
});

describe("members", () => {
  test("join at the end, with the defaults of the configuration", () => {
    const { pool } = poolOf({ a: 1 });
    const events = listenTo(pool);
    const added = pool.add("http://10.0.0.7:3000");
    expect(added).toMatchObject({ id: "10.0.0.7:3000", weight: 1, tier: 0, maxInFlight: Infinity });
    expect(idsOf(pool.upstreams)).toEqual(["a", "10.0.0.7:3000"]);
    expect(events).toEqual([{ name: "member", pool: "api", upstream: "10.0.0.7:3000", change: "added" }]);
  });

  test("a used id and an invalid URL are refused", () => {
    const { pool } = poolOf({ a: 1 });
    expect(thrownBy(() => pool.add({ id: "a", url: "http://other" })).code).toBe("invalid_options");
    expect(thrownBy(() => pool.add("ftp://files")).code).toBe("invalid_options");
    expect(idsOf(pool.upstreams)).toEqual(["a"]);
  });

  test("their number is limited", () => {
    const names = Array.from({ length: limits.upstreamsPerPool }, (_, index) => [`u${index}`, 1]);
    const { pool } = poolOf(Object.fromEntries(names));
    expect(thrownBy(() => pool.add("http://one-too-many")).code).toBe("invalid_options");
    pool.remove("u0");
    expect(pool.add("http://fits").weight).toBe(1);
  });

  test("an unknown upstream cannot be changed", () => {
    const { pool } = poolOf({ a: 1 });
    expect(thrownBy(() => pool.remove("b")).code).toBe("unknown_upstream");
    expect(thrownBy(() => pool.setWeight("b", 1)).code).toBe("unknown_upstream");
    expect(thrownBy(() => pool.setState("b", "active")).code).toBe("unknown_upstream");
    expect(pool.get("b")).toBeUndefined();
  });

  test("an idle member is removed at once", () => {
    const { pool } = poolOf({ a: 1, b: 1 });
    const events = listenTo(pool);
    pool.remove("a");
    expect(idsOf(pool.upstreams)).toEqual(["b"]);
    expect(events).toMatchObject([{ change: "removed" }, { change: "drained" }]);
  });

  test("a member with requests or tunnels finishes them first", () => {
    const { pool } = poolOf({ a: 1, b: 1 });
    const a = memberOf(pool, "a");
    const events = listenTo(pool);
    const attempt = pool.begin(a);
    const closeTunnel = pool.begin(a).becomeTunnel();
    expect(idsOf(pool.candidates)).toEqual(["a", "b"]);
    pool.remove("a");
    expect(pool.get("a")).toBeUndefined();
    expect(idsOf(pool.candidates)).toEqual(["b"]);
    expect(a.available).toBe(false);
    expect([pool.inFlight, pool.tunnels]).toEqual([1, 1]);
    attempt.settle("success");
    attempt.settle("success");
    expect(events).toMatchObject([{ change: "removed" }]);
    closeTunnel();
    closeTunnel();
    expect(events).toMatchObject([{ change: "removed" }, { change: "drained" }]);
    expect([pool.inFlight, pool.tunnels]).toEqual([0, 0]);
  });

  test("the slot of a removed member is reused only after it has drained", () => {
    const { pool } = poolOf({ a: 1, b: 1 });
    const a = memberOf(pool, "a");
    const attempt = pool.begin(a);
    pool.remove("a");
    const c = pool.add({ id: "c", url: "http://c.internal" });
    expect(c.slot).not.toBe(a.slot);
    attempt.settle("success");
    const d = pool.add({ id: "d", url: "http://d.internal" });
    expect(d.slot).toBe(a.slot);
    expect(new Set(pool.upstreams.map(({ slot }) => slot)).size).toBe(3);
  });
});

describe("attempts", () => {
  test("hold their place until they are settled; settling twice has no effect", () => {
    const { pool, clock } = poolOf({ a: 1 });
    const a = memberOf(pool, "a");
    clock.advance(50);
    const first = pool.begin(a);
    const second = pool.begin(a);
    expect(first.startedAt).toBe(50);
    expect(first.upstream).toBe(a);
    expect(a.inFlight).toBe(2);
    first.settle("success");
    first.settle("reset");
    expect(a.inFlight).toBe(1);
    second.settle("connect_refused");
    expect(a.inFlight).toBe(0);
    expect(pool.snapshot().upstreams[0]).toMatchObject({
      outcomes: { success: 1, connect_refused: 1 },
      lastFailure: { code: "connect_refused", at: clock.wallNow() },
    });
  });

  test("only failures of the upstream request a probe", () => {
    const { pool } = poolOf({ a: 1 });
    const a = memberOf(pool, "a");
    const failed: string[] = [];
    pool.on("failure", ({ id }) => failed.push(id));
    for (const outcome of ["success", "aborted", "stale", "total_timeout", "no_file_descriptors"] as const) {
      pool.begin(a).settle(outcome);
    }
    expect(failed).toEqual([]);
    pool.begin(a).settle("reset");
    pool.begin(a).settle("headers_timeout");
    expect(failed).toEqual(["a", "a"]);
  });

  test("an aborted request, a stale connection and our own limits are no failures of the upstream", () => {
    const { pool } = poolOf({ a: 1 });
    const outcomes = ["aborted", "stale", "no_file_descriptors", "queue_timeout", "total_timeout"] as const;
    for (const outcome of outcomes) pool.begin(memberOf(pool, "a")).settle(outcome);
    const counted = Object.fromEntries(outcomes.map((outcome) => [outcome, 1]));
    expect(pool.snapshot().upstreams[0]).toMatchObject({ outcomes: counted, lastFailure: null });
  });
});

describe("verdicts", () => {
  test("emit events when they change, but not for a member that has left", () => {
    const { pool } = poolOf({ a: 1, b: 1 });
    const a = memberOf(pool, "a");
    const events = listenTo(pool);
    pool.setHealth(a, "unhealthy", "status 503");
    pool.setHealth(a, "unhealthy", "status 503");
    expect(events).toEqual([
      { name: "health", pool: "api", upstream: "a", from: "unknown", to: "unhealthy", reason: "status 503" },
    ]);
    pool.forgetHealth();
    expect(a.health).toBe("unknown");
    pool.remove("a");
    pool.setHealth(a, "healthy", "status 200");
    expect(events.filter((event) => "to" in event)).toHaveLength(2);
  });
});

describe("snapshots", () => {
  test("are plain, deeply frozen, and do not change", () => {
    const { pool } = poolOf({ a: { weight: 3, maxInFlight: 10 }, spare: { backup: true } });
    const attempt = pool.begin(memberOf(pool, "a"));
    attempt.responded(12, 200);
    pool.traffic.countRetry("reset");
    const before = pool.snapshot();
    expect(deepFrozen(before)).toBe(true);
    expect(before).toMatchObject({
      name: "api",
      policy: "p2c",
      available: 2,
      panic: false,
      serving: true,
      inFlight: 1,
      tunnels: 0,
      queueDepth: 0,
      queueMax: 100,
      retries: { reset: 1 },
      retryBudgetExhausted: 0,
      upstreams: [
        { id: "a", weight: 3, effectiveWeight: 3, inFlight: 1, maxInFlight: 10, available: true, state: "active" },
        { id: "spare", backup: true, maxInFlight: null, health: "unknown", lastFailure: null },
      ],
    });
    expect(JSON.parse(JSON.stringify(before))).toEqual(before);
    attempt.settle("reset");
    pool.traffic.countRetry("reset");
    pool.setWeight("a", 1);
    expect(before).toMatchObject({ inFlight: 1, retries: { reset: 1 }, upstreams: [{ weight: 3, outcomes: {} }, {}] });
  });
});
