/** Recognises loopback addresses and names, and Unix sockets. */

import { BlockList, isIP, type Socket } from "node:net";

const loopback = new BlockList();
loopback.addSubnet("127.0.0.0", 8, "ipv4");
loopback.addAddress("::1", "ipv6");

/** Whether an IP address is in 127.0.0.0/8 or is ::1, also in IPv4-mapped form. */
export function isLoopbackAddress(address: string): boolean {
  return contains(loopback, address);
}

/**
 * Whether a listen address ("127.0.0.1:9090", "localhost", "[::1]:9090", "unix:/run/admin.sock") can be reached from this
 * machine only. Any other address, ":9090" and "0.0.0.0" included, needs a token.
 */
export function isLoopbackListen(listen: string): boolean {
  if (listen.startsWith("unix:")) return true;
  const host = parseHost(listen);
  return host !== undefined && (host === "localhost" || isLoopbackAddress(host));
}

/**
 * Whether a connection is one of a Unix socket, which has no address. A closed connection has no address either, and counts
 * as one that is not local.
 */
export function isUnixSocket(socket: Socket): boolean {
  return !socket.destroyed && Object.keys(socket.address()).length === 0;
}

/** Returns the normalized host of "host", "host:port", "[v6]:port" or a bare IPv6 address; undefined for anything else. */
export function parseHost(authority: string): string | undefined {
  if (isIP(authority) === 6) return authority.toLowerCase();
  const match = /^(?:\[([0-9a-f:.]+)\]|([\w.-]+))(?::\d{1,5})?$/.exec(authority.toLowerCase());
  if (match === null) return undefined;
  if (match[1] !== undefined) return isIP(match[1]) === 6 ? match[1] : undefined;
  return match[2]?.replace(/\.$/, "");
}

/** Whether a host always is this machine: `localhost`, names below it (RFC 6761), or a loopback address. */
export function isLoopbackName(host: string): boolean {
  return host === "localhost" || host.endsWith(".localhost") || isLoopbackAddress(host);
}

function contains(list: BlockList, address: string): boolean {
  const family = isIP(address);
  return family !== 0 && list.check(address, family === 4 ? "ipv4" : "ipv6");
}
