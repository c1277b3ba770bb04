import { isIPv6 } from "node:net";
import type { ResolvedDiscovery, ResolvedUpstream } from "../config/resolved.ts";
import { defaultUpstreamId } from "../config/upstream-url.ts";

/** Returns the options of an upstream at an address. Its `Host` is the name that was looked up, not the address. */
export function toDiscoveredUpstream(
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
