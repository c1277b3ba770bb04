import { describe, expect, test } from "vitest";
import { policies } from "../../src/balancer/policies.ts";
import { policyContract } from "../contract/policy-contract.ts";
import { memberOf } from "../support/pools.ts";
import { type Behaviour, noisyMs, simulateTraffic } from "../support/simulated-traffic.ts";

policyContract("peak-ewma", policies["peak-ewma"], { shares: "random" });

const five = { a: 1, b: 1, c: 1, d: 1, e: 1 };
const alike: Behaviour = (_upstream, _now, random) => ({ ms: noisyMs(20, random) });

describe("upstreams that differ by noise only", () => {
  test.each([5, 20, 100, 1_000])("get shares of 0.16 to 0.24 each, at %i requests a second", (perSecond) => {
    for (let seed = 1; seed <= 5; seed++) {
      const { run } = simulateTraffic("peak-ewma", five, { perSecond, behaviour: alike, seed });
      for (const picks of Object.values(run(1_500))) expect(Math.abs(picks / 1_500 - 0.2)).toBeLessThan(0.04);
    }
  });

  test.each([20, 100, 1_000])(
    "all get requests despite peaks of ten times the usual latency, at %i requests a second",
    (perSecond) => {
      const behaviour: Behaviour = (_upstream, _now, random) => ({ ms: noisyMs(20, random, 1) });
      for (let seed = 1; seed <= 5; seed++) {
        const { run } = simulateTraffic("peak-ewma", five, { perSecond, behaviour, seed });
        for (const picks of Object.values(run(1_500))) expect(picks / 1_500).toBeGreaterThan(0.1);
      }
    },
  );

  test.each([2, 20, 200])("share by weight at %i requests a second", (perSecond) => {
    const { run } = simulateTraffic("peak-ewma", { a: 10, b: 1, c: 1 }, { perSecond, behaviour: alike });
    expect(Math.abs((run(5_000)["a"] as number) / 5_000 - 10 / 12)).toBeLessThan(0.05);
  });
});

test("an upstream that becomes slow loses nearly its whole share at once, and regains it", () => {
  const behaviour: Behaviour = ({ id }, now, random) => {
    const slow = id === "a" && now >= 20_000 && now < 50_000;
    return { ms: noisyMs(slow ? 400 : 20, random) };
  };
  const { clock, run } = simulateTraffic("peak-ewma", five, { perSecond: 200, behaviour });
  const shareUntil = (time: number) => {
    let [mine, all] = [0, 0];
    for (; clock.now() < time; all++) mine += run(1)["a"] as number;
    return mine / all;
  };
  expect(shareUntil(20_000)).toBeGreaterThan(0.16);
  shareUntil(21_000);
  expect(shareUntil(50_000)).toBeLessThan(0.02);
  shareUntil(85_000);
  expect(shareUntil(120_000)).toBeGreaterThan(0.16);
});

test("an upstream that fails within a millisecond attracts no requests, and is still tried occasionally", () => {
  const behaviour: Behaviour = (upstream, now, random) =>
    upstream.id === "a" ? { ms: 1, fails: true } : alike(upstream, now, random);
  const { run } = simulateTraffic("peak-ewma", five, { perSecond: 20, behaviour });
  expect(run(1_000)["a"]).toBeLessThan(10);
  const later = run(6_000)["a"] as number;
  expect(later).toBeGreaterThan(0);
  expect(later).toBeLessThan(60);
});

test("an upstream that was slow is tried again after a while, with few requests at a time", () => {
  const behaviour: Behaviour = ({ id }, _now, random) => ({ ms: noisyMs(id === "a" ? 1_000 : 20, random) });
  const { pool, run } = simulateTraffic("peak-ewma", five, { perSecond: 500, behaviour });
  run(500);
  let [picks, most] = [0, 0];
  for (let request = 0; request < 60_000; request++) {
    picks += run(1)["a"] as number;
    most = Math.max(most, memberOf(pool, "a").inFlight);
  }
  expect(picks).toBeGreaterThan(0);
  expect(picks).toBeLessThan(60);
  expect(most).toBeLessThanOrEqual(3);
});

describe("without known latencies", () => {
  test("a new pool shares by weight from its first request on", () => {
    const { run } = simulateTraffic("peak-ewma", five, { perSecond: 100_000, behaviour: alike });
    // No upstream has responded before the last of these requests.
    for (const picks of Object.values(run(500))) expect(Math.abs(picks / 500 - 0.2)).toBeLessThan(0.04);
  });

  test("a slow upstream that joins gets few requests before its first response", () => {
    const behaviour: Behaviour = ({ id }, _now, random) => ({ ms: noisyMs(id === "new" ? 300 : 20, random) });
    const { pool, run } = simulateTraffic("peak-ewma", five, { perSecond: 1_000, behaviour });
    run(5_000);
    pool.add({ id: "new", url: "http://new.internal" });
    let most = 0;
    for (let request = 0; request < 200; request++) {
      run(1);
      most = Math.max(most, memberOf(pool, "new").inFlight);
    }
    expect(most).toBeGreaterThan(0);
    expect(most).toBeLessThanOrEqual(2);
  });
});
