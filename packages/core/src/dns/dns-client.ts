import { Resolver } from "node:dns/promises";

export interface AddressRecord {
  readonly address: string;
  /** In seconds. */
  readonly ttl: number;
}

/** An SRV record. Node does not report its TTL. */
export interface ServiceRecord {
  /** The host that has the service; empty means that there is none (RFC 2782). */
  readonly name: string;
  readonly port: number;
  readonly priority: number;
  readonly weight: number;
}

/** Asks DNS for records of one kind. Rejects with an error that has one of node's DNS codes. */
export interface DnsClient {
  addresses(name: string, family: 4 | 6): Promise<readonly AddressRecord[]>;
  services(name: string): Promise<readonly ServiceRecord[]>;
}

/** Makes the client of one lookup, whose questions all fail once the signal is aborted. */
export type OpenDns = (servers: readonly string[] | undefined, signal: AbortSignal) => DnsClient;

/** Milliseconds for the first answer of a server; the second and last try takes twice as long. */
const tryMs = 1_000;

/**
 * Asks the servers that are given, or else the system's, which each new client reads again. The questions go over c-ares:
 * they take no thread of libuv's pool. Truncated answers are asked for again over TCP; a DNS message, of at most 65,535
 * bytes, has room for some 4,000 records. A lookup in flight keeps a process alive, since node's sockets to DNS servers
 * cannot be unreferenced.
 */
export const openNodeDns: OpenDns = (servers, signal) => {
  const resolver = new Resolver({ timeout: tryMs, tries: 2 });
  if (servers !== undefined) resolver.setServers(servers);
  signal.addEventListener("abort", () => resolver.cancel(), { once: true });
  const ask = async <T>(question: () => Promise<T>): Promise<T> => {
    if (signal.aborted) throw Object.assign(new Error("the lookup is over"), { code: "ECANCELLED" });
    return await question();
  };
  return {
    addresses: async (name, family) => {
      const resolve = () =>
        family === 4 ? resolver.resolve4(name, { ttl: true }) : resolver.resolve6(name, { ttl: true });
      return withTtls(await ask(resolve));
    },
    services: (name) => ask(() => resolver.resolveSrv(name)),
  };
};

/** Node reports the TTLs of the first 256 addresses only; the others take the shortest of these. */
function withTtls(records: readonly AddressRecord[]): readonly AddressRecord[] {
  const ttls = records.map(({ ttl }) => ttl as number | undefined).filter((ttl) => ttl !== undefined);
  if (ttls.length === records.length) return records;
  const shortest = Math.min(...ttls);
  return records.map(({ address, ttl = shortest }) => ({ address, ttl }));
}
