import { expect, test } from "vitest";
import { idsOf, memberOf, poolOf } from "../support/pools.ts";

test("an upstream on trial gets no request beyond its limit", () => {
  const { pool } = poolOf({ a: { maxInFlight: 2 }, b: 1 });
  const a = memberOf(pool, "a");
  const [older] = [pool.begin(a), pool.begin(a)];
  pool.ejections.eject(a, "consecutive-failures", 1_000);
  pool.ejections.beginTrial(a);
  expect(pool.candidates).not.toContain(a);
  older?.settle("success");
  expect(pool.candidates).toContain(a);
  pool.begin(a);
  expect(pool.candidates).not.toContain(a);
});

test("an upstream on trial gets more than the trial request in panic", () => {
  const { pool } = poolOf({ a: 1, b: 1 });
  const a = memberOf(pool, "a");
  pool.setHealth(memberOf(pool, "b"), "unhealthy", "status 500");
  pool.ejections.eject(a, "consecutive-failures", 1_000);
  expect(idsOf(pool.candidates)).toEqual(["a", "b"]);
  pool.ejections.beginTrial(a);
  const trial = pool.begin(a);
  expect(idsOf(pool.candidates)).toEqual(["a", "b"]);
  const other = pool.begin(a);
  expect([trial.onTrial, other.onTrial]).toEqual([true, false]);
});
