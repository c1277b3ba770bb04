import { isIPv6 } from "node:net";
import type { ResolvedDiscovery, ResolvedUpstream } from "../config/resolved.ts";
import { defaultUpstreamId } from "../config/upstream-url.ts";

/** The options of a member with that address. It is asked by the name that led to it, as a browser would. */
export function toFoundUpstream(
  hostname: string,
  port: number,
  { weight, tier }: { readonly weight: number; readonly tier: number },
  { scheme, domain }: ResolvedDiscovery,
): ResolvedUpstream {
  const tls = scheme === "https";
  const host = port === (tls ? 443 : 80) ? domain : `${domain}:${port}`;
  const address = Object.freeze({ tls, hostname, port, socketPath: undefined, host, basePath: "" });
  return Object.freeze({
    id: defaultUpstreamId(address),
    url: `${scheme}://${isIPv6(hostname) ? `[${hostname}]` : hostname}:${port}`,
    address,
    weight,
    tier,
    maxInFlight: Infinity,
  });
}
