/** Invariants of every step, computed from the visible state without the code of the pool. */

import type { Upstream } from "../../src/pool/upstream.ts";
import type { World } from "./world.ts";

/** Called after a pick, before the attempt begins. */
export function checkPick(world: World, picked: Upstream, tried: readonly Upstream[]): void {
  const { pool, books } = world;
  if (!pool.upstreams.includes(picked)) violated(`${picked.id} has left the pool`);
  if (tried.includes(picked)) violated(`${picked.id} was tried before`);
  if (picked.state !== "active") violated(`${picked.id} is ${picked.state}`);
  if (picked.weight === 0) violated(`${picked.id} has weight 0`);
  if (books.inFlightOn(picked) >= picked.maxInFlight) violated(`${picked.id} is full`);
  const fit = pool.upstreams.filter((upstream) => isFit(world, upstream));
  if (fit.length === 0) {
    if (pool.options.panic === "fail") violated(`${describe(picked)} was picked in panic, which the options forbid`);
    return;
  }
  if (!fit.includes(picked))
    violated(`${describe(picked)} was picked, though ${fit.map(describe).join(", ")} could be picked`);
  const better = fit.find((upstream) => upstream.tier < picked.tier && !tried.includes(upstream));
  if (better !== undefined) violated(`the backup ${picked.id} was picked before ${better.id}`);
}

/** Called after each step. */
export function checkRest(world: World): void {
  const { pool, books, waiting } = world;
  for (const { id, inFlight } of pool.upstreams.filter(
    (upstream) => upstream.inFlight !== books.inFlightOn(upstream),
  )) {
    violated(`${id} reports ${inFlight} in flight, which is wrong`);
  }
  if (pool.queue.depth !== waiting.size)
    violated(`the queue reports ${pool.queue.depth} waiting, the books ${waiting.size}`);
  if (waiting.size === 0) return;
  const fit = pool.upstreams.filter((upstream) => isFit(world, upstream));
  for (const { tried } of waiting) {
    const free = fit.find((upstream) => !tried.includes(upstream));
    if (free !== undefined) violated(`a request waits, though ${describe(free)} could be picked`);
  }
}

/** May be picked without panic. */
function isFit({ books }: World, upstream: Upstream): boolean {
  const { state, weight, health, ejectedUntil, onTrial } = upstream;
  if (state !== "active" || weight === 0 || health === "unhealthy") return false;
  if (ejectedUntil !== undefined && (!onTrial || books.hasTrial(upstream))) return false;
  return books.inFlightOn(upstream) < roomOf(upstream);
}

/** Slow start applies to the limit as well. */
function roomOf({ maxInFlight, slowStart }: Upstream): number {
  return slowStart === 1 ? maxInFlight : Math.max(1, Math.ceil(maxInFlight * slowStart));
}

function describe({ id, state, health, onTrial, ejectedUntil, inFlight, maxInFlight }: Upstream): string {
  const out = onTrial ? "on trial" : ejectedUntil === undefined ? "in" : "ejected";
  return `${id} (${state}, ${health}, ${out}, ${inFlight} of ${maxInFlight})`;
}

function violated(message: string): never {
  throw new Error(message);
}
