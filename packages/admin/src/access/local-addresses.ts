/** Recognises loopback names and listen addresses, and Unix sockets. */

import { isIP, type Socket } from "node:net";
import { isLoopbackAddress } from "evenkeel";

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
