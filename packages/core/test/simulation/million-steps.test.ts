/**
 * A million steps with real pools, balancers and outlier detectors: upstreams go down, slow down, fail, fill up, are drained
 * and disabled, join and leave; weights and verdicts change. After each step the pool is checked against the world's books.
 *
 * A failure prints the seed to run it again: SIMULATION_SEED=<seed>.
 */

import { expect, test } from "vitest";
import type { PolicyName } from "../../src/config/options.ts";
import { policyNames } from "../../src/config/schema/policy-names.ts";
import { World } from "./world.ts";

const seed = Number(process.env["SIMULATION_SEED"] ?? 20_250_101);
const eras = 8;
const stormSteps = 14_000;
const settlingSteps = 2_400;
const calmSteps = 1_500;

test.each(policyNames)("%s, through storms and calms", { timeout: 120_000 }, (policy) => {
  const world = new World(policy, "use-all", seed);
  withContext(policy, world, () => {
    for (let era = 0; era < eras; era++) weather(world, policy);
    finish(world);
  });
  expect(world.steps).toBe(eras * (stormSteps + settlingSteps + calmSteps));
  expect(world.ejections).toBeGreaterThan(50);
  for (const [how, count] of Object.entries(world.ended)) expect(count, how).toBeGreaterThan(100);
});

test.each(policyNames)("%s without panic", { timeout: 120_000 }, (policy) => {
  const world = new World(policy, "fail", seed + 1);
  withContext(policy, world, () => {
    world.storm(5_000);
    finish(world);
  });
});

test("the same seed yields the same trace, and another seed another trace", () => {
  const traceOf = (seedOf: number) => {
    const world = new World("p2c", "use-all", seedOf);
    world.storm(5_000);
    return world.trace.value;
  };
  expect(traceOf(seed)).toBe(traceOf(seed));
  expect(traceOf(seed)).not.toBe(traceOf(seed + 1));
});

/** A storm, the time to recover from it, and a calm in which each upstream must get its share. */
function weather(world: World, policy: PolicyName): void {
  world.storm(stormSteps);
  world.heal();
  world.calm(settlingSteps);
  world.picks.clear();
  world.calm(calmSteps);
  const primaries = world.pool.upstreams.filter(({ tier }) => tier === 0);
  const sharing = primaries.length > 0 ? primaries : world.pool.upstreams;
  // The latencies of equal upstreams differ at random, and this policy depends on them.
  const tolerance = policy === "peak-ewma" ? 0.07 : 0.05;
  const total = sharing.reduce((sum, { weight }) => sum + weight, 0);
  for (const [index, { id, weight, effectiveWeight, ejectedUntil }] of sharing.entries()) {
    // An upstream without requests cannot prove that it works.
    if (policy !== "first") {
      expect(effectiveWeight, `the effective weight of ${id} after a calm`).toBe(weight);
      expect(ejectedUntil, `${id} is ejected after a calm`).toBeUndefined();
    }
    const due = policy === "first" ? Number(index === 0) : weight / total;
    const got = (world.picks.get(id) ?? 0) / calmSteps;
    expect(Math.abs(got - due), `${id} has a share of ${got} and is due ${due}`).toBeLessThan(tolerance);
  }
}

/** Nothing remains: no request, no place taken, no waiter, no timer. */
function finish(world: World): void {
  world.end();
  const { pool, clients, arrivals, ended, clock } = world;
  const { inFlight, tunnels, queue } = pool;
  expect({ clients: clients.size, inFlight, tunnels, waiting: queue.depth, timers: clock.pending }).toEqual({
    clients: 0,
    inFlight: 0,
    tunnels: 0,
    waiting: 0,
    timers: 0,
  });
  expect(Object.values(ended).reduce((sum, count) => sum + count, 0)).toBe(arrivals);
}

/** Adds seed, policy and step to the message of an error. */
function withContext(policy: string, world: World, run: () => void): void {
  try {
    run();
  } catch (error) {
    (error as Error).message = `seed ${seed}, ${policy}, step ${world.steps}: ${(error as Error).message}`;
    throw error;
  }
}
