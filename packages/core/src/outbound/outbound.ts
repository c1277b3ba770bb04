import type { Dispatcher } from "undici";
import { Balancer } from "../balancer/balancer.ts";
import { didYouMean, OptionsError } from "../config/issues.ts";
import type { Pool } from "../pool/pool.ts";
import { type Runtime, resolveRuntime } from "../runtime/runtime.ts";
import { OriginNames } from "./origin-names.ts";
import { type OutboundContext, PoolDispatcher } from "./pool-dispatcher.ts";
import { fetchThrough } from "./pool-fetch.ts";

export interface OutboundOptions {
  /** URL hosts that stand for this pool, such as `"api.example.com"`, besides its name with and without `.pool`. */
  readonly hosts?: readonly string[];
}

/** Sends requests of the app to a pool. They are balanced, limited, retried and counted together with proxied requests. */
export interface Outbound {
  /**
   * Like the global `fetch`, but to an upstream of the pool. Accepts paths as well as URLs; the host of a URL is only a name.
   * Rejects with a `TypeError` whose cause is a `ProxyError` when no upstream has responded.
   */
  fetch(input: string | URL | Request, init?: RequestInit): Promise<Response>;
  /** For undici, and for `fetch(url, { dispatcher })` of Node. */
  readonly dispatcher: Dispatcher;
}

/**
 * Creates an `Outbound` for a pool without a proxy. Default of `balancer`: a new one with the pool's policy.
 *
 * @example
 * const pool = new Pool("api", { upstreams: ["http://127.0.0.1:3001", "http://127.0.0.1:3002"] });
 * const { fetch } = outbound(pool);
 * const users = await (await fetch("/users")).json();
 */
export function outbound(
  pool: Pool,
  { balancer, hosts, ...surroundings }: OutboundOptions & { readonly balancer?: Balancer } & Partial<Runtime> = {},
): Outbound {
  const runtime = resolveRuntime(surroundings);
  const to = { pool, balancer: balancer ?? new Balancer(pool, {}, runtime) };
  return createOutbound(pool.name, { runtime, to: () => to }, { ...(hosts !== undefined && { hosts }) });
}

/** Creates an `Outbound` that looks up its pool at each request, so that it follows reloads. */
export function createOutbound(poolName: string, context: OutboundContext, { hosts = [] }: OutboundOptions): Outbound {
  const names = new OriginNames(poolName, hosts);
  const dispatcher = new PoolDispatcher(context, names);
  return { dispatcher, fetch: (input, init) => fetchThrough(dispatcher, names.base, input, init) };
}

export function unknownPoolError(name: string, pools: readonly string[]): OptionsError {
  return new OptionsError([{ path: ["pool"], message: `there is no pool "${name}"${didYouMean(name, pools)}` }]);
}
