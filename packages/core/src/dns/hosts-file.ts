import { isIP, SocketAddress } from "node:net";
import path from "node:path";

export interface HostAddress {
  readonly address: string;
  readonly family: 4 | 6;
}

/** Names in lower case without a final dot -> addresses in the order of the file. */
export type Hosts = ReadonlyMap<string, readonly HostAddress[]>;

export const hostsPath: string =
  process.platform === "win32"
    ? path.join(process.env["SystemRoot"] ?? "C:\\Windows", "System32", "drivers", "etc", "hosts")
    : "/etc/hosts";

/** Parses the text of a hosts file (hosts(5)). Malformed lines are ignored. */
export function parseHosts(text: string): Hosts {
  const hosts = new Map<string, HostAddress[]>();
  for (const line of text.split(/\r?\n/)) {
    const [written = "", ...names] = line.replace(/#.*/, "").trim().split(/\s+/);
    const family = isIP(written);
    if (family === 0) continue;
    const address = family === 6 ? toCanonical(written) : written;
    for (const name of names.map(toKey)) {
      const known = hosts.get(name) ?? [];
      if (!known.some((other) => other.address === address)) known.push({ address, family: family as 4 | 6 });
      hosts.set(name, known);
    }
  }
  return hosts;
}

const loopback: readonly HostAddress[] = [
  { address: "::1", family: 6 },
  { address: "127.0.0.1", family: 4 },
];

/** Resolves a name without DNS: from the hosts file, or to loopback addresses for `localhost` (RFC 6761 section 6.3). */
export function localAddresses(hosts: Hosts, hostname: string): readonly HostAddress[] | undefined {
  const name = toKey(hostname);
  const listed = hosts.get(name);
  if (listed !== undefined) return listed;
  return name === "localhost" || name.endsWith(".localhost") ? loopback : undefined;
}

/** Normalizes an IPv6 address as sockets report it, with its zone. */
function toCanonical(written: string): string {
  const [address = "", zone] = written.split("%");
  const canonical = new SocketAddress({ address, family: "ipv6" }).address;
  return zone === undefined ? canonical : `${canonical}%${zone}`;
}

function toKey(name: string): string {
  return name.toLowerCase().replace(/\.$/, "");
}
