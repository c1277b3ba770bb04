import { createServer, type IncomingMessage, type Server, type ServerOptions, type ServerResponse } from "node:http";
import { createServer as createTlsServer, type Server as TlsServer } from "node:https";
import { Server as NetServer, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { setImmediate as nextTurn } from "node:timers/promises";
import type { ServerConfig } from "@evenkeel/config";
import { limits } from "../limits.ts";
import { ClientConnection } from "./client-connection.ts";
import type { ConnectionTable } from "./connection-table.ts";
import { type ListenTarget, listen, urlOf } from "./listen.ts";
import { respondToPlainHttp } from "./plain-http.ts";
import type { TlsFiles } from "./tls-files.ts";

/** The error code of the response to a request on a refused connection. */
export type RefusalCode = "connection_limit" | undefined;

type RequestHandler = (req: IncomingMessage, res: ServerResponse, refusal: RefusalCode) => void;

/** The events of a listener. */
export interface ListenerHandlers {
  readonly request: RequestHandler;
  /** Requests with an Expect header. Default: node responds to these itself. */
  readonly expecting?: RequestHandler;
  /** Also for CONNECT, which node emits in the same way. Default: node rejects such requests. */
  readonly upgrade?: (req: IncomingMessage, socket: Duplex, head: Buffer, refusal: RefusalCode) => void;
  /** A connection over the limit was closed without a response. */
  readonly drop: () => void;
  /** Malformed requests, for a response on the socket. Default: node responds. */
  readonly clientError?: (error: Error, socket: Duplex) => void;
  /** A TLS handshake failed. With `plainHttp`, the client sent a plain HTTP request and has got a response. */
  readonly handshakeFailed?: (plainHttp: boolean) => void;
  /** Accepting a connection failed. */
  readonly error: (error: Error) => void;
}

/** The settings that may change while a listener is open. */
export interface ListenerSettings {
  readonly timeouts: Pick<ServerConfig["timeouts"], "requestHeadersMs" | "keepAliveMs">;
}

/** One listening address for HTTP or HTTPS, with its client connections. */
export class Listener {
  readonly #server: Server | TlsServer;
  readonly #handlers: ListenerHandlers;
  readonly #sockets = new Set<Socket>();
  readonly #connections = new Map<Duplex, ClientConnection>();
  readonly #scheme: "http" | "https";
  /** Sockets of connections over the limit. */
  readonly #refused = new Set<Duplex>();
  readonly #table: ConnectionTable;
  #stopping = false;
  #closed: Promise<void> | undefined;
  /** Connections accepted so far, refused ones included. */
  #accepted = 0;
  /** Requests that are held until the listening socket is closed. */
  #held: (() => void)[] | undefined;

  /** Throws a `Failure` when the address cannot be listened on. */
  static async open(
    address: ListenTarget,
    settings: ListenerSettings,
    tls: TlsFiles | undefined,
    table: ConnectionTable,
    handlers: ListenerHandlers,
  ): Promise<Listener> {
    const listener = new Listener(settings, tls, table, handlers);
    await listen(listener.#server, address);
    listener.#server.on("error", handlers.error);
    return listener;
  }

  private constructor(
    settings: ListenerSettings,
    tls: TlsFiles | undefined,
    table: ConnectionTable,
    handlers: ListenerHandlers,
  ) {
    const options = serverOptions(settings);
    this.#table = table;
    this.#handlers = handlers;
    this.#scheme = tls === undefined ? "http" : "https";
    this.#server =
      tls === undefined
        ? createServer(options)
        : createTlsServer({ ...options, ...tls, handshakeTimeout: settings.timeouts.requestHeadersMs });
    this.configure(settings);
    // Node would drop headers above its limit without an error. The proxy has its own limit.
    this.#server.maxHeadersCount = 0;
    this.#listen(tls === undefined ? "connection" : "secureConnection");
  }

  get url(): string {
    return urlOf(this.#server, this.#scheme);
  }

  /** Applies other timeouts, where node allows it to open connections as well. */
  configure({ timeouts }: ListenerSettings): void {
    this.#server.headersTimeout = timeouts.requestHeadersMs;
    this.#server.keepAliveTimeout = timeouts.keepAliveMs;
  }

  /** Uses another certificate for new connections. */
  renewTls(tls: TlsFiles): void {
    if ("setSecureContext" in this.#server) this.#server.setSecureContext(tls);
  }

  /**
   * Stops accepting connections. The connections in the backlog of the system are accepted first: closing the listening
   * socket would reset them, although their clients may have sent whole requests. Node accepts one in each turn of the event
   * loop, so short turns without one mean that the backlog is empty. Requests are held until `finish`: after each response a
   * client may open the next connection.
   */
  async stopAccepting(): Promise<void> {
    this.#held = [];
    const startedAt = performance.now();
    let turnAt = startedAt;
    await nextTurn();
    for (let quietTurns = 0; quietTurns < 2 && turnAt - startedAt < limits.acceptRestMs; ) {
      const before = this.#accepted;
      turnAt = performance.now();
      await nextTurn();
      const quiet = this.#accepted === before && performance.now() - turnAt < limits.quietTurnMs;
      quietTurns = quiet ? quietTurns + 1 : 0;
    }
    this.#close();
  }

  /** Closes every connection after its next response. Resolves when the last one is closed. */
  async finish(): Promise<void> {
    this.#stopping = true;
    for (const connection of this.#connections.values()) connection.closeAfterResponse();
    const held = this.#held ?? [];
    this.#held = undefined;
    for (const handle of held) handle();
    await this.#closed;
    // The last sockets emit `close` a moment later, and then their requests end too.
    const left = [...this.#sockets, ...this.#connections.keys()];
    await Promise.all(left.map((socket) => new Promise((resolve) => void socket.once("close", resolve))));
  }

  /** Closes the connections without a request in flight. */
  closeIdle(): void {
    this.#server.closeIdleConnections();
    for (const { socket, receivedNothing } of this.#connections.values()) {
      if (receivedNothing) socket.destroy();
    }
    // A TLS connection whose handshake has not begun is in none of the lists above.
    for (const socket of this.#sockets) {
      if (socket.bytesRead === 0) socket.destroy();
    }
  }

  /** Closes all connections, even with requests in flight. */
  destroy(): void {
    this.#close();
    for (const socket of this.#sockets) socket.destroy();
  }

  /**
   * Closes only the listening socket. `http.Server.close` would also close every idle connection, even if its next request is
   * already being sent, and would stop the check for late headers.
   */
  #close(): void {
    this.#closed ??= new Promise((resolve) => {
      NetServer.prototype.close.call(this.#server, () => resolve());
    });
  }

  #listen(connected: "connection" | "secureConnection"): void {
    this.#server
      .on("connection", (socket: Socket) => {
        this.#accepted++;
        this.#sockets.add(socket);
        socket.once("close", () => {
          this.#sockets.delete(socket);
          this.#table.releaseSocket();
        });
        if (!this.#table.acceptSocket()) this.#dropSilent(socket);
      })
      .on(connected, (socket: Socket) => this.#onConnected(socket))
      .on("request", (req: IncomingMessage, res: ServerResponse) => this.#onRequest(req, res, this.#handlers.request));
    const { expecting, upgrade, clientError, handshakeFailed } = this.#handlers;
    this.#server.on("tlsClientError", (error: Error, socket: Socket) => {
      handshakeFailed?.(respondToPlainHttp(error, socket));
    });
    if (expecting !== undefined) {
      for (const event of ["checkContinue", "checkExpectation"]) {
        this.#server.on(event, (req: IncomingMessage, res: ServerResponse) => this.#onRequest(req, res, expecting));
      }
    }
    if (clientError !== undefined) this.#server.on("clientError", clientError);
    if (upgrade === undefined) return;
    for (const event of ["upgrade", "connect"]) {
      this.#server.on(event, (req: IncomingMessage, socket: Duplex, head: Buffer) => {
        const connection = this.#connections.get(socket);
        if (connection !== undefined) {
          connection.requested = true;
          connection.upgraded = true;
        }
        upgrade(req, socket, head, this.#refusalFor(socket));
      });
    }
  }

  /** A connection over the limit gets an error response to one request. It is closed if it sends none in time. */
  #refuse(connection: ClientConnection): void {
    const { socket } = connection;
    this.#refused.add(socket);
    const timer = setTimeout(() => {
      if (!connection.requested) this.#handlers.drop();
      socket.destroy();
    }, limits.refusalMs);
    socket.once("close", () => {
      clearTimeout(timer);
      this.#refused.delete(socket);
    });
  }

  /** Closes a socket over the limit: first one whose TLS handshake has not begun, since it is in no other list. */
  #dropSilent(socket: Socket): void {
    let dropped = socket;
    for (const other of this.#scheme === "https" ? this.#sockets : []) {
      if (other.bytesRead > 0) continue;
      dropped = other;
      break;
    }
    dropped.destroy();
    this.#handlers.drop();
  }

  #onRequest(req: IncomingMessage, res: ServerResponse, handle: RequestHandler): void {
    const refusal = this.#refusalFor(req.socket);
    this.#connections.get(req.socket)?.begin(res);
    if (this.#held === undefined) handle(req, res, refusal);
    else this.#held.push(() => handle(req, res, refusal));
  }

  #refusalFor(socket: Duplex): RefusalCode {
    return this.#refused.has(socket) ? "connection_limit" : undefined;
  }

  #onConnected(socket: Socket): void {
    const connection = new ClientConnection(socket);
    if (!this.#table.admit(connection)) this.#refuse(connection);
    if (this.#stopping) connection.closeAfterResponse();
    this.#connections.set(socket, connection);
    socket.once("close", () => this.#connections.delete(socket));
  }
}

function serverOptions({ timeouts }: ListenerSettings): ServerOptions {
  return {
    connectionsCheckingInterval: limits.connectionCheckMs,
    headersTimeout: timeouts.requestHeadersMs,
    // The duration of a body is not limited here. The proxy limits the time between two bytes.
    requestTimeout: 0,
    keepAliveTimeout: timeouts.keepAliveMs,
    keepAlive: true,
    keepAliveInitialDelay: limits.tcpKeepAliveMs,
    insecureHTTPParser: false,
    // The proxy rejects such requests itself, so that its log and its metrics include them.
    requireHostHeader: false,
  };
}
