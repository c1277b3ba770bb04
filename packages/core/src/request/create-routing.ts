import { AffinityCookie } from "../attempts/affinity-cookie.ts";
import type { ResolvedOptions } from "../config/resolved.ts";
import { TrustedProxies } from "./client-address.ts";
import { keyReaderOf } from "./hash-key.ts";
import type { Destination } from "./route-match.ts";
import type { Routing } from "./routing.ts";

type ManagedPool = Pick<Destination, "pool" | "balancer">;

/** What checked options mean for a request, with the pools that are at work for them. */
export function createRouting(resolved: ResolvedOptions, atWork: ReadonlyMap<string, ManagedPool>): Routing {
  const { routes, trustedProxies, forwarded, maxHeaders, pools } = resolved;
  const { requestBodyTimeoutMs, requestBodyMinRate, sendTimeoutMs } = resolved;
  const hasBasePath = [...pools.values()].some(({ upstreams }) =>
    upstreams.some(({ address }) => address.basePath !== ""),
  );
  const destinations = new Map([...atWork].map(([name, one]) => [name, toDestination(one)]));
  return Object.freeze({
    // Every route's pool exists, or the options would not have passed.
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

function toDestination({ pool, balancer }: ManagedPool): Destination {
  const { sticky } = pool.options;
  return { pool, balancer, keyOf: keyReaderOf(pool.options), sticky: sticky && new AffinityCookie(pool, sticky) };
}
