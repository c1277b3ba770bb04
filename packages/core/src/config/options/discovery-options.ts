import type { Duration } from "../options.ts";

/** Discovery: upstreams found in DNS, in addition to those in `upstreams`. */
export interface DiscoveryOptions {
  /** "dns" uses A and AAAA records, "srv" uses SRV records with their ports, weights and priorities. Default: "dns". */
  readonly type?: "dns" | "srv";
  /** The fully qualified name to look up. The hosts file and search domains are not used. */
  readonly name: string;
  /** The port of the upstreams. An error with "srv", whose records contain the ports. Default: the port of the scheme, 80 or 443. */
  readonly port?: number;
  /** The scheme of the upstreams. Default: "http". */
  readonly scheme?: "http" | "https";
  /** The longest time between two lookups. A shorter TTL shortens it, down to one second. Default: "30s". */
  readonly refresh?: Duration;
  /** How long upstreams stay after NXDOMAIN or a response without records. After any other failure they stay. Default: "30s". */
  readonly hold?: Duration;
  /** The address family: "4" uses IPv4 addresses only, "6" uses IPv6 addresses only. Default: "any". */
  readonly family?: "any" | "4" | "6";
  /** The DNS servers, as "address" or "address:port". Default: the system's. */
  readonly servers?: readonly string[];
}
