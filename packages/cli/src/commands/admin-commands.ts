/** The commands that use the admin API of a running proxy. */

import type { WorkerSnapshot } from "@evenkeel/admin";
import type { PoolSnapshot, ReloadChanges, UpstreamSnapshot, UpstreamState } from "evenkeel";
import { type AdminClientOptions, callAdmin } from "../admin-client.ts";
import { Failure } from "../failure.ts";
import { limits } from "../limits.ts";
import { formatTable, printLines } from "../table.ts";
import { formatWorkers } from "./worker-table.ts";

interface StateOptions extends AdminClientOptions {
  /** How long tunnels may stay open. */
  readonly timeout?: string;
}

/** Prints every pool with its upstreams, and the workers if there are any. */
export async function status(options: AdminClientOptions): Promise<void> {
  const { pools } = await callAdmin<{ pools: PoolSnapshot[] }>(options, "GET", "/api/pools");
  const workers = await workersOf(options);
  const header = ["UPSTREAM", "STATE", "HEALTH", "WEIGHT", "IN FLIGHT", "TUNNELS", "P50 MS", "URL"];
  const rows = pools.flatMap((pool) => pool.upstreams.map((upstream) => toRow(pool.name, upstream, workers.length)));
  const lines = formatTable([header, ...rows]);
  printLines(workers.length === 0 ? lines : [...lines, "", ...formatWorkers(workers, Date.now())]);
}

/** Sets the weight of an upstream. */
export async function weight(target: string, text: string, options: AdminClientOptions): Promise<void> {
  if (!/^\d+$/.test(text)) throw new Failure(`expected a whole number as the weight, found ${JSON.stringify(text)}`);
  const changed = await change(target, { weight: Number(text) }, options);
  printLines([`${target} has weight ${changed.weight}`]);
}

/** Activates, drains or disables an upstream. */
export async function setState(target: string, state: UpstreamState, options: StateOptions): Promise<void> {
  const { timeout } = options;
  const changed = await change(target, { state, ...(timeout !== undefined && { timeout }) }, options);
  const tunnels = changed.tunnels === 0 ? "" : ` and ${changed.tunnels} tunnels open`;
  printLines([`${target} is ${changed.state}, with ${changed.inFlight} requests in flight${tunnels}`]);
}

/** Reloads the configuration file of the proxy. */
export async function reload(options: AdminClientOptions): Promise<void> {
  const changes = await callAdmin<ReloadChanges>(options, "POST", "/api/reload", { body: {} });
  // The other commands of this file start faster without the library.
  const { describeChanges } = await import("evenkeel");
  printLines([`reloaded: ${describeChanges(changes)}`]);
}

/** Replaces the running process in place. */
export async function restart(options: AdminClientOptions): Promise<void> {
  const call = { body: {}, timeoutMs: limits.restartCallMs };
  const { pid } = await callAdmin<{ pid: number }>(options, "POST", "/api/restart", call);
  printLines([`restarted: the new process has pid ${pid}`]);
}

/** Empty for a proxy of one process. A proxy that has run since before an upgrade of this command may not know workers. */
async function workersOf(options: AdminClientOptions): Promise<readonly WorkerSnapshot[]> {
  try {
    const { workers = [] } = await callAdmin<{ workers?: readonly WorkerSnapshot[] }>(options, "GET", "/api/workers");
    return workers;
  } catch {
    return [];
  }
}

function change(target: string, body: object, options: AdminClientOptions): Promise<UpstreamSnapshot> {
  const slash = target.indexOf("/");
  if (slash <= 0 || slash === target.length - 1) {
    throw new Failure(`expected POOL/UPSTREAM, found ${JSON.stringify(target)}`);
  }
  const [pool, upstream] = [target.slice(0, slash), target.slice(slash + 1)].map(encodeURIComponent);
  return callAdmin(options, "PATCH", `/api/pools/${pool}/upstreams/${upstream}`, { body });
}

function toRow(pool: string, upstream: UpstreamSnapshot, workers: number): string[] {
  const { id, url, health, inFlight, tunnels, quantiles } = upstream;
  return [
    `${pool}/${id}`,
    toState(upstream, workers),
    health,
    toWeight(upstream),
    String(inFlight),
    String(tunnels),
    quantiles.p50 === null ? "-" : quantiles.p50.toFixed(1),
    url,
  ];
}

/** Returns the state that an operator has set; for an active upstream that is not available, the reason. */
function toState(
  { state, available, ejectedUntil, ejectedIn = 0, onTrial }: UpstreamSnapshot,
  workers: number,
): string {
  if (state !== "active") return state;
  if (ejectedIn > 0 && workers > 0) return `ejected in ${ejectedIn} of ${workers} workers`;
  if (onTrial) return "on trial";
  if (ejectedUntil !== null) return `ejected until ${new Date(ejectedUntil).toISOString().slice(11, 19)}Z`;
  return available ? state : "unavailable";
}

/** As in `3`, or `0.75 of 3` while slow start, feedback or its announced load changes the weight. */
function toWeight({ weight, effectiveWeight }: UpstreamSnapshot): string {
  if (effectiveWeight === weight) return String(weight);
  return `${Math.round(effectiveWeight * 1_000) / 1_000} of ${weight}`;
}
