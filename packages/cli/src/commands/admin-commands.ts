/** The commands that use the admin API of a running proxy. */

import type { ReloadChanges, UpstreamSnapshot, UpstreamState } from "evenkeel";
import { type AdminClientOptions, callAdmin } from "../admin-client.ts";
import { Failure } from "../failure.ts";
import { limits } from "../limits.ts";
import { printJson, printLines } from "../table.ts";

/** The admin API to use, and how to print the result. */
export interface AdminCommandOptions extends AdminClientOptions {
  readonly json?: boolean;
}

interface StateOptions extends AdminCommandOptions {
  /** How long tunnels may stay open. */
  readonly timeout?: string;
}

/** Sets the weight of an upstream. */
export async function weight(target: string, text: string, options: AdminCommandOptions): Promise<void> {
  if (!/^\d+$/.test(text)) {
    throw new Failure(`expected a whole number as the weight, found ${JSON.stringify(text)}`, "bad_argument");
  }
  const changed = await change(target, { weight: Number(text) }, options);
  print(options, changed, `${target} has weight ${changed.weight}`);
}

/** Activates, drains or disables an upstream. */
export async function setState(target: string, state: UpstreamState, options: StateOptions): Promise<void> {
  const { timeout } = options;
  const changed = await change(target, { state, ...(timeout !== undefined && { timeout }) }, options);
  const tunnels = changed.tunnels === 0 ? "" : ` and ${changed.tunnels} tunnels open`;
  print(options, changed, `${target} is ${changed.state}, with ${changed.inFlight} requests in flight${tunnels}`);
}

/** Reloads the configuration file of the proxy. */
export async function reload(options: AdminCommandOptions): Promise<void> {
  const changes = await callAdmin<ReloadChanges>(options, "POST", "/api/reload", { body: {} });
  // The other commands of this file start faster without the library.
  const { describeChanges } = await import("evenkeel");
  print(options, changes, `reloaded: ${describeChanges(changes)}`);
}

/** Replaces the running process in place. */
export async function restart(options: AdminCommandOptions): Promise<void> {
  const call = { body: {}, timeoutMs: limits.restartCallMs };
  const { pid } = await callAdmin<{ pid: number }>(options, "POST", "/api/restart", call);
  print(options, { pid }, `restarted: the new process has pid ${pid}`);
}

function change(target: string, body: object, options: AdminCommandOptions): Promise<UpstreamSnapshot> {
  const slash = target.indexOf("/");
  if (slash <= 0 || slash === target.length - 1) {
    throw new Failure(`expected POOL/UPSTREAM, found ${JSON.stringify(target)}`, "bad_argument");
  }
  const [pool, upstream] = [target.slice(0, slash), target.slice(slash + 1)].map(encodeURIComponent);
  return callAdmin(options, "PATCH", `/api/pools/${pool}/upstreams/${upstream}`, { body });
}

/** Prints the result of a change: the response of the admin API for programs, or a line. */
function print({ json }: AdminCommandOptions, result: object, line: string): void {
  if (json === true) printJson(result);
  else printLines([line]);
}
