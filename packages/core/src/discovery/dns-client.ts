import { Resolver } from "node:dns/promises";

export interface AddressRecord {
  readonly address: string;
  /** In seconds. */
  readonly ttl: number;
}

/** An SRV record. Node does not tell its TTL. */
export interface ServiceRecord {
  /** The host that has the service; empty says that there is none (RFC 2782). */
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

/** Makes the client of one look-up, whose questions all fail once the signal says so. */
export type OpenDns = (servers: readonly string[] | undefined, signal: AbortSignal) => DnsClient;

/** Milliseconds for the first answer of a server; the second and last try takes twice as long. */
const tryMs = 1_000;

/**
 * Asks the servers that are given, or else the system's, which a new client reads anew. Truncated answers are asked for
 * again over TCP. A look-up in flight keeps a process alive, for node's sockets to DNS servers cannot be made not to.
 */
export const openNodeDns: OpenDns = (servers, signal) => {
  const resolver = new Resolver({ timeout: tryMs, tries: 2 });
  if (servers !== undefined) resolver.setServers(servers);
  signal.addEventListener("abort", () => resolver.cancel(), { once: true });
  const ask = async <T>(question: () => Promise<T>): Promise<T> => {
    if (signal.aborted) throw Object.assign(new Error("the look-up is over"), { code: "ECANCELLED" });
    return await question();
  };
  return {
    addresses: (name, family) =>
      ask(() => (family === 4 ? resolver.resolve4(name, { ttl: true }) : resolver.resolve6(name, { ttl: true }))),
    services: (name) => ask(() => resolver.resolveSrv(name)),
  };
};
