import { Resolver } from "node:dns/promises";

export interface AddressRecord {
  readonly address: string;
  /** In seconds. */
  readonly ttl: number;
}

/** An SRV record. Node does not report its TTL. */
export interface ServiceRecord {
  /** The host of the service; empty when the service is not available (RFC 2782). */
  readonly name: string;
  readonly port: number;
  readonly priority: number;
  readonly weight: number;
}

/** Queries DNS for records of one type. Rejects with an error that has one of Node's DNS codes. */
export interface DnsClient {
  addresses(name: string, family: 4 | 6): Promise<readonly AddressRecord[]>;
  services(name: string): Promise<readonly ServiceRecord[]>;
}

/** Creates the client of one lookup. Its queries fail once the signal is aborted. */
export type OpenDns = (servers: readonly string[] | undefined, signal: AbortSignal) => DnsClient;

/** Milliseconds that a server has to answer the first query; for the second and last one it has twice as long. */
const tryMs = 1_000;

/**
 * Queries the given servers, or else the system's, which each new client reads again. Queries use c-ares, and no thread of
 * libuv's pool. A query with a truncated answer is repeated over TCP; a DNS message of at most 65,535 bytes has room for some
 * 4,000 records. A lookup in flight keeps the process alive, since Node's sockets to DNS servers cannot be unreferenced.
 */
export const openNodeDns: OpenDns = (servers, signal) => {
  const resolver = new Resolver({ timeout: tryMs, tries: 2 });
  if (servers !== undefined) resolver.setServers(servers);
  signal.addEventListener("abort", () => resolver.cancel(), { once: true });
  const query = async <T>(send: () => Promise<T>): Promise<T> => {
    if (signal.aborted) throw Object.assign(new Error("the lookup is over"), { code: "ECANCELLED" });
    return await send();
  };
  return {
    addresses: async (name, family) => {
      const resolve = () =>
        family === 4 ? resolver.resolve4(name, { ttl: true }) : resolver.resolve6(name, { ttl: true });
      return withTtls(await query(resolve));
    },
    services: (name) => query(() => resolver.resolveSrv(name)),
  };
};

/** Node reports the TTLs of the first 256 addresses only. The others get the shortest of these. */
function withTtls(records: readonly AddressRecord[]): readonly AddressRecord[] {
  const ttls = records.map(({ ttl }) => ttl as number | undefined).filter((ttl) => ttl !== undefined);
  if (ttls.length === records.length) return records;
  const shortest = Math.min(...ttls);
  return records.map(({ address, ttl = shortest }) => ({ address, ttl }));
}
