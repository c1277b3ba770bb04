import { isIP } from "node:net";
import { isLoopbackAddress } from "evenkeel";
import type { ListenAddress } from "../file-config.ts";

const allowed = 'expected "host:port", ":port", "[::1]:port" or "unix:/path/to.sock"';

/** Parses an address to listen on. Returns a message for an invalid one. */
export function parseListen(text: string): ListenAddress | string {
  if (text.startsWith("unix:")) {
    const socketPath = text.slice("unix:".length);
    return socketPath === "" || socketPath.includes("\0") ? invalidAddress(text) : { socketPath };
  }
  const [, inBrackets, bare = "", digits = ""] = /^(?:\[([^[\]]*)\]|([^:[\]]*)):(\d{1,5})$/.exec(text) ?? [];
  const port = Number(digits);
  if (digits === "" || port > 65_535) return invalidAddress(text);
  if (inBrackets !== undefined) return isIP(inBrackets) === 6 ? { host: inBrackets, port } : invalidAddress(text);
  return bare === "" || isHost(bare) ? { host: bare === "" ? undefined : bare, port } : invalidAddress(text);
}

/** Whether an address can be reached from this machine only. */
export function isLoopback(address: ListenAddress): boolean {
  if ("socketPath" in address) return true;
  const { host = "" } = address;
  return host.toLowerCase() === "localhost" || isLoopbackAddress(host);
}

/** Accepts IPv4 addresses and names. Text of dots and digits only, which is not an IPv4 address, is not a name. */
function isHost(text: string): boolean {
  return isIP(text) === 4 || (/^[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*\.?$/.test(text) && !/^[\d.]+$/.test(text));
}

function invalidAddress(text: string): string {
  return `${allowed}, found ${JSON.stringify(text)}`;
}
