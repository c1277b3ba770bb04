import { describe, expect, test } from "vitest";
import type { Standing } from "../../src/pool/availability/availability.ts";
import type { Pool } from "../../src/pool/pool.ts";
import type { Upstream } from "../../src/pool/upstream.ts";
import { idsOf, type MemberSketch, memberOf, poolOf } from "../support/pools.ts";

describe("tiers", () => {
  test("primaries come first, backups only when none is available", () => {
    const { pool } = poolOf({ a: 1, b: 1, spare: { backup: true } });
    expect(idsOf(pool.available)).toEqual(["a", "b", "spare"]);
    expect(idsOf(pool.candidates)).toEqual(["a", "b"]);
    pool.setHealth(memberOf(pool, "a"), "unhealthy", "status 500");
    expect(idsOf(pool.candidates)).toEqual(["b"]);
    pool.setState("b", "draining");
    expect(idsOf(pool.candidates)).toEqual(["spare"]);
    expect(pool.panic).toBe(false);
    pool.setState("b", "active");
    expect(idsOf(pool.candidates)).toEqual(["b"]);
  });

  test("a backup serves while the primary is full", () => {
    const { pool } = poolOf({ a: { maxInFlight: 1 }, spare: { backup: true } });
    const attempt = pool.begin(memberOf(pool, "a"));
    expect(idsOf(pool.candidates)).toEqual(["spare"]);
    attempt.settle("success");
    expect(idsOf(pool.candidates)).toEqual(["a"]);
  });

  test("a request that has tried every candidate goes on to the backups", () => {
    const { pool } = poolOf({ a: 1, b: 1, spare: { backup: true } });
    const [a, b, spare] = pool.upstreams;
    if (a === undefined || b === undefined || spare === undefined) throw new Error("three members");
    expect(idsOf(pool.candidatesExcept([]))).toEqual(["a", "b"]);
    expect(idsOf(pool.candidatesExcept([a]))).toEqual(["b"]);
    expect(idsOf(pool.candidatesExcept([a, b]))).toEqual(["spare"]);
    expect(idsOf(pool.candidatesExcept([a, b, spare]))).toEqual([]);
  });
});

describe("a client that is bound to a member", () => {
  test.each<[string, MemberSketch, (pool: Pool, a: Upstream) => void, Standing]>([
    ["is served", 1, () => {}, "ready"],
    ["is served while the member drains", 1, (pool) => pool.setState("a", "draining"), "ready"],
    ["is served at weight 0", 0, () => {}, "ready"],
    ["waits while the member is full", { maxInFlight: 1 }, (pool, a) => void pool.begin(a), "later"],
    ["waits for the first check", 1, (pool, a) => pool.hold(a, true), "later"],
    ["moves when the member is disabled", 1, (pool) => pool.setState("a", "disabled"), "gone"],
    ["moves when the member is removed", 1, (pool) => pool.remove("a"), "gone"],
    ["moves when the member is unhealthy", 1, (pool, a) => pool.setHealth(a, "unhealthy", "a test"), "gone"],
    ["moves when the member is ejected", 1, (pool, a) => pool.ejections.eject(a, "failure-ratio", 1), "gone"],
  ])("%s", (_, sketch, change, standing) => {
    const { pool } = poolOf({ a: sketch, b: 1 });
    const a = memberOf(pool, "a");
    change(pool, a);
    expect(pool.standing(a)).toBe(standing);
  });

  test("may send the trial request after an ejection", () => {
    const { pool } = poolOf({ a: 1, b: 1 });
    const a = memberOf(pool, "a");
    pool.ejections.eject(a, "consecutive-failures", 1);
    pool.ejections.beginTrial(a);
    expect(pool.standing(a)).toBe("ready");
    pool.begin(a);
    expect(pool.standing(a)).toBe("gone");
  });

  test("stays in panic, unless panic does not use its member", () => {
    const { pool } = poolOf({ a: 1, b: 1 });
    for (const upstream of pool.upstreams) pool.setHealth(upstream, "unhealthy", "a test");
    expect(pool.standing(memberOf(pool, "a"))).toBe("ready");
    pool.setState("a", "draining");
    expect(pool.standing(memberOf(pool, "a"))).toBe("gone");
  });

  test.each([
    ["others have room", 0],
    ["all are full", 1],
  ])("waits in panic while the member is full: %s", (_, begun) => {
    const { pool } = poolOf({ a: { maxInFlight: 1 }, b: { maxInFlight: 1 }, spare: { backup: true, maxInFlight: 1 } });
    for (const upstream of pool.upstreams) pool.setHealth(upstream, "unhealthy", "a test");
    const [a, b, spare] = ["a", "b", "spare"].map((id) => memberOf(pool, id)) as [Upstream, Upstream, Upstream];
    const attempt = pool.begin(a);
    for (let count = 0; count < begun; count++) for (const other of [b, spare]) pool.begin(other);
    expect(pool.panic).toBe(begun === 0);
    expect(pool.standing(a)).toBe("later");
    // Clients of a backup move while a primary has room, in panic too.
    expect(pool.standing(spare)).toBe(begun === 0 ? "gone" : "later");
    attempt.settle("success");
    expect(pool.standing(a)).toBe("ready");
    expect(pool.standing(b)).toBe(begun === 0 ? "ready" : "later");
  });

  test("does not wait in panic for a full member that panic does not use", () => {
    const { pool } = poolOf({ a: { maxInFlight: 1 }, b: 1 });
    const a = memberOf(pool, "a");
    pool.begin(a);
    pool.setHealth(a, "unhealthy", "a test");
    expect(pool.standing(a)).toBe("gone");
    pool.setHealth(memberOf(pool, "b"), "unhealthy", "a test");
    expect(pool.standing(a)).toBe("later");
    pool.setState("a", "disabled");
    expect(pool.standing(a)).toBe("gone");
    const strict = poolOf({ a: { maxInFlight: 1 }, b: 1 }, { panic: "fail" }).pool;
    for (const upstream of strict.upstreams) strict.setHealth(upstream, "unhealthy", "a test");
    strict.begin(memberOf(strict, "a"));
    expect(strict.standing(memberOf(strict, "a"))).toBe("gone");
  });
});

describe("weight 0", () => {
  test("is available to bound clients, but no candidate for others", () => {
    const { pool } = poolOf({ a: 0, b: 1 });
    expect(idsOf(pool.available)).toEqual(["a", "b"]);
    expect(idsOf(pool.candidates)).toEqual(["b"]);
    expect(idsOf(pool.candidatesExcept([memberOf(pool, "b")]))).toEqual([]);
  });

  test("gets no requests in panic", () => {
    const { pool } = poolOf({ a: 0, b: 1 });
    pool.setHealth(memberOf(pool, "b"), "unhealthy", "status 500");
    expect(idsOf(pool.candidates)).toEqual(["b"]);
    expect(pool.panic).toBe(true);
  });

  test("on all members leaves no candidate, and causes no panic", () => {
    const { pool } = poolOf({ a: 0, b: 0 });
    expect(pool.candidates).toEqual([]);
    expect(pool.panic).toBe(false);
    expect(pool.mayFreeUp([])).toBe(false);
  });
});

describe("panic", () => {
  test("uses members that are neither draining nor disabled, and is reported", () => {
    const { pool } = poolOf({ a: 1, b: 1, c: 1, d: 1 });
    pool.setState("c", "draining");
    pool.setState("d", "disabled");
    for (const id of ["a", "b", "c", "d"]) pool.setHealth(memberOf(pool, id), "unhealthy", "status 500");
    expect(pool.available).toEqual([]);
    expect(idsOf(pool.candidates)).toEqual(["a", "b"]);
    expect(pool.panic).toBe(true);
    pool.setHealth(memberOf(pool, "b"), "healthy", "status 200");
    expect(idsOf(pool.candidates)).toEqual(["b"]);
    expect(pool.panic).toBe(false);
  });

  test("prefers unhealthy primaries to unhealthy backups", () => {
    const { pool } = poolOf({ a: 1, spare: { backup: true } });
    for (const id of ["a", "spare"]) pool.setHealth(memberOf(pool, id), "unhealthy", "status 500");
    expect(idsOf(pool.candidates)).toEqual(["a"]);
    expect(idsOf(pool.candidatesExcept([memberOf(pool, "a")]))).toEqual(["spare"]);
  });

  test("waits for members at their limit, but not for those on trial", () => {
    const { pool } = poolOf({ a: { maxInFlight: 1 }, b: { maxInFlight: 1 } });
    const [a, b] = [memberOf(pool, "a"), memberOf(pool, "b")];
    for (const upstream of [a, b]) pool.setHealth(upstream, "unhealthy", "status 500");
    pool.begin(a);
    expect(pool.mayFreeUp([b])).toBe(true);
    const last = pool.begin(b);
    expect(pool.candidates).toEqual([]);
    expect(pool.panic).toBe(false);
    let woken = 0;
    pool.queue.enter({ onRoom: () => woken++, onTimeout: () => {} });
    pool.setHealth(a, "unhealthy", "status 500, again");
    expect(woken).toBe(0);
    last.settle("success");
    expect(woken).toBe(1);
    expect(idsOf(pool.candidates)).toEqual(["b"]);
  });

  test("`fail` picks nothing", () => {
    const { pool } = poolOf({ a: 1 }, { panic: "fail" });
    pool.setHealth(memberOf(pool, "a"), "unhealthy", "status 500");
    expect(pool.candidates).toEqual([]);
    expect(pool.panic).toBe(false);
    expect(pool.mayFreeUp([])).toBe(false);
  });
});

describe("full upstreams", () => {
  test("are waited for, even while others are unhealthy", () => {
    const { pool } = poolOf({ a: { maxInFlight: 2 }, b: 1 });
    pool.setHealth(memberOf(pool, "b"), "unhealthy", "status 500");
    const first = pool.begin(memberOf(pool, "a"));
    expect(pool.mayFreeUp([])).toBe(false);
    pool.begin(memberOf(pool, "a"));
    expect(pool.candidates).toEqual([]);
    expect(pool.mayFreeUp([])).toBe(true);
    expect(pool.panic).toBe(false);
    first.settle("success");
    expect(idsOf(pool.candidates)).toEqual(["a"]);
    expect(pool.mayFreeUp([])).toBe(false);
  });

  test("that are unhealthy are not waited for", () => {
    const { pool } = poolOf({ a: { maxInFlight: 1 } }, { panic: "fail" });
    pool.begin(memberOf(pool, "a"));
    pool.setHealth(memberOf(pool, "a"), "unhealthy", "status 500");
    expect(pool.mayFreeUp([])).toBe(false);
  });

  test("that are unhealthy get no requests beyond their limit in panic", () => {
    const { pool } = poolOf({ a: { maxInFlight: 1 }, b: 1 });
    for (const id of ["a", "b"]) pool.setHealth(memberOf(pool, id), "unhealthy", "status 500");
    pool.begin(memberOf(pool, "a"));
    expect(idsOf(pool.candidates)).toEqual(["b"]);
  });
});

describe("the lists", () => {
  test("are frozen, and replaced only on a change", () => {
    const { pool } = poolOf({ a: 1, b: 1 });
    const { available, candidates, upstreams } = pool;
    for (const list of [available, candidates, upstreams]) expect(Object.isFrozen(list)).toBe(true);
    pool.begin(memberOf(pool, "a")).settle("success");
    expect(pool.available).toBe(available);
    expect(pool.candidates).toBe(candidates);

    pool.setState("a", "disabled");
    expect(pool.available).not.toBe(available);
    expect(idsOf(available)).toEqual(["a", "b"]);
    expect(idsOf(pool.available)).toEqual(["b"]);
    expect(pool.upstreams).toBe(upstreams);

    pool.add({ id: "c", url: "http://c.internal" });
    expect(idsOf(upstreams)).toEqual(["a", "b"]);
    expect(idsOf(pool.upstreams)).toEqual(["a", "b", "c"]);
    expect(Object.isFrozen(pool.upstreams)).toBe(true);
  });

  test("an empty pool has no candidates and no reason to wait", () => {
    const { pool } = poolOf({});
    expect(pool.upstreams).toEqual([]);
    expect(pool.candidates).toEqual([]);
    expect(pool.panic).toBe(false);
    expect(pool.mayFreeUp([])).toBe(false);
  });
});

describe("a pool serves", () => {
  const changeAll = (pool: Pool, change: (upstream: Upstream) => void) => pool.upstreams.forEach(change);

  test.each<[string, "use-all" | "fail", (pool: Pool) => void, boolean]>([
    ["with an available upstream", "fail", () => {}, true],
    ["while all are full", "fail", (pool) => changeAll(pool, (one) => void pool.begin(one)), true],
    ["in panic", "use-all", (pool) => changeAll(pool, (one) => pool.setHealth(one, "unhealthy", "a test")), true],
    [
      "not without panic",
      "fail",
      (pool) => changeAll(pool, (one) => pool.setHealth(one, "unhealthy", "a test")),
      false,
    ],
    [
      "not when all are disabled",
      "use-all",
      (pool) => changeAll(pool, ({ id }) => pool.setState(id, "disabled")),
      false,
    ],
    [
      "not when all are draining",
      "use-all",
      (pool) => changeAll(pool, ({ id }) => pool.setState(id, "draining")),
      false,
    ],
    ["not when none has a weight", "use-all", (pool) => changeAll(pool, ({ id }) => pool.setWeight(id, 0)), false],
    ["not before the first check", "use-all", (pool) => changeAll(pool, (one) => pool.hold(one, true)), false],
    ["not without upstreams", "use-all", (pool) => changeAll(pool, ({ id }) => pool.remove(id)), false],
  ])("%s (panic: %s)", (_, panic, change, serving) => {
    const { pool } = poolOf({ a: { maxInFlight: 1 }, b: { maxInFlight: 1 } }, { panic });
    change(pool);
    expect(pool.serving).toBe(serving);
    expect(pool.snapshot().serving).toBe(serving);
  });

  test("during the trial of its only upstream", () => {
    const { pool } = poolOf({ a: { maxInFlight: 1 }, b: 1 }, { panic: "fail" });
    pool.setState("b", "disabled");
    const a = memberOf(pool, "a");
    pool.ejections.eject(a, "consecutive-failures", 1);
    expect(pool.serving).toBe(false);
    pool.ejections.beginTrial(a);
    expect(pool.serving).toBe(true);
    pool.begin(a);
    expect(pool.available).toEqual([]);
    expect(pool.serving).toBe(true);
  });
});
