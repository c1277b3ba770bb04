import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";
import { formatListenAddress, type ListenAddress } from "../../config/listen-address.ts";
import { limits } from "../limits.ts";

/**
 * A listening socket that another process has opened: one that it has sent over a channel, or a descriptor of this process.
 * "predecessor" is for a Unix socket of the process that this one replaces: the path is taken over from it.
 */
export type InheritedSocket = HeldSocket | Server | { readonly fd: number } | "predecessor";

/** Returns what an address inherits; undefined opens it. */
export type FindInherited = (address: ListenAddress) => InheritedSocket | undefined;

/** A listening socket of another process that no server uses yet. It accepts connections already; these wait for the server. */
export class HeldSocket {
  readonly #holder: Server;
  readonly #waiting: Socket[] = [];

  /** Throws an error for a descriptor that is no listening socket. */
  static async open(descriptor: { readonly fd: number }): Promise<HeldSocket> {
    const held = new HeldSocket(descriptor);
    await once(held.#holder, "listening");
    return held;
  }

  constructor(from: Server | { readonly fd: number }) {
    this.#holder = createServer(
      {
        pauseOnConnect: true,
        allowHalfOpen: true,
        noDelay: true,
        keepAlive: true,
        keepAliveInitialDelay: limits.tcpKeepAliveMs,
      },
      (socket) => {
        socket.on("error", () => {});
        this.#waiting.push(socket);
      },
    );
    this.#holder.on("error", () => {});
    this.#holder.listen(from);
  }

  /** The host and the port; undefined for a Unix socket. */
  get address(): ListenAddress | undefined {
    const address = this.#holder.address();
    return address === null || typeof address === "string" ? undefined : { host: address.address, port: address.port };
  }

  /** Lets a server listen on the socket. Returns the connections that have been accepted before, paused. */
  moveTo(server: Server): readonly Socket[] {
    server.listen(this.#holder);
    return this.#waiting;
  }

  close(): void {
    this.#holder.close();
    for (const socket of this.#waiting) socket.destroy();
  }
}

/** The listening sockets that this process has received from another one, until servers use them. */
export class ReceivedSockets {
  /** Addresses may be equal: there may be several with port 0. */
  readonly #held = new Map<string, HeldSocket[]>();

  /** Call it at once in the listener of the message: a received server accepts connections from the next turn on. */
  add(address: ListenAddress, received: Server): void {
    const key = formatListenAddress(address);
    const held = this.#held.get(key) ?? [];
    held.push(new HeldSocket(received));
    this.#held.set(key, held);
  }

  readonly take: FindInherited = (address) => this.#held.get(formatListenAddress(address))?.shift();

  /** Closes those that no server uses. */
  close(): void {
    for (const held of [...this.#held.values()].flat()) held.close();
    this.#held.clear();
  }
}
