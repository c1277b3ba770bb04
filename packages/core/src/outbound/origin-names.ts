import { ProxyError } from "../errors.ts";
import type { Pool } from "../pool/pool.ts";

/**
 * The hosts in URLs that mean a pool: its name, with or without `.pool` behind it, and those that the app has named.
 *
 * They are names and no more: the pool has the addresses, the ports and whether it is TLS. All else is refused, so that
 * a redirect to somebody else, which `fetch` follows by itself, is never sent to this pool instead.
 */
export class OriginNames {
  /** In front of a path that is given alone. */
  readonly base: string;
  readonly #hosts: ReadonlySet<string>;

  constructor(poolName: string, others: readonly string[]) {
    const name = `${poolName.toLowerCase()}.pool`;
    this.base = URL.canParse(`http://${name}`) ? `http://${name}` : "http://upstreams.pool";
    this.#hosts = new Set([poolName.toLowerCase(), name, new URL(this.base).host, ...others.map(hostOf)]);
  }

  /** Throws a `ProxyError` for an origin that is not the pool's. An upstream may name itself in a redirect. */
  check(origin: string | URL | undefined, pool: Pool): void {
    if (origin === undefined) return;
    const host = hostOf(String(origin));
    if (this.#hosts.has(host) || pool.upstreams.some(({ address }) => address.host.toLowerCase() === host)) return;
    throw new ProxyError("no_route", `${String(origin)} is no name of the pool "${pool.name}"`);
  }
}

/** With its port, unless that is the scheme's own. */
function hostOf(origin: string): string {
  return URL.canParse(origin) ? new URL(origin).host : origin.toLowerCase();
}
