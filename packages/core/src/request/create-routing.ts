import { AffinityCookie } from "../attempts/affinity-cookie.ts";
import type { ResolvedOptions } from "../config/resolved.ts";
import { TrustedProxies } from "./client-address.ts";
import { keyReaderOf } from "./hash-key.ts";
import type { Destination } from "./route-match.ts";
import type { Routing } from "./routing.ts";

type BalancedPool = Pick<Destination, "pool" | "balancer">;

/** Builds the routing from checked options and the pools that exist for them. */
export function createRouting(resolved: ResolvedOptions, balanced: ReadonlyMap<string, BalancedPool>): Routing {
  const { routes, trustedProxies, forwarded, maxHeaders, pools } = resolved;
  const { requestBodyTimeoutMs, requestBodyMinRate, sendTimeoutMs } = resolved;
  const hasBasePath = [...pools.values()].some(({ upstreams }) =>
    upstreams.some(({ address }) => address.basePath !== ""),
  );
  const destinations = new Map([...balanced].map(([name, one]) => [name, toDestination(one)]));
  return Object.freeze({
    // The options were checked: the pool of every route exists.
    routes: routes.map((options) => ({ options, ...(destinations.get(options.pool) as Destination) })),
    pools: destinations,
    trustedProxies: new TrustedProxies(trustedProxies),
    forwarded,
    maxHeaders,
    requestBodyTimeoutMs,
    requestBodyMinRate,
    sendTimeoutMs,
    pathsMatter: hasBasePath || routes.some(({ path, addPrefix }) => path !== "" || addPrefix !== ""),
  });
}

function toDestination({ pool, balancer }: BalancedPool): Destination {
  const { sticky } = pool.options;
  return { pool, balancer, keyOf: keyReaderOf(pool.options), sticky: sticky && new AffinityCookie(pool, sticky) };
}
