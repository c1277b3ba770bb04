import { createServer, type IncomingMessage, type Server, type ServerOptions, type ServerResponse } from "node:http";
import { createServer as createTlsServer, type Server as TlsServer } from "node:https";
import { Server as NetServer, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { setImmediate as nextTurn } from "node:timers/promises";
import type { ServerConfig } from "@evenkeel/config";
import { limits } from "../limits.ts";
import { Connection } from "./client-connection.ts";
import type { ConnectionTable } from "./connection-table.ts";
import { type ListenTarget, listen, urlOf } from "./listen.ts";
import { answerPlainHttp } from "./plain-http.ts";
import type { TlsFiles } from "./tls-files.ts";

/** The answer that a request has to get, since it came over a connection too many. */
export type Refusal = "connection_limit" | undefined;

type RequestHandler = (req: IncomingMessage, res: ServerResponse, refusal: Refusal) => void;

/** What a listener hands on. */
export interface ListenerHandlers {
  readonly request: RequestHandler;
  /** Requests with an Expect header. Default: node answers these by itself. */
  readonly expecting?: RequestHandler;
  /** Also for CONNECT, which node hands over in the same way. Default: such requests are refused. */
  readonly upgrade?: (req: IncomingMessage, socket: Duplex, head: Buffer, refusal: Refusal) => void;
  /** A connection was closed without an answer, because there are too many. */
  readonly drop: () => void;
  /** What node's parser makes no request of, for somebody to answer on the socket. Default: node does. */
  readonly clientError?: (error: Error, socket: Duplex) => void;
  /** A TLS handshake failed; `plainHttp` when the client sent a request without TLS, which has been answered. */
  readonly handshakeFailed?: (plainHttp: boolean) => void;
  /** Accepting failed for a moment. */
  readonly error: (error: Error) => void;
}

/** The part of a configuration that may change while a listener is open. */
export interface ListenerSettings {
  readonly timeouts: Pick<ServerConfig["timeouts"], "requestHeadersMs" | "keepAliveMs">;
}

/** One address that clients connect to, by HTTP or HTTPS, with the connections that have come in through it. */
export class Listener {
  readonly #server: Server | TlsServer;
  readonly #handlers: ListenerHandlers;
  readonly #sockets = new Set<Socket>();
  readonly #connections = new Map<Duplex, Connection>();
  readonly #scheme: "http" | "https";
  /** Connections over the limit. */
  readonly #turnedAway = new Set<Duplex>();
  readonly #table: ConnectionTable;
  #stopping = false;
  #closed: Promise<void> | undefined;
  /** Connections so far, refused ones included. */
  #accepted = 0;
  /** Requests that wait until the listening socket is closed. */
  #held: (() => void)[] | undefined;

  /** Throws a `Failure` when the address cannot be had. */
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
    // Nothing is left out silently: the proxy has a limit of its own for the number of header fields.
    this.#server.maxHeadersCount = 0;
    this.#listen(tls === undefined ? "connection" : "secureConnection");
  }

  get url(): string {
    return urlOf(this.#server, this.#scheme);
  }

  /** Puts other limits in force, for connections that are open as well where node allows it. */
  configure({ timeouts }: ListenerSettings): void {
    this.#server.headersTimeout = timeouts.requestHeadersMs;
    this.#server.keepAliveTimeout = timeouts.keepAliveMs;
  }

  /** Uses another certificate for the connections to come. */
  renewTls(tls: TlsFiles): void {
    if ("setSecureContext" in this.#server) this.#server.setSecureContext(tls);
  }

  /**
   * Takes no more connections. Those that the system has accepted on our behalf are taken in first: with the listening
   * socket they would be reset, although their clients may have sent whole requests. Node takes one in each turn of the
   * event loop, so quick turns without one mean that there are no more. Requests wait until `finish`, since each answer
   * may bring the next connection.
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

  /** Lets every connection end with its next answer. Resolves when the last one is gone. */
  async finish(): Promise<void> {
    this.#stopping = true;
    for (const connection of this.#connections.values()) connection.closeAfterAnswer();
    const held = this.#held ?? [];
    this.#held = undefined;
    for (const handle of held) handle();
    await this.#closed;
    // The last sockets are told of their end a moment later, and with them the requests that they carried.
    const left = [...this.#sockets, ...this.#connections.keys()];
    await Promise.all(left.map((socket) => new Promise((resolve) => void socket.once("close", resolve))));
  }

  /** Ends the connections that have nothing under way. */
  closeIdle(): void {
    this.#server.closeIdleConnections();
    for (const { socket, silent } of this.#connections.values()) {
      if (silent) socket.destroy();
    }
    // A TLS client that has not begun its handshake is in none of the lists above.
    for (const socket of this.#sockets) {
      if (socket.bytesRead === 0) socket.destroy();
    }
  }

  /** Ends everything, whatever is under way. */
  destroy(): void {
    this.#close();
    for (const socket of this.#sockets) socket.destroy();
  }

  /**
   * Closes the listening socket alone. http.Server's own close would cut every idle connection with it, also those on
   * which the next request is on its way already, and would stop looking after late headers.
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
      handshakeFailed?.(answerPlainHttp(error, socket));
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
          connection.asked = true;
          connection.upgraded = true;
        }
        upgrade(req, socket, head, this.#refusal(socket));
      });
    }
  }

  /** A connection over the limit may ask once, and is told; one that does not ask soon has to make room. */
  #turnAway(connection: Connection): void {
    const { socket } = connection;
    this.#turnedAway.add(socket);
    const timer = setTimeout(() => {
      if (!connection.asked) this.#handlers.drop();
      socket.destroy();
    }, limits.turnAwayMs);
    socket.once("close", () => {
      clearTimeout(timer);
      this.#turnedAway.delete(socket);
    });
  }

  /** Of sockets that are too many, one whose TLS handshake has not begun makes room first: it is in no other list. */
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
    const refusal = this.#refusal(req.socket);
    this.#connections.get(req.socket)?.begin(res);
    if (this.#held === undefined) handle(req, res, refusal);
    else this.#held.push(() => handle(req, res, refusal));
  }

  #refusal(socket: Duplex): Refusal {
    return this.#turnedAway.has(socket) ? "connection_limit" : undefined;
  }

  #onConnected(socket: Socket): void {
    const connection = new Connection(socket);
    if (!this.#table.admit(connection)) this.#turnAway(connection);
    if (this.#stopping) connection.closeAfterAnswer();
    this.#connections.set(socket, connection);
    socket.once("close", () => this.#connections.delete(socket));
  }
}

function serverOptions({ timeouts }: ListenerSettings): ServerOptions {
  return {
    connectionsCheckingInterval: limits.connectionCheckMs,
    headersTimeout: timeouts.requestHeadersMs,
    // A large body may take as long as it likes; how long its bytes may stay away is the proxy's to watch.
    requestTimeout: 0,
    keepAliveTimeout: timeouts.keepAliveMs,
    keepAlive: true,
    keepAliveInitialDelay: limits.tcpKeepAliveMs,
    insecureHTTPParser: false,
    // The proxy refuses such requests itself, and has them in its log and its metrics.
    requireHostHeader: false,
  };
}
