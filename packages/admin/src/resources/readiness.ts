import type { DiscoverySnapshot, PoolSnapshot, ProxySnapshot } from "evenkeel";
import { type AdminResponse, json } from "../http/response.ts";
import type { AdminOptions } from "../options.ts";

interface Reason {
  readonly code: "starting" | "draining" | "none_available" | "panic" | "unknown_pool" | "no_pools";
  readonly pool?: string;
  readonly message: string;
}

/**
 * Creates the resource /readyz. It returns 200 while the proxy is ready for requests, else 503. In both cases the body lists
 * every pool with a problem.
 *
 * One pool without an available upstream does not make the proxy unready: an orchestrator would take every replica out of
 * service, and with them the pools that serve. 503 means: the proxy starts or drains, no pool serves, or a `required` pool does
 * not.
 */
export function createReadiness(
  snapshotOf: () => Promise<ProxySnapshot>,
  options: AdminOptions,
): () => Promise<AdminResponse> {
  return async () => {
    const snapshot = await snapshotOf();
    const draining = snapshot.draining || options.draining?.() === true;
    const state = { starting: options.starting?.() === true, draining };
    return readiness(state, snapshot.pools, options.readyPools ?? []);
  };
}

function readiness(
  { starting, draining }: { readonly starting: boolean; readonly draining: boolean },
  pools: readonly PoolSnapshot[],
  required: readonly string[],
): AdminResponse {
  const unknown = required.filter((name) => !pools.some((pool) => pool.name === name));
  const reasons: readonly Reason[] = [
    ...(starting ? [{ code: "starting" as const, message: "connections are not served yet" }] : []),
    ...(draining ? [{ code: "draining" as const, message: "the proxy is draining" }] : []),
    ...(pools.length === 0 ? [{ code: "no_pools" as const, message: "no pool is configured" }] : []),
    ...pools.flatMap(poolReasons),
    ...unknown.map((pool) => ({ code: "unknown_pool" as const, pool, message: `there is no pool "${pool}"` })),
  ];
  const serves = pools.some(({ serving }) => serving);
  const requiredServe = pools.every(({ name, serving }) => serving || !required.includes(name));
  const ready = !starting && !draining && serves && requiredServe && unknown.length === 0;
  return json(ready ? 200 : 503, { ready, reasons });
}

function poolReasons({ name: pool, serving, panic, discovery }: PoolSnapshot): readonly Reason[] {
  if (!serving) {
    const message = `pool "${pool}" has no available upstream${discovery === null ? "" : describeDiscovery(discovery)}`;
    return [{ code: "none_available", pool, message }];
  }
  if (!panic) return [];
  const message = `pool "${pool}" has no available upstream; its unhealthy and ejected upstreams get the requests (panic)`;
  return [{ code: "panic", pool, message }];
}

/** Returns the part of the message that DNS discovery causes. */
function describeDiscovery({ name, status, lastError }: DiscoverySnapshot): string {
  if (status === "awaited") return `: ${name} is being looked up`;
  return status === "failing" ? `: looking up ${name} fails (${lastError?.reason})` : "";
}
