/** The commands that speak to a running proxy's admin API. */

import type { PoolSnapshot, ReloadChanges, UpstreamSnapshot, UpstreamState } from "evenkeel";
import { callAdmin, type RemoteOptions } from "../admin-client.ts";
import { Failure } from "../failure.ts";
import { describeChanges } from "../log/proxy-events.ts";
import { print, toTable } from "../table.ts";

interface StateOptions extends RemoteOptions {
  /** How long tunnels may go on. */
  readonly timeout?: string;
}

/** Prints every pool with its upstreams. */
export async function status(options: RemoteOptions): Promise<void> {
  const { pools } = await callAdmin<{ pools: PoolSnapshot[] }>(options, "GET", "/api/pools");
  const header = ["UPSTREAM", "STATE", "HEALTH", "WEIGHT", "IN FLIGHT", "TUNNELS", "P50 MS", "URL"];
  const rows = pools.flatMap((pool) => pool.upstreams.map((upstream) => toRow(pool.name, upstream)));
  print(toTable([header, ...rows]));
}

/** Gives an upstream another weight. */
export async function weight(target: string, text: string, options: RemoteOptions): Promise<void> {
  if (!/^\d+$/.test(text)) throw new Failure(`expected a whole number as the weight, found ${JSON.stringify(text)}`);
  const changed = await change(target, { weight: Number(text) }, options);
  print([`${target} has weight ${changed.weight}`]);
}

/** Lets an upstream take requests, finish, or rest. */
export async function setState(target: string, state: UpstreamState, options: StateOptions): Promise<void> {
  const { timeout } = options;
  const changed = await change(target, { state, ...(timeout !== undefined && { timeout }) }, options);
  const tunnels = changed.tunnels === 0 ? "" : ` and ${changed.tunnels} tunnels open`;
  print([`${target} is ${changed.state}, with ${changed.inFlight} requests in flight${tunnels}`]);
}

/** Lets the proxy load its configuration file again. */
export async function reload(options: RemoteOptions): Promise<void> {
  print([`reloaded: ${describeChanges(await callAdmin<ReloadChanges>(options, "POST", "/api/reload", {}))}`]);
}

function change(target: string, body: object, options: RemoteOptions): Promise<UpstreamSnapshot> {
  const slash = target.indexOf("/");
  if (slash <= 0 || slash === target.length - 1) {
    throw new Failure(`expected POOL/UPSTREAM, found ${JSON.stringify(target)}`);
  }
  const [pool, upstream] = [target.slice(0, slash), target.slice(slash + 1)].map(encodeURIComponent);
  return callAdmin(options, "PATCH", `/api/pools/${pool}/upstreams/${upstream}`, body);
}

function toRow(pool: string, upstream: UpstreamSnapshot): string[] {
  const { id, url, health, inFlight, tunnels, quantiles } = upstream;
  return [
    `${pool}/${id}`,
    toState(upstream),
    health,
    toWeight(upstream),
    String(inFlight),
    String(tunnels),
    quantiles.p50 === null ? "-" : quantiles.p50.toFixed(1),
    url,
  ];
}

/** What an operator wants of it; when that is to serve, what keeps it from that. */
function toState({ state, available, ejectedUntil, onTrial }: UpstreamSnapshot): string {
  if (state !== "active") return state;
  if (onTrial) return "on trial";
  if (ejectedUntil !== null) return `ejected until ${new Date(ejectedUntil).toISOString().slice(11, 19)}Z`;
  return available ? state : "unavailable";
}

/** As in `3`, or `0.75 of 3` while slow start, feedback or its own word leave it less than its own. */
function toWeight({ weight, effectiveWeight }: UpstreamSnapshot): string {
  if (effectiveWeight === weight) return String(weight);
  return `${Math.round(effectiveWeight * 1_000) / 1_000} of ${weight}`;
}
