import { once } from "node:events";
import { lstatSync, unlinkSync } from "node:fs";
import { connect, isIP, type Server } from "node:net";
import type { ListenAddress } from "@evenkeel/config";
import { Failure, reasonOf } from "../failure.ts";
import { limits } from "../limits.ts";

/** The address of a listener. */
export type ListenTarget = ListenAddress & {
  /** Does not accept IPv4 connections, which `[::]` otherwise does. Default: false. */
  readonly ipv6Only?: boolean;
};

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

/** Starts listening. Throws a `Failure` with the address and the reason. */
export async function listen(server: Server, address: ListenTarget): Promise<void> {
  try {
    await listenOnce(server, address);
  } catch (error) {
    if ("socketPath" in address && (await isStale(address.socketPath, error))) {
      unlinkSync(address.socketPath);
      return listen(server, address);
    }
    throw new Failure(`cannot listen on ${formatAddress(address)}: ${hintFor(error, address)}`);
  }
}

/** Formats an address as in the configuration. */
export function formatAddress(address: ListenAddress): string {
  if ("socketPath" in address) return `unix:${address.socketPath}`;
  const { host = "", port } = address;
  return `${host.includes(":") ? `[${host}]` : host}:${port}`;
}

/** Returns the URL of a listening server, with the port that the system chose. */
export function urlOf(server: Server, scheme: "http" | "https"): string {
  const address = server.address();
  if (address === null || typeof address === "string") return `unix:${address}`;
  return `${scheme}://${address.family === "IPv6" ? `[${address.address}]` : address.address}:${address.port}`;
}

async function listenOnce(server: Server, address: ListenTarget): Promise<void> {
  const listening = once(server, "listening");
  if ("socketPath" in address) {
    server.listen(address.socketPath);
  } else {
    const { port, host, ipv6Only = false } = address;
    server.listen({ port, ipv6Only, ...(host !== undefined && { host }) });
  }
  await listening;
}

/** Whether a Unix socket was left behind by a process that crashed: its file exists, and connections to it are refused. */
async function isStale(path: string, error: unknown): Promise<boolean> {
  if ((error as NodeJS.ErrnoException).code !== "EADDRINUSE") return false;
  if (lstatSync(path, { throwIfNoEntry: false })?.isSocket() !== true) return false;
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
  const { code } = error as NodeJS.ErrnoException;
  if (code === "EACCES" && "port" in address && address.port < 1024) {
    return "permission denied; ports below 1024 are for privileged processes";
  }
  if (code === "EADDRINUSE" && "port" in address) return "the port is taken, another process is listening there";
  return reasonOf(error);
}
