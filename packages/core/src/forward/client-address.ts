import { BlockList, isIP } from "node:net";

/** The peers whose X-Forwarded headers are believed. */
export class TrustedProxies {
  readonly #networks: BlockList | undefined;

  /** Addresses and networks, already checked. */
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

/** A socket's peer, with an IPv4 address in IPv6 clothes undressed. Empty for a unix socket. */
export function peerAddress(remoteAddress: string | undefined): string {
  if (remoteAddress === undefined) return "";
  return remoteAddress.startsWith("::ffff:") ? remoteAddress.slice(7) : remoteAddress;
}

/** The right-most address of the chain that no trusted proxy has; the peer is its last link. */
export function clientAddress(peer: string, forwardedFor: string | undefined, trusted: TrustedProxies): string {
  if (forwardedFor === undefined || !trusted.includes(peer)) return peer;
  let client = peer;
  for (const link of forwardedFor.split(",").reverse()) {
    const address = link.trim();
    if (isIP(address) === 0) return client;
    client = address;
    if (!trusted.includes(address)) return client;
  }
  return client;
}
