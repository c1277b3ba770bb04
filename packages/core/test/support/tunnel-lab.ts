import { type AddressInfo, connect, createServer, type ServerOpts, type Socket } from "node:net";
import { onTestFinished } from "vitest";
import { handshake, switching } from "./web-sockets.ts";

/** One tunnel's two far ends, as whoever ends it sees them. */
export interface Tunnel {
  readonly client: Socket;
  readonly upstream: Socket;
}

/**
 * Both far ends of many tunnels, as cheap as can be. The path says what the upstream does with a handshake: `/open/` is
 * answered with a 101, `/silent/` with nothing; either keeps its side open when the proxy ends its own.
 */
export class TunnelLab {
  /** Sockets at the upstream that are open. */
  readonly upstreamSockets = new Set<Socket>();
  /** Clients that are open. */
  readonly clients = new Set<Socket>();
  readonly #arrived = new Map<string, (socket: Socket) => void>();
  #count = 0;

  /** An upstream that answers handshakes. All upstreams are gone when the test is over; these are their ports. */
  listen(): Promise<number> {
    return this.#serve({ allowHalfOpen: true }, (socket) => {
      this.upstreamSockets.add(socket);
      socket.on("close", () => this.upstreamSockets.delete(socket));
      socket.once("data", (head: Buffer) => {
        const path = head.toString("latin1").split(" ", 2)[1] ?? "";
        if (path.startsWith("/open/")) socket.write(switching());
        socket.resume();
        this.#arrived.get(path)?.(socket);
        this.#arrived.delete(path);
      });
    });
  }

  /** An upstream that says nothing, and closes when the other side does. */
  listenMute(): Promise<number> {
    return this.#serve({}, (socket) => void socket.resume());
  }

  /** An upstream that resets every connection. */
  listenResetting(): Promise<number> {
    return this.#serve({}, (socket) => void socket.resetAndDestroy());
  }

  async #serve(options: ServerOpts, onSocket: (socket: Socket) => void): Promise<number> {
    const server = createServer({ noDelay: true, ...options }, (socket) => {
      socket.on("error", () => {});
      onSocket(socket);
    });
    await new Promise<void>((resolve) => {
      server.listen(0, "127.0.0.1", resolve);
    });
    onTestFinished(() => {
      this.destroy();
      server.close();
    });
    return (server.address() as AddressInfo).port;
  }

  /** A client that has sent a handshake. */
  async ask(port: number, prefix: string): Promise<Socket> {
    const client = connect({ port, host: "127.0.0.1", allowHalfOpen: true, noDelay: true });
    const path = `${prefix}${this.#count++}`;
    this.clients.add(client);
    client.on("close", () => this.clients.delete(client));
    client.on("error", () => {});
    client.write(handshake(path));
    await new Promise((resolve) => {
      client.once("connect", resolve);
    });
    return client;
  }

  /** A client whose handshake has come to the upstream, and, if that answers, whose tunnel is open. */
  async tunnel(port: number, prefix: string): Promise<Tunnel> {
    const arrived = new Promise<Socket>((resolve) => {
      this.#arrived.set(`${prefix}${this.#count}`, resolve);
    });
    const client = await this.ask(port, prefix);
    const answered = prefix.startsWith("/open/") && new Promise((resolve) => client.once("data", resolve));
    const upstream = await arrived;
    await answered;
    client.resume();
    return { client, upstream };
  }

  destroy(): void {
    for (const socket of [...this.clients, ...this.upstreamSockets]) socket.destroy();
  }
}
