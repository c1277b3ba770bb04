import { BlockList, isIP } from "node:net";

/** The peers whose X-Forwarded headers are trusted. */
export class TrustedProxies {
  readonly #networks: BlockList | undefined;

  /** `networks`: addresses and networks, checked before. */
  constructor(networks: readonly string[]) {
    if (networks.length === 0) return;
    this.#networks = new BlockList();
    for (const network of networks) {
      const [address = "", prefix] = network.split("/");
      const family = isIP(address) === 6 ? "ipv6" : "ipv4";
      if (prefix === undefined) this.#networks.addAddress(address, family);
      else this.#networks.addSubnet(address, Number(prefix), family);
    }
  }

  includes(address: string): boolean {
    if (this.#networks === undefined) return false;
    const family = isIP(address);
    return family !== 0 && this.#networks.check(address, family === 6 ? "ipv6" : "ipv4");
  }
}

/** The peer address; IPv4-mapped IPv6 addresses are converted to IPv4. Empty for a unix socket. */
export function peerAddress(remoteAddress: string | undefined): string {
  if (remoteAddress === undefined) return "";
  return remoteAddress.startsWith("::ffff:") && remoteAddress.includes(".") ? remoteAddress.slice(7) : remoteAddress;
}

/** The right-most address of X-Forwarded-For that is not a trusted proxy's. The peer counts as its last entry. */
export function clientAddress(peer: string, forwardedFor: string | undefined, trusted: TrustedProxies): string {
  if (forwardedFor === undefined || !trusted.includes(peer)) return peer;
  let client = peer;
  for (const entry of forwardedFor.split(",").reverse()) {
    const address = addressOf(entry);
    if (isIP(address) === 0) return client;
    client = address;
    if (!trusted.includes(address)) return client;
  }
  return client;
}

/**
 * The address of an entry. Azure's Application Gateway, IIS and others write `192.0.2.1:4711`, `[2001:db8::1]` and
 * `[2001:db8::1]:4711`, some of them in quotes as in RFC 7239 section 6.
 */
function addressOf(entry: string): string {
  const text = entry.trim().replace(/^"([^"]*)"$/, "$1");
  const parts = /^(?:\[([0-9A-Fa-f:.]+)\]|(\d+\.\d+\.\d+\.\d+))(?::\d{1,5})?$/.exec(text);
  return peerAddress(parts?.[1] ?? parts?.[2] ?? text);
}
