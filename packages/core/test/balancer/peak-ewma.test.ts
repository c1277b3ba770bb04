import { describe, expect, test } from "vitest";
import { policies } from "../../src/balancer/policies.ts";
import { policyContract } from "../contract/policy-contract.ts";
import { memberOf } from "../support/pools.ts";
import { type Behaviour, noisyMs, simulateTraffic } from "../support/simulated-traffic.ts";

policyContract("peak-ewma", policies["peak-ewma"], { shares: "random" });

const five = { a: 1, b: 1, c: 1, d: 1, e: 1 };
const alike: Behaviour = (_upstream, _now, random) => ({ ms: noisyMs(20, random) });

describe("upstreams that are alike but for noise", () => {
  test.each([5, 20, 100, 1_000])(
    "get a fifth each, give or take four in a hundred, at %i requests a second",
    (perSecond) => {
      for (let seed = 1; seed <= 5; seed++) {
        const { run } = simulateTraffic("peak-ewma", five, { perSecond, behaviour: alike, seed });
        for (const picks of Object.values(run(1_500))) expect(Math.abs(picks / 1_500 - 0.2)).toBeLessThan(0.04);
      }
    },
  );

  test.each([20, 100, 1_000])(
    "never starve, with peaks of ten times the usual, at %i requests a second",
    (perSecond) => {
      const behaviour: Behaviour = (_upstream, _now, random) => ({ ms: noisyMs(20, random, 1) });
      for (let seed = 1; seed <= 5; seed++) {
        const { run } = simulateTraffic("peak-ewma", five, { perSecond, behaviour, seed });
        for (const picks of Object.values(run(1_500))) expect(picks / 1_500).toBeGreaterThan(0.1);
      }
    },
  );

  test.each([2, 20, 200])("share by weight, at %i requests a second", (perSecond) => {
    const { run } = simulateTraffic("peak-ewma", { a: 10, b: 1, c: 1 }, { perSecond, behaviour: alike });
    expect(Math.abs((run(5_000)["a"] as number) / 5_000 - 10 / 12)).toBeLessThan(0.05);
  });
});

test("one that turns slow loses nearly everything at once, and wins it back", () => {
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

test("one that fails within a millisecond is no black hole, and is still tried now and then", () => {
  const behaviour: Behaviour = (upstream, now, random) =>
    upstream.id === "a" ? { ms: 1, fails: true } : alike(upstream, now, random);
  const { run } = simulateTraffic("peak-ewma", five, { perSecond: 20, behaviour });
  expect(run(1_000)["a"]).toBeLessThan(10);
  const later = run(6_000)["a"] as number;
  expect(later).toBeGreaterThan(0);
  expect(later).toBeLessThan(60);
});

test("one that was slow is tried again after a silence, with a request or two at a time", () => {
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

describe("of whom nothing is known", () => {
  test("a whole pool shares by weight from its first requests on", () => {
    const { run } = simulateTraffic("peak-ewma", five, { perSecond: 100_000, behaviour: alike });
    // Nobody has answered yet when the last of these comes.
    for (const picks of Object.values(run(500))) expect(Math.abs(picks / 500 - 0.2)).toBeLessThan(0.04);
  });

  test("a newcomer that is slow gets few requests before its first answer", () => {
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
