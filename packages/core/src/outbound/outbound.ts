import type { Dispatcher } from "undici";
import { Balancer } from "../balancer/balancer.ts";
import { didYouMean, OptionsError } from "../config/issues.ts";
import type { Pool } from "../pool/pool.ts";
import { type Runtime, resolveRuntime } from "../runtime/runtime.ts";
import { OriginNames } from "./origin-names.ts";
import { type OutboundHost, PoolDispatcher } from "./pool-dispatcher.ts";
import { fetchBy } from "./pool-fetch.ts";

export interface OutboundOptions {
  /** Hosts in URLs that mean this pool, such as `"api.example.com"`, beside its name with and without `.pool`. */
  readonly hosts?: readonly string[];
}

/** A pool for requests of the app's own: balanced, limited, retried and counted with those that a proxy forwards. */
export interface Outbound {
  /**
   * Like the global `fetch`, to an upstream of the pool. A path will do for a URL; the host of a URL is only a name.
   * Rejects with a `TypeError` whose cause is a `ProxyError` when no upstream has answered.
   */
  fetch(input: string | URL | Request, init?: RequestInit): Promise<Response>;
  /** For undici and for Node's own `fetch(url, { dispatcher })`. */
  readonly dispatcher: Dispatcher;
}

/**
 * Makes an `Outbound` of a pool without a proxy. `balancer` is by default a new one, with the pool's policy.
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

/** Makes one for whatever the host says when a request is sent. */
export function createOutbound(poolName: string, host: OutboundHost, { hosts = [] }: OutboundOptions): Outbound {
  const names = new OriginNames(poolName, hosts);
  const dispatcher = new PoolDispatcher(host, names);
  return { dispatcher, fetch: (input, init) => fetchBy(dispatcher, names.base, input, init) };
}

export function noSuchPool(name: string, pools: readonly string[]): OptionsError {
  return new OptionsError([{ path: ["pool"], message: `there is no pool "${name}"${didYouMean(name, pools)}` }]);
}
