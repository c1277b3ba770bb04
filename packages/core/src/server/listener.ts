import { createServer, type Server as NetServer, type Socket } from "node:net";
import { setImmediate as nextTurn } from "node:timers/promises";
import type { TLSSocket } from "node:tls";
import type { RequestSink } from "../client/server/request-sink.ts";
import type { ServerConnection, ServerConnectionOptions } from "../client/server/server-connection.ts";
import { peerAddress, type TrustedProxies } from "../request/client-address.ts";
import type { Clock } from "../runtime/clock.ts";
import type { ConnectionTable } from "./connection-table.ts";
import { limits } from "./limits.ts";
import { type ListenTarget, listen, urlOf } from "./listen.ts";
import { ConnectionOpening, type Opened, type OpeningFailure } from "./opening/connection-opening.ts";
import { respondToPlainHttp } from "./opening/plain-http.ts";
import type { ProxiedConnection } from "./opening/proxy-protocol.ts";
import { TlsEndpoint, type TlsSettings } from "./opening/tls-endpoint.ts";
import type { Protocols } from "./protocols.ts";
import type { ServerSettings } from "./server-settings.ts";

/** What the listeners of a server share. */
export interface ListenerContext {
  readonly clock: Clock;
  readonly sink: RequestSink;
  readonly table: ConnectionTable;
  readonly protocols: Protocols;
  readonly events: ListenerEvents;
  /** The settings in force. */
  readonly settings: ServerSettings;
  /** The peers that send the PROXY protocol. */
  readonly proxies: TrustedProxies;
}

export interface ListenerEvents {
  /** A connection over the limit was closed without a response. */
  readonly dropped: () => void;
  readonly handshakeFailed: (reason: "plain_http" | "other") => void;
  /** A connection was closed because its PROXY header is malformed, incomplete or missing. */
  readonly proxyHeaderFailed: (peer: string) => void;
  readonly acceptFailed: (error: Error) => void;
}

/** One listening address with its client connections. */
export class Listener {
  readonly #context: ListenerContext;
  readonly #server: NetServer;
  readonly #tls: TlsEndpoint | undefined;
  readonly #sockets = new Set<Socket>();
  readonly #openings = new Set<ConnectionOpening>();
  readonly #connections = new Set<ServerConnection>();
  /** What the PROXY headers of connections in a TLS handshake have said, by the addresses of the connection. */
  readonly #proxied = new Map<string, ProxiedConnection>();
  #url = "";
  /** Connections accepted so far, refused ones included. */
  #accepted = 0;
  #stopping = false;
  #closed: Promise<void> | undefined;
  #onEmpty: (() => void) | undefined;

  /** Throws a `ListenError` when the address cannot be listened on. */
  static async open(address: ListenTarget, context: ListenerContext): Promise<Listener> {
    const listener = new Listener(context);
    await listen(listener.#server, address);
    listener.#url = urlOf(listener.#server, listener.#tls === undefined ? "http" : "https");
    listener.#server.on("error", context.events.acceptFailed);
    return listener;
  }

  private constructor(context: ListenerContext) {
    this.#context = context;
    const tls = tlsSettings(context.settings);
    this.#tls =
      tls &&
      new TlsEndpoint(tls, {
        connected: (socket) => this.#onSecure(socket),
        failed: () => context.events.handshakeFailed("other"),
      });
    this.#server = createServer(
      { allowHalfOpen: true, noDelay: true, keepAlive: true, keepAliveInitialDelay: limits.tcpKeepAliveMs },
      (socket) => this.#onSocket(socket),
    );
  }

  get url(): string {
    return this.#url;
  }

  /** Applies the settings in force to new connections. */
  configure(): void {
    const settings = tlsSettings(this.#context.settings);
    if (settings !== undefined) this.#tls?.configure(settings);
  }

  /**
   * Stops accepting connections. The connections in the backlog of the system are accepted first: closing the listening
   * socket would reset them, although their clients may have sent whole requests. Node accepts one in each turn of the event
   * loop, so short turns without one mean that the backlog is empty.
   */
  async stopAccepting(): Promise<void> {
    const { clock } = this.#context;
    const startedAt = clock.now();
    let turnAt = startedAt;
    await nextTurn();
    for (let quietTurns = 0; quietTurns < 2 && turnAt - startedAt < limits.acceptRestMs; ) {
      const before = this.#accepted;
      turnAt = clock.now();
      await nextTurn();
      const quiet = this.#accepted === before && clock.now() - turnAt < limits.quietTurnMs;
      quietTurns = quiet ? quietTurns + 1 : 0;
    }
    this.#close();
  }

  /** Closes every connection after its next response. */
  closeAfterResponses(): void {
    this.#stopping = true;
    for (const connection of [...this.#connections]) connection.closeAfterResponses();
  }

  /** Closes the connections on which no part of a request was received. */
  closeUnused(): void {
    for (const connection of [...this.#connections]) connection.closeIfUnused();
    for (const { silent, socket } of [...this.#openings]) if (silent) socket.destroy();
  }

  /** Resolves when the listening socket and every connection are closed. */
  async closed(): Promise<void> {
    this.#close();
    await this.#closed;
    if (this.#sockets.size === 0) return;
    await new Promise<void>((resolve) => {
      this.#onEmpty = resolve;
    });
  }

  /** Closes everything, even with requests in flight. */
  destroy(): void {
    this.#close();
    for (const connection of [...this.#connections]) connection.destroy();
    for (const socket of [...this.#sockets]) socket.destroy();
  }

  #close(): void {
    this.#closed ??= new Promise((resolve) => {
      this.#server.close(() => resolve());
    });
  }

  #onSocket(socket: Socket): void {
    const { table, settings, clock } = this.#context;
    this.#accepted++;
    this.#sockets.add(socket);
    // Without a listener, an error of the socket is an uncaught exception.
    socket.on("error", () => {});
    socket.once("close", () => this.#onSocketClosed(socket));
    if (!table.acceptSocket() && !this.#dropSilent()) return this.#drop(socket);
    const proxyHeader = this.#isProxy(socket);
    if (!proxyHeader && this.#tls === undefined && !settings.h2c)
      return this.#serve(socket, "http1", undefined, undefined);
    const timeoutMs = settings.limits.requestHeadersMs;
    const opening = new ConnectionOpening(
      socket,
      { proxyHeader, tls: this.#tls !== undefined, h2c: settings.h2c, timeoutMs },
      clock,
      { opened: this.#onOpened, failed: this.#onOpeningFailed },
    );
    this.#openings.add(opening);
  }

  #isProxy({ remoteAddress }: Socket): boolean {
    return remoteAddress !== undefined && this.#context.proxies.includes(peerAddress(remoteAddress));
  }

  #onSocketClosed(socket: Socket): void {
    this.#sockets.delete(socket);
    this.#context.table.releaseSocket();
    if (this.#sockets.size === 0) this.#onEmpty?.();
  }

  readonly #onOpened = (opening: ConnectionOpening, { protocol, early, proxied }: Opened): void => {
    const { socket } = opening;
    this.#openings.delete(opening);
    if (protocol !== "tls") return this.#serve(socket, protocol, early, proxied);
    if (proxied !== undefined) {
      const addresses = addressesOf(socket);
      this.#proxied.set(addresses, proxied);
      socket.once("close", () => void this.#proxied.delete(addresses));
    }
    this.#tls?.accept(socket);
  };

  readonly #onOpeningFailed = (opening: ConnectionOpening, why: OpeningFailure): void => {
    const { events, clock } = this.#context;
    const { socket } = opening;
    this.#openings.delete(opening);
    if (why === "plain_http") {
      events.handshakeFailed("plain_http");
      return respondToPlainHttp(socket, clock);
    }
    if (this.#tls !== undefined && why !== "proxy_header") events.handshakeFailed("other");
    // A load balancer may check the port by a connection without data.
    if (why === "proxy_header" || (!opening.silent && opening.awaitsProxyHeader)) {
      events.proxyHeaderFailed(peerAddress(socket.remoteAddress));
    }
    socket.destroy();
  };

  #onSecure(socket: TLSSocket): void {
    socket.on("error", () => {});
    const proxied = this.#proxied.size === 0 ? undefined : this.#proxied.get(addressesOf(socket));
    // A TCP connection without addresses is closed already, and it is not known whether a proxy header belongs to it.
    if (socket.remoteAddress === undefined && typeof this.#server.address() !== "string") return void socket.destroy();
    this.#serve(socket, socket.alpnProtocol === "h2" ? "http2" : "http1", undefined, proxied);
  }

  #serve(
    socket: Socket,
    protocol: "http1" | "http2",
    early: Buffer | undefined,
    proxied: ProxiedConnection | undefined,
  ): void {
    const { sink, clock, settings, table, protocols } = this.#context;
    const options: ServerConnectionOptions = {
      sink,
      clock,
      limits: settings.limits,
      early,
      remoteAddress: proxied?.source ?? socket.remoteAddress,
      encrypted: this.#tls !== undefined || proxied?.encrypted === true,
      refusal: table.hasRoom() ? undefined : "connection_limit",
      onClosed: () => {
        this.#connections.delete(connection);
        table.remove(connection);
      },
    };
    const connection = protocols[protocol](socket, options);
    this.#connections.add(connection);
    if (options.refusal === undefined) table.add(connection);
    else this.#limitRefusal(connection);
    if (this.#stopping) connection.closeAfterResponses();
  }

  /** A connection over the limit gets an error response to one request. It is closed if it sends none in time. */
  #limitRefusal(connection: ServerConnection): void {
    const { clock, events } = this.#context;
    clock.setTimeout(() => {
      if (!this.#connections.has(connection)) return;
      if (!connection.requested) events.dropped();
      connection.destroy();
    }, limits.refusalMs);
  }

  /** Closes a socket that has sent nothing, to make room for a new one. */
  #dropSilent(): boolean {
    for (const { silent, socket } of this.#openings) {
      if (!silent || socket.destroyed) continue;
      this.#drop(socket);
      return true;
    }
    return false;
  }

  #drop(socket: Socket): void {
    socket.destroy();
    this.#context.events.dropped();
  }
}

function tlsSettings({ certificates, http2, limits: { requestHeadersMs } }: ServerSettings): TlsSettings | undefined {
  return certificates && { certificates, http2, handshakeTimeoutMs: requestHeadersMs };
}

/** The two ends of a TCP connection, which identify it while it is open. */
function addressesOf({ remoteAddress, remotePort, localAddress, localPort }: Socket): string {
  return `${remoteAddress} ${remotePort} ${localAddress} ${localPort}`;
}
