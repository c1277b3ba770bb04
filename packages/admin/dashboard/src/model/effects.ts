/** What an action will do, in numbers, for its confirmation. Pure: nothing is requested here. */

import type { PoolOverview, UpstreamOverview } from "@evenkeel/admin";
import { countOf, formatRatio, formatWeight } from "./format.ts";
import { isServing } from "./statuses.ts";

export type ActionName = "weight" | "drain" | "disable" | "enable" | "remove" | "add";

export interface Effect {
  /** Sentences, the most important one first. */
  readonly sentences: readonly string[];
  /** The pool would be without an upstream. */
  readonly isDangerous: boolean;
}

/** Draining, disabling and removing end in the same: new requests go to the upstreams that stay. */
export function effectOfTakingOut(
  pool: PoolOverview,
  upstream: UpstreamOverview,
  action: "drain" | "disable" | "remove",
): Effect {
  const before = servingUpstreams(pool);
  const after = before.filter(({ id }) => id !== upstream.id);
  const sentences = [takenOut(pool, upstream, before, after), inFlightNote(upstream, action)];
  if (action === "drain") sentences.push("Clients with a session at it keep it until it is disabled or removed.");
  if (action === "remove")
    sentences.push("It is gone after that. A reload adds it again if the configuration lists it.");
  return { sentences: sentences.filter((text) => text !== ""), isDangerous: before.length > 0 && after.length === 0 };
}

export function effectOfEnabling(pool: PoolOverview, upstream: UpstreamOverview): Effect {
  const others = servingUpstreams(pool).filter(({ id }) => id !== upstream.id);
  const share = upstream.weight / (totalWeight(others) + upstream.weight);
  const sentences = [
    upstream.weight === 0
      ? "It stays without requests: its weight is 0."
      : `It gets about ${formatRatio(share)} of the requests of ${pool.name} once it is healthy.`,
    others.length === 0 ? `It is the only upstream of ${pool.name} that serves.` : "",
  ];
  return { sentences: sentences.filter((text) => text !== ""), isDangerous: false };
}

export function effectOfWeight(pool: PoolOverview, upstream: UpstreamOverview, weight: number): Effect {
  const serving = servingUpstreams(pool);
  const others = serving.filter(({ id }) => id !== upstream.id);
  const isIn = serving.length > others.length;
  // Slow start, feedback and announced load go on to apply to the new weight.
  const factor = upstream.weight === 0 ? 1 : upstream.effectiveWeight / upstream.weight;
  const before = isIn ? share(upstream.effectiveWeight, others) : 0;
  const after = share(weight * factor, others);
  const sentences = [
    isIn
      ? `${upstream.id} gets about ${formatRatio(after)} of the requests of ${pool.name} instead of ${formatRatio(before)}.`
      : `${upstream.id} gets no requests now. Once it does, it gets about ${formatRatio(after)} of those of ${pool.name}.`,
    weight === 0 && others.length > 0 ? `${remainNote(serving, others)}` : "",
    factor < 1 ? `Its effective weight is ${formatWeight(weight * factor)} at first, as it is reduced now.` : "",
  ];
  const isDangerous = weight === 0 && isIn && totalWeight(others) === 0;
  if (isDangerous) sentences.unshift(`No other upstream of ${pool.name} serves.`);
  return { sentences: sentences.filter((text) => text !== ""), isDangerous };
}

export function effectOfAdding(pool: PoolOverview, weight: number, backup: boolean): Effect {
  if (backup) {
    return {
      sentences: [`It gets requests only while no other upstream of ${pool.name} is available.`],
      isDangerous: false,
    };
  }
  const serving = servingUpstreams(pool);
  const sentences = [
    `${pool.name} has ${countOf(pool.upstreams.length + 1, "upstream")} then. ` +
      `The new one gets about ${formatRatio(share(weight, serving))} of the requests once it is healthy.`,
    "It is not written to the configuration: a restart forgets it.",
  ];
  return { sentences, isDangerous: false };
}

/** Upstreams that get requests now, in proportion to their effective weights. Backups only while nothing else serves. */
/** The share of new requests that an upstream gets now, as its weight says. Undefined if it gets none. */
export function shareOf(pool: PoolOverview, upstream: UpstreamOverview): number | undefined {
  const serving = servingUpstreams(pool);
  if (!serving.includes(upstream)) return undefined;
  return upstream.effectiveWeight / totalWeight(serving);
}

function servingUpstreams({ upstreams }: PoolOverview): readonly UpstreamOverview[] {
  const serving = upstreams.filter((upstream) => isServing(upstream) && upstream.effectiveWeight > 0);
  const primary = serving.filter(({ backup }) => !backup);
  return primary.length > 0 ? primary : serving;
}

function takenOut(
  pool: PoolOverview,
  upstream: UpstreamOverview,
  before: readonly UpstreamOverview[],
  after: readonly UpstreamOverview[],
): string {
  if (pool.panic) {
    return `No upstream of ${pool.name} is available: its requests go to all of them (panic), and then to all others.`;
  }
  if (before.length === after.length) {
    return `${upstream.id} gets no requests now, so the requests of ${pool.name} go where they went before.`;
  }
  if (after.length > 0) return remainNote(before, after);
  const backups = pool.upstreams.filter((one) => one.backup && one.id !== upstream.id && isServing(one)).length;
  if (backups > 0) return `No other upstream of ${pool.name} serves. Requests go to ${countOf(backups, "backup")}.`;
  return `No other upstream of ${pool.name} serves. Its requests will fail.`;
}

/** Such as `2 of 3 upstreams stay. Each takes 50 % more requests.` */
function remainNote(before: readonly UpstreamOverview[], after: readonly UpstreamOverview[]): string {
  const more = totalWeight(before) / totalWeight(after) - 1;
  const stay = `${after.length} of ${countOf(before.length, "upstream")} ${after.length === 1 ? "stays" : "stay"}.`;
  return `${stay} ${after.length === 1 ? "It takes" : "Each takes"} about ${formatRatio(more)} more requests.`;
}

function inFlightNote({ inFlight, tunnels }: UpstreamOverview, action: "drain" | "disable" | "remove"): string {
  const parts = [inFlight > 0 ? countOf(inFlight, "request") : "", tunnels > 0 ? countOf(tunnels, "tunnel") : ""];
  const text = parts.filter((part) => part !== "").join(" and ");
  if (text === "") return "";
  return action === "disable" ? `${text} in flight are finished.` : `It drains first: ${text} in flight are finished.`;
}

function totalWeight(upstreams: readonly UpstreamOverview[]): number {
  return upstreams.reduce((sum, { effectiveWeight }) => sum + effectiveWeight, 0);
}

function share(weight: number, others: readonly UpstreamOverview[]): number {
  return weight === 0 ? 0 : weight / (totalWeight(others) + weight);
}
