import type { Duration } from "./options.ts";

/** Members found in DNS, beside those that are listed. */
export interface DiscoveryOptions {
  /** "dns" for A and AAAA records, "srv" for SRV records with their ports, weights and priorities. Default: "dns". */
  readonly type?: "dns" | "srv";
  /** The name to look up. */
  readonly name: string;
  /** The port of members found by "dns". Default: that of the scheme, 80 or 443. */
  readonly port?: number;
  /** How members are spoken to. Default: "http". */
  readonly scheme?: "http" | "https";
  /** The longest time between lookups; a shorter TTL looks up sooner, but not twice in a second. Default: "30s". */
  readonly refresh?: Duration;
  /** How long members stay after NXDOMAIN or an empty answer; after every other failure they stay. Default: "30s". */
  readonly hold?: Duration;
  /** The addresses to use: of both kinds, of IPv4 alone or of IPv6 alone. Default: "any". */
  readonly family?: "any" | "4" | "6";
  /** DNS servers to ask, as "address" or "address:port". Default: the system's. */
  readonly servers?: readonly string[];
}
