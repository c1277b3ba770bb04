import { once } from "node:events";
import { lstatSync, unlinkSync } from "node:fs";
import { connect, isIP, type Server } from "node:net";
import { formatListenAddress, type ListenAddress } from "../config/listen-address.ts";
import { limits } from "./limits.ts";

/** The address of a listener. */
export type ListenTarget = ListenAddress & {
  /** Does not accept IPv4 connections, which `[::]` otherwise does. Default: false. */
  readonly ipv6Only?: boolean;
};

/** An address cannot be listened on. The message has the address and the reason. */
export class ListenError extends Error {
  /** Of the system, such as EADDRINUSE. */
  readonly code: string;
  /** As in the options. */
  readonly address: string;

  constructor(address: ListenAddress, cause: unknown) {
    super(`cannot listen on ${formatListenAddress(address)}: ${hintFor(cause, address)}`, { cause });
    this.name = "ListenError";
    this.code = (cause as NodeJS.ErrnoException).code ?? "";
    this.address = formatListenAddress(address);
  }
}

/**
 * Returns the addresses so that all of them can be listened on. `[::]` accepts IPv4 connections too, so it is set to IPv6 only
 * if there is an IPv4 address with the same port.
 */
export function toListenTargets(addresses: readonly ListenAddress[]): ListenTarget[] {
  const ipv4Ports = new Set(addresses.flatMap((at) => ("port" in at && isIP(at.host ?? "") === 4 ? [at.port] : [])));
  return addresses.map((at) =>
    "port" in at && isIP(at.host ?? "") === 6 && ipv4Ports.has(at.port) ? { ...at, ipv6Only: true } : at,
  );
}

/** Starts listening. A Unix socket that a crashed process has left behind is replaced. Throws a `ListenError`. */
export async function listen(server: Server, address: ListenTarget): Promise<void> {
  try {
    await listenOnce(server, address);
  } catch (error) {
    if ("socketPath" in address && (await isStale(address.socketPath, error))) {
      unlinkSync(address.socketPath);
      return listen(server, address);
    }
    throw new ListenError(address, error);
  }
}

/** Returns the URL of a listening server, with the port that the system chose; "unix:" and a path for a Unix socket. */
export function urlOf(server: Server, scheme: "http" | "https"): string {
  const address = server.address();
  if (address === null || typeof address === "string") return `unix:${address}`;
  return `${scheme}://${address.family === "IPv6" ? `[${address.address}]` : address.address}:${address.port}`;
}

async function listenOnce(server: Server, address: ListenTarget): Promise<void> {
  if ("socketPath" in address) checkLength(address.socketPath);
  const listening = once(server, "listening");
  if ("socketPath" in address) {
    server.listen(address.socketPath);
  } else {
    const { port, host, ipv6Only = false } = address;
    server.listen({ port, ipv6Only, ...(host !== undefined && { host }) });
  }
  await listening;
}

/** A longer path would be cut off by Node, and the socket would have another one. */
function checkLength(socketPath: string): void {
  if (Buffer.byteLength(socketPath) <= maxPathBytes) return;
  throw Object.assign(new Error(`at most ${maxPathBytes} bytes`), { code: "ENAMETOOLONG" });
}

/** Whether a Unix socket was left behind by a process that crashed: its file exists, and connections to it are refused. */
async function isStale(path: string, error: unknown): Promise<boolean> {
  if ((error as NodeJS.ErrnoException).code !== "EADDRINUSE") return false;
  // As BigInts: behind other stats of a socket, Node 20 loads modules by the paths of their links, and so other versions of them.
  if (lstatSync(path, { bigint: true, throwIfNoEntry: false })?.isSocket() !== true) return false;
  const socket = connect(path);
  try {
    await once(socket, "connect", { signal: AbortSignal.timeout(limits.socketProbeMs) });
    return false;
  } catch (failure) {
    return (failure as NodeJS.ErrnoException).code === "ECONNREFUSED";
  } finally {
    socket.destroy();
  }
}

function hintFor(error: unknown, address: ListenAddress): string {
  const { code = "", message } = error as NodeJS.ErrnoException;
  if (code === "EACCES" && "port" in address && address.port < 1024) {
    return "permission denied; ports below 1024 are for privileged processes";
  }
  if (code === "EADDRINUSE" && "port" in address) return "the port is taken, another process is listening there";
  return reasons[code] ?? message;
}

/** Bytes of `sun_path`, without the zero byte at its end. */
const maxPathBytes = process.platform === "linux" ? 107 : 103;

/** The meaning of system errors, without the system call and the path in Node's messages. */
const reasons: Readonly<Record<string, string>> = {
  EACCES: "permission denied",
  EADDRINUSE: "something else is listening there already",
  EADDRNOTAVAIL: "this machine has no such address",
  EMFILE: "too many open files",
  ENAMETOOLONG: `the path is too long, at most ${maxPathBytes} bytes are possible`,
  ENOENT: "there is no such file or directory",
  ENOTDIR: "a part of the path is not a directory",
  ENOTFOUND: "the name cannot be resolved",
  EPERM: "not permitted",
  EROFS: "the file system is read-only",
};
