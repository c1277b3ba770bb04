import { ProxyError } from "../errors.ts";
import type { Pool } from "../pool/pool.ts";

/**
 * The URL hosts that stand for a pool: its name, with or without the suffix `.pool`, and the `hosts` option.
 *
 * They are names only: addresses, ports and TLS come from the pool. All other hosts are refused, so that a redirect to
 * another server, which `fetch` follows by itself, is never sent to this pool.
 */
export class OriginNames {
  /** The base URL of relative paths. */
  readonly base: string;
  readonly #hosts: ReadonlySet<string>;

  constructor(poolName: string, others: readonly string[]) {
    const name = `${poolName.toLowerCase()}.pool`;
    this.base = URL.canParse(`http://${name}`) ? `http://${name}` : "http://upstreams.pool";
    this.#hosts = new Set([poolName.toLowerCase(), name, new URL(this.base).host, ...others.map(hostOf)]);
  }

  /** Throws a `ProxyError` for any other origin, except an upstream's own address, which may appear in a redirect. */
  check(origin: string | URL | undefined, pool: Pool): void {
    if (origin === undefined) return;
    const host = hostOf(String(origin));
    if (this.#hosts.has(host) || pool.upstreams.some(({ address }) => address.host.toLowerCase() === host)) return;
    throw new ProxyError("no_route", `${String(origin)} is not a host of the pool "${pool.name}"`);
  }
}

/** Includes the port, unless it is the default of the scheme. */
function hostOf(origin: string): string {
  return URL.canParse(origin) ? new URL(origin).host : origin.toLowerCase();
}
