import cluster from "node:cluster";
import { once } from "node:events";
import { isIP, type Server, type Socket } from "node:net";
import type { ListenAddress } from "../../config/listen-address.ts";
import { HeldSocket, type InheritedSocket } from "./inherited-socket.ts";
import { ListenError } from "./listen-error.ts";
import { removeStale, UnixPath } from "./unix-path.ts";

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

/**
 * Starts listening, or takes over a socket that another process has opened: before this call returns its promise, so that a
 * socket which was just received misses no connection. A Unix socket that a crashed process has left behind is replaced.
 * Throws a `ListenError`.
 */
export async function listen(server: Server, address: ListenTarget, from?: InheritedSocket): Promise<Binding> {
  const binding = await bind(server, address, from);
  try {
    for (const socket of binding.publish()) {
      server.emit("connection", socket);
      socket.resume();
    }
  } catch (error) {
    server.close();
    throw error;
  }
  return binding;
}

/** As `listen`, but a Unix socket has its path only after `publish`. */
export async function bind(server: Server, address: ListenTarget, from?: InheritedSocket): Promise<Binding> {
  try {
    if (from !== undefined && from !== "predecessor") return await adopt(server, address, from);
    if ("socketPath" in address) return await bindUnix(server, address, from === "predecessor");
    const { port, host, ipv6Only = false } = address;
    await start(server, () => server.listen({ port, ipv6Only, ...(host !== undefined && { host }) }));
    return new Binding(server, address, {});
  } catch (error) {
    throw new ListenError(address, error);
  }
}

async function adopt(server: Server, address: ListenTarget, from: HeldSocket | Server | { readonly fd: number }) {
  let waiting: readonly Socket[] = [];
  await start(server, () => {
    if (from instanceof HeldSocket) waiting = from.moveTo(server);
    else server.listen(from);
  });
  return new Binding(server, address, { waiting, ...("fd" in from && { fd: from.fd }) });
}

async function bindUnix(server: Server, address: { readonly socketPath: string }, ofPredecessor: boolean) {
  if (cluster.isWorker) return bindInCluster(server, address);
  const path = await UnixPath.claim(address.socketPath, ofPredecessor);
  await start(server, () => server.listen(path.temporary));
  return new Binding(server, address, { path });
}

/** The workers of node:cluster share what their primary opens, by its path. The primary removes the path. */
async function bindInCluster(server: Server, address: { readonly socketPath: string }): Promise<Binding> {
  const listening = () => server.listen(address.socketPath);
  try {
    await start(server, listening);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EADDRINUSE" || !(await removeStale(address.socketPath))) throw error;
    await start(server, listening);
  }
  return new Binding(server, address, {});
}

/** Resolves when the server listens, and rejects if it cannot or is closed before. */
async function start(server: Server, listening: () => void): Promise<void> {
  const closed = new AbortController();
  const onClose = () => closed.abort();
  server.once("close", onClose);
  try {
    listening();
    // The event comes in a later turn.
    await once(server, "listening", { signal: closed.signal });
  } catch (error) {
    if (!closed.signal.aborted) throw error;
    // Node may still be looking up a name, and listens afterwards.
    server.once("listening", () => server.close());
    throw new Error("the server was closed");
  } finally {
    server.off("close", onClose);
  }
}

/** A listening socket that another process can take over. */
export interface ListeningHandle {
  readonly address: ListenAddress;
  /** A server is sent over a channel. A descriptor, of a Unix socket, is inherited by a child process. */
  readonly socket: Server | { readonly fd: number };
}

interface BindingParts {
  /** Of a Unix socket that this process has opened. */
  readonly path?: UnixPath;
  readonly fd?: number;
  readonly waiting?: readonly Socket[];
}

/** What a server listens on. */
export class Binding {
  readonly address: ListenTarget;
  /** Without a scheme. */
  readonly #authority: string;
  readonly #server: Server;
  readonly #parts: BindingParts;
  #waiting: readonly Socket[];

  constructor(server: Server, address: ListenTarget, parts: BindingParts) {
    this.#server = server;
    this.address = address;
    this.#parts = parts;
    this.#waiting = parts.waiting ?? [];
    this.#authority = authorityOf(server);
  }

  /** With the port that the system chose; "unix:" and a path for a Unix socket. */
  url(scheme: "http" | "https"): string {
    return "socketPath" in this.address ? `unix:${this.address.socketPath}` : `${scheme}://${this.#authority}`;
  }

  /** Another process has the socket as well, or can have it: closing it here resets no connection in its backlog. */
  get shareable(): boolean {
    return this.#parts.path === undefined;
  }

  /** What another process can take over. Undefined for a Unix socket of this process: a successor replaces it by its own. */
  get handle(): ListeningHandle | undefined {
    const { address } = this;
    if ("port" in address) return { address, socket: this.#server };
    const { fd } = this.#parts;
    return fd === undefined ? undefined : { address, socket: { fd } };
  }

  /**
   * Gives a Unix socket its path. Returns the connections, paused, that an inherited socket has accepted before. Throws a
   * `ListenError`.
   */
  publish(): readonly Socket[] {
    try {
      this.#parts.path?.publish();
    } catch (error) {
      throw new ListenError(this.address, error);
    }
    const waiting = this.#waiting;
    this.#waiting = [];
    return waiting.filter((socket) => !socket.destroyed);
  }

  /** Removes the path of a Unix socket, unless a successor has it. Call it before the server closes. */
  release(): void {
    this.#parts.path?.remove();
    for (const socket of this.#waiting) socket.destroy();
    this.#waiting = [];
  }
}

/** The host and the port; empty for a Unix socket. */
function authorityOf(server: Server): string {
  const address = server.address();
  if (address === null || typeof address === "string") return "";
  return `${address.family === "IPv6" ? `[${address.address}]` : address.address}:${address.port}`;
}
