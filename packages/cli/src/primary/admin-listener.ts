import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { setImmediate as nextTurn, setTimeout as wait } from "node:timers/promises";
import type { ListenAddress } from "evenkeel";
import { type Binding, type InheritedSocket, type ListeningHandle, listen } from "evenkeel/server";
import { limits } from "../limits.ts";

export interface AdminListenerEvents {
  readonly request: (req: IncomingMessage, res: ServerResponse) => void;
  /** A connection was closed or refused to keep to the limit. */
  readonly dropped: () => void;
  /** Accepting a connection failed. */
  readonly error: (error: Error) => void;
}

interface AdminConnection {
  /** Requests without a complete response. */
  active: number;
  /** It has sent a request. */
  requested: boolean;
  /** It is over the limit. */
  readonly refused: boolean;
}

/**
 * The listener of the admin API, over Node's HTTP server: it has few clients with short requests.
 *
 * At the limit, idle connections are closed at once, those without a request first: a client without a token must not keep out
 * the probes of an orchestrator. If none is idle, requests get 503, but for probes.
 */
export class AdminListener {
  readonly #server: Server;
  readonly #events: AdminListenerEvents;
  readonly #max: number;
  /** In the order of their last request. */
  readonly #connections = new Map<Socket, AdminConnection>();
  #served = 0;
  #handedOver = false;
  #binding: Binding | undefined;

  /**
   * Throws a `ListenError` when the address cannot be listened on. `max` is the number of connections that are served, `from` a
   * socket that another process has opened: it is in use before this call returns its promise.
   */
  static async open(
    address: ListenAddress,
    max: number,
    events: AdminListenerEvents,
    from?: InheritedSocket,
  ): Promise<AdminListener> {
    const listener = new AdminListener(max, events);
    listener.#binding = await listen(listener.#server, address, from);
    listener.#server.on("error", events.error);
    return listener;
  }

  private constructor(max: number, events: AdminListenerEvents) {
    this.#max = max;
    this.#events = events;
    this.#server = createServer({
      connectionsCheckingInterval: limits.connectionCheckMs,
      headersTimeout: limits.adminHeadersMs,
      requestTimeout: 0,
      keepAliveTimeout: limits.adminKeepAliveMs,
      requireHostHeader: false,
    });
    // Node would drop headers above its limit without an error.
    this.#server.maxHeadersCount = 0;
    this.#server
      .on("connection", (socket: Socket) => this.#onConnection(socket))
      .on("request", (req: IncomingMessage, res: ServerResponse) => this.#onRequest(req, res));
  }

  get url(): string {
    return this.#binding?.url("http") ?? "";
  }

  /** What another process can take over. */
  get handle(): ListeningHandle | undefined {
    return this.#binding?.handle;
  }

  /**
   * Leaves new connections to another process that has the socket. Resolves when all requests in progress have their response,
   * or after `limits.adminHandOverMs`, and every connection is closed.
   */
  async handOver(): Promise<void> {
    // The other process does not have the backlog of a Unix socket. Node accepts one connection in each turn.
    for (let turns = 0; turns < limits.adminBacklogTurns; turns++) await nextTurn();
    this.#handedOver = true;
    this.#binding?.release();
    this.#server.close();
    // A new connection is about to send its request.
    for (const [socket, { active, requested }] of [...this.#connections]) {
      if (active === 0 && requested) socket.destroy();
    }
    const late = new AbortController();
    await Promise.race([
      this.#empty(),
      wait(limits.adminHandOverMs, undefined, { signal: late.signal, ref: false }).catch(() => {}),
    ]);
    late.abort();
    this.destroy();
  }

  /** Closes the listener and its connections. */
  destroy(): void {
    this.#binding?.release();
    this.#server.close();
    for (const socket of this.#connections.keys()) socket.destroy();
  }

  #onConnection(socket: Socket): void {
    const refused = this.#served >= this.#max && !this.#closeIdle();
    if (refused && this.#connections.size >= 2 * this.#max) {
      this.#events.dropped();
      return void socket.destroy();
    }
    if (!refused) this.#served++;
    this.#connections.set(socket, { active: 0, requested: false, refused });
    const timer = refused ? setTimeout(() => socket.destroy(), limits.adminRefusalMs) : undefined;
    socket.once("close", () => {
      clearTimeout(timer);
      if (this.#connections.delete(socket) && !refused) this.#served--;
    });
  }

  #onRequest(req: IncomingMessage, res: ServerResponse): void {
    const { socket } = req;
    const connection = this.#connections.get(socket);
    if (connection === undefined) return void socket.destroy();
    connection.requested = true;
    connection.active++;
    this.#connections.delete(socket);
    this.#connections.set(socket, connection);
    if (this.#handedOver) res.shouldKeepAlive = false;
    res.once("close", () => {
      connection.active--;
      if (this.#handedOver && connection.active === 0) socket.end();
    });
    if (!connection.refused) return this.#events.request(req, res);
    this.#events.dropped();
    res.shouldKeepAlive = false;
    if (isProbe(req.url)) this.#events.request(req, res);
    else res.writeHead(503, { "Retry-After": 1, Connection: "close" }).end();
  }

  async #empty(): Promise<void> {
    for (const [socket] of this.#connections) if (!socket.destroyed) await once(socket, "close");
  }

  #closeIdle(): boolean {
    const idle = [...this.#connections].filter(([, { active, refused }]) => active === 0 && !refused);
    const [socket] = idle.find(([, { requested }]) => !requested) ?? idle[0] ?? [];
    if (socket === undefined) return false;
    this.#connections.delete(socket);
    this.#served--;
    this.#events.dropped();
    socket.destroy();
    return true;
  }
}

/** Whether a path is a health endpoint. An orchestrator restarts the process if it gets no response there. */
function isProbe(url = ""): boolean {
  return /^\/(?:healthz|readyz)(?:\?|$)/.test(url);
}
