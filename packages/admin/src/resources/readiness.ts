import type { DiscoverySnapshot, PoolSnapshot, ProxySnapshot } from "evenkeel";
import { type Answer, json } from "../http/response.ts";

interface Reason {
  readonly code: "draining" | "none_available" | "panic" | "unknown_pool" | "no_pools";
  readonly pool?: string;
  readonly message: string;
}

/**
 * 200 while the proxy is worth sending requests to, else 503. In both cases the body lists every pool in trouble.
 *
 * One pool without an upstream does not make a proxy unready: an orchestrator would take every replica out of service, and
 * with them the pools that serve. 503 means draining, no pool that serves, or a pool of `required` that does not.
 */
export function readiness({ draining, pools }: ProxySnapshot, required: readonly string[]): Answer {
  const unknown = required.filter((name) => !pools.some((pool) => pool.name === name));
  const reasons: readonly Reason[] = [
    ...(draining ? [{ code: "draining" as const, message: "the proxy is draining" }] : []),
    ...(pools.length === 0 ? [{ code: "no_pools" as const, message: "no pool is configured" }] : []),
    ...pools.flatMap(troubleOf),
    ...unknown.map((pool) => ({ code: "unknown_pool" as const, pool, message: `there is no pool "${pool}"` })),
  ];
  const serves = pools.some(({ serving }) => serving);
  const requiredServe = pools.every(({ name, serving }) => serving || !required.includes(name));
  const ready = !draining && serves && requiredServe && unknown.length === 0;
  return json(ready ? 200 : 503, { ready, reasons });
}

function troubleOf({ name: pool, serving, panic, discovery }: PoolSnapshot): readonly Reason[] {
  if (!serving) {
    const message = `pool "${pool}" has no available upstream${discovery === null ? "" : because(discovery)}`;
    return [{ code: "none_available", pool, message }];
  }
  if (!panic) return [];
  const message = `pool "${pool}" has no available upstream; its unhealthy and ejected upstreams get the requests (panic)`;
  return [{ code: "panic", pool, message }];
}

/** What of it is due to DNS. */
function because({ name, status, lastError }: DiscoverySnapshot): string {
  if (status === "awaited") return `: ${name} is being looked up`;
  return status === "failing" ? `: looking up ${name} fails (${lastError?.reason})` : "";
}
