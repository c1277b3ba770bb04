/** The commands that speak to a running proxy's admin API. */

import type { PoolSnapshot, ReloadChanges, UpstreamSnapshot, UpstreamState } from "evenkeel";
import { Failure, reasonOf } from "../failure.ts";
import { limits } from "../limits.ts";
import { toSafeText } from "../log/escape.ts";
import { describeChanges } from "../log/proxy-events.ts";

/** Which proxy, and what opens it. */
export interface RemoteOptions {
  /** The URL of its admin API. */
  readonly admin: string;
  readonly token?: string;
}

/** Prints every pool with its upstreams. */
export async function status(options: RemoteOptions): Promise<void> {
  const { pools } = await call<{ pools: PoolSnapshot[] }>(options, "GET", "/api/pools");
  const header = ["UPSTREAM", "STATE", "HEALTH", "WEIGHT", "IN FLIGHT", "P50 MS", "URL"];
  const rows = pools.flatMap((pool) => pool.upstreams.map((upstream) => toRow(pool.name, upstream)));
  print(toTable([header, ...rows]));
}

/** Gives an upstream another weight. */
export async function weight(target: string, text: string, options: RemoteOptions): Promise<void> {
  if (!/^\d{1,3}$/.test(text)) throw new Failure(`expected a weight from 0 to 256, found ${JSON.stringify(text)}`);
  const changed = await change(target, { weight: Number(text) }, options);
  print([`${target} has weight ${changed.weight}`]);
}

/** Lets an upstream take requests, finish, or rest. */
export async function setState(target: string, state: UpstreamState, options: RemoteOptions): Promise<void> {
  const changed = await change(target, { state }, options);
  print([`${target} is ${changed.state}, with ${changed.inFlight} requests in flight`]);
}

/** Lets the proxy load its configuration file again. */
export async function reload(options: RemoteOptions): Promise<void> {
  print([`reloaded: ${describeChanges(await call<ReloadChanges>(options, "POST", "/api/reload", {}))}`]);
}

function change(target: string, body: object, options: RemoteOptions): Promise<UpstreamSnapshot> {
  const slash = target.indexOf("/");
  if (slash <= 0 || slash === target.length - 1) {
    throw new Failure(`expected POOL/UPSTREAM, found ${JSON.stringify(target)}`);
  }
  const [pool, upstream] = [target.slice(0, slash), target.slice(slash + 1)].map(encodeURIComponent);
  return call(options, "PATCH", `/api/pools/${pool}/upstreams/${upstream}`, body);
}

async function call<T>({ admin, token }: RemoteOptions, method: string, path: string, body?: object): Promise<T> {
  const response = await ask(urlOf(admin, path), {
    method,
    headers: {
      accept: "application/json",
      ...(body !== undefined && { "content-type": "application/json" }),
      ...(token !== undefined && token !== "" && { authorization: `Bearer ${token}` }),
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
    redirect: "error",
    signal: AbortSignal.timeout(limits.adminCallMs),
  });
  const answer = parse(await response.text().catch((error: unknown) => throwUnreachable(admin, error)));
  if (response.ok) return answer as T;
  const { message } = (answer as { error?: { message?: unknown } } | undefined)?.error ?? {};
  const hint = response.status === 401 ? " (see --token)" : "";
  throw new Failure(`${typeof message === "string" ? message : `the answer is ${response.status}`}${hint}`);

  async function ask(url: URL, init: RequestInit): Promise<Response> {
    try {
      return await fetch(url, init);
    } catch (error) {
      return throwUnreachable(admin, error);
    }
  }
}

function urlOf(admin: string, path: string): URL {
  try {
    const base = new URL(admin.includes("://") ? admin : `http://${admin}`);
    base.pathname = `${base.pathname.replace(/\/$/, "")}${path}`;
    return base;
  } catch {
    throw new Failure(`expected the URL of an admin API, found ${JSON.stringify(admin)}`);
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new Failure("the answer is not that of an admin API; does --admin name the right port?");
  }
}

function throwUnreachable(admin: string, error: unknown): never {
  const { cause = error } = error as Error;
  throw new Failure(`cannot reach the admin API at ${admin}: ${reasonOf(cause)}`);
}

function toRow(pool: string, upstream: UpstreamSnapshot): string[] {
  const { id, url, state, health, inFlight, available, quantiles } = upstream;
  return [
    `${pool}/${id}`,
    available || state !== "active" ? state : "unavailable",
    health,
    String(upstream.weight),
    String(inFlight),
    quantiles.p50 === null ? "-" : quantiles.p50.toFixed(1),
    url,
  ];
}

function toTable(rows: readonly string[][]): string[] {
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0))) ?? [];
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join("  ")
      .trimEnd(),
  );
}

function print(lines: readonly string[]): void {
  process.stdout.write(`${lines.map(toSafeText).join("\n")}\n`);
}
