/** What holds at every step, worked out anew from what can be seen, by other means than the pool's own. */

import type { Upstream } from "../../src/pool/upstream.ts";
import type { World } from "./world.ts";

/** An upstream was picked, and the attempt has not begun. */
export function checkPick(world: World, picked: Upstream, tried: readonly Upstream[]): void {
  const { pool, books } = world;
  if (!pool.upstreams.includes(picked)) broken(`${picked.id} has left the pool`);
  if (tried.includes(picked)) broken(`${picked.id} was tried before`);
  if (picked.state !== "active") broken(`${picked.id} is ${picked.state}`);
  if (picked.weight === 0) broken(`${picked.id} has weight 0`);
  if (books.inFlightOn(picked) >= picked.maxInFlight) broken(`${picked.id} is full`);
  const fit = pool.upstreams.filter((upstream) => isFit(world, upstream));
  if (fit.length === 0) {
    if (pool.options.panic === "fail") broken(`${describe(picked)} was picked in panic, which is forbidden`);
    return;
  }
  if (!fit.includes(picked)) broken(`${describe(picked)} was picked, while ${fit.map(describe).join(", ")} would do`);
  const better = fit.find((upstream) => upstream.tier < picked.tier && !tried.includes(upstream));
  if (better !== undefined) broken(`the backup ${picked.id} was picked before ${better.id}`);
}

/** A step is over. */
export function checkRest(world: World): void {
  const { pool, books, waiting } = world;
  for (const { id, inFlight } of pool.upstreams.filter(
    (upstream) => upstream.inFlight !== books.inFlightOn(upstream),
  )) {
    broken(`${id} has not really ${inFlight} in flight`);
  }
  if (pool.queue.depth !== waiting.size) broken(`${pool.queue.depth} wait, really ${waiting.size}`);
  if (waiting.size === 0) return;
  const fit = pool.upstreams.filter((upstream) => isFit(world, upstream));
  for (const { tried } of waiting) {
    const free = fit.find((upstream) => !tried.includes(upstream));
    if (free !== undefined) broken(`somebody waits, while ${describe(free)} would do`);
  }
}

/** May be picked without panic. */
function isFit({ books }: World, upstream: Upstream): boolean {
  const { state, weight, health, ejectedUntil, onTrial } = upstream;
  if (state !== "active" || weight === 0 || health === "unhealthy") return false;
  if (ejectedUntil !== undefined && (!onTrial || books.hasTrial(upstream))) return false;
  return books.inFlightOn(upstream) < roomOf(upstream);
}

/** A slow start is for the limit as well. */
function roomOf({ maxInFlight, slowStart }: Upstream): number {
  return slowStart === 1 ? maxInFlight : Math.max(1, Math.ceil(maxInFlight * slowStart));
}

function describe({ id, state, health, onTrial, ejectedUntil, inFlight, maxInFlight }: Upstream): string {
  const out = onTrial ? "on trial" : ejectedUntil === undefined ? "in" : "ejected";
  return `${id} (${state}, ${health}, ${out}, ${inFlight} of ${maxInFlight})`;
}

function broken(what: string): never {
  throw new Error(what);
}
