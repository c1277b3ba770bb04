import { describe, expect, test } from "vitest";
import { Balancer } from "../../src/balancer/balancer.ts";
import { idsOf, memberOf, poolOf } from "../support/pools.ts";

const waiterIn = (calls: string[]) => ({ onRoom: () => calls.push("room"), onTimeout: () => calls.push("timeout") });

describe("an attempt that becomes a tunnel", () => {
  test("ends as a request, and still counts in flight for limits and policies", () => {
    const { pool } = poolOf({ a: { maxInFlight: 2 }, b: 1 });
    const a = memberOf(pool, "a");
    const [first, second] = [pool.begin(a), pool.begin(a)];
    const close = first.becomeTunnel();
    expect(a).toMatchObject({ inFlight: 2, tunnels: 1, full: true });
    expect([pool.inFlight, pool.tunnels]).toEqual([1, 1]);
    expect(pool.snapshot()).toMatchObject({ inFlight: 1, tunnels: 1 });
    expect(pool.snapshot().upstreams[0]).toMatchObject({ inFlight: 1, tunnels: 1, outcomes: { success: 1 } });
    first.settle("reset");
    second.settle("success");
    expect(a).toMatchObject({ inFlight: 1, tunnels: 1, full: false });
    close();
    close();
    expect(a).toMatchObject({ inFlight: 0, tunnels: 0 });
    expect(pool.snapshot().upstreams[0]).toMatchObject({ outcomes: { success: 2 } });
  });

  test("has no effect after it was settled", () => {
    const { pool } = poolOf({ a: 1 });
    const attempt = pool.begin(memberOf(pool, "a"));
    attempt.settle("aborted");
    attempt.becomeTunnel()();
    expect(memberOf(pool, "a")).toMatchObject({ inFlight: 0, tunnels: 0 });
  });

  test("does not wake a waiter before the tunnel closes", () => {
    const { pool } = poolOf({ a: { maxInFlight: 1 } });
    const attempt = pool.begin(memberOf(pool, "a"));
    const calls: string[] = [];
    pool.queue.enter(waiterIn(calls));
    const close = attempt.becomeTunnel();
    expect([calls, idsOf(pool.candidates)]).toEqual([[], []]);
    close();
    expect([calls, idsOf(pool.candidates)]).toEqual([["room"], ["a"]]);
  });

  test("on trial is a success, and does not block the next request", () => {
    const { pool } = poolOf({ a: 1, b: 1 });
    const a = memberOf(pool, "a");
    pool.ejections.eject(a, "consecutive-failures", 1_000);
    pool.ejections.beginTrial(a);
    const trial = pool.begin(a);
    expect(idsOf(pool.candidates)).toEqual(["b"]);
    const close = trial.becomeTunnel();
    expect(idsOf(pool.candidates)).toEqual(["a", "b"]);
    close();
    expect(idsOf(pool.candidates)).toEqual(["a", "b"]);
  });

  test("keeps its place under a lowered limit and under the limit of a slow start", () => {
    const { pool } = poolOf({ a: { maxInFlight: 2 } });
    const a = memberOf(pool, "a");
    const close = [pool.begin(a).becomeTunnel(), pool.begin(a).becomeTunnel()];
    const [listed] = pool.options.upstreams;
    if (listed === undefined) throw new Error("no upstream");
    pool.reconfigure({ ...pool.options, upstreams: [{ ...listed, maxInFlight: 1 }] });
    const calls: string[] = [];
    pool.queue.enter(waiterIn(calls));
    close[0]?.();
    expect([calls, a.full]).toEqual([[], true]);
    close[1]?.();
    expect([calls, a.full]).toEqual([["room"], false]);
  });
});

test.each(["least-requests", "p2c", "peak-ewma", "hash"] as const)("%s counts an open tunnel as load", (policy) => {
  const { pool, runtime } = poolOf({ a: 1, b: 1 }, { hashBalanceFactor: 1.5 });
  const balancer = new Balancer(pool, { policy }, runtime);
  for (let count = 0; count < 20; count++) pool.begin(memberOf(pool, "a")).becomeTunnel();
  const picked = Array.from({ length: 20 }, (_, index) => balancer.pick({ key: `k${index}` })?.id);
  expect(new Set(picked)).toEqual(new Set(["b"]));
});
