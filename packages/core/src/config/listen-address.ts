import { isIP } from "node:net";

/** An address to listen on: a port of a host, or a Unix socket. */
export type ListenAddress =
  | {
      /** Without brackets. Undefined listens on all addresses of the machine. */
      readonly host: string | undefined;
      /** 0 lets the system choose a free port. */
      readonly port: number;
    }
  | { readonly socketPath: string };

const allowed = 'expected "host:port", ":port", "[::1]:port" or "unix:/path/to.sock"';

/** Parses an address to listen on. Returns a message for an invalid one. */
export function parseListenAddress(text: string): ListenAddress | string {
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

/** Formats an address as in the configuration. */
export function formatListenAddress(address: ListenAddress): string {
  if ("socketPath" in address) return `unix:${address.socketPath}`;
  const { host = "", port } = address;
  return `${host.includes(":") ? `[${host}]` : host}:${port}`;
}

/** Accepts IPv4 addresses and names. Text of dots and digits only, which is not an IPv4 address, is not a name. */
function isHost(text: string): boolean {
  return isIP(text) === 4 || (/^[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*\.?$/.test(text) && !/^[\d.]+$/.test(text));
}

function invalidAddress(text: string): string {
  return `${allowed}, found ${JSON.stringify(text)}`;
}
