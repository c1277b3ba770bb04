import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import type { RequestSink } from "../client/server/request-sink.ts";
import type { ServerConnection, ServerConnectionOptions } from "../client/server/server-connection.ts";
import { peerAddress, type TrustedProxies } from "../request/client-address.ts";
import type { Clock } from "../runtime/clock.ts";
import type { ConnectionTable } from "./connection-table.ts";
import { limits } from "./limits.ts";
import { ConnectionOpening, type Opened, type OpeningFailure } from "./opening/connection-opening.ts";
import { respondToPlainHttp } from "./opening/plain-http.ts";
import type { ProxiedConnection } from "./opening/proxy-protocol.ts";
import { TlsEndpoint, type TlsSettings } from "./opening/tls-endpoint.ts";
import type { Protocols } from "./protocols.ts";
import type { ServerSettings } from "./server-settings.ts";
import type { InheritedSocket } from "./sockets/inherited-socket.ts";
import type { ListeningHandle, ListenTarget } from "./sockets/listen.ts";
import { ListeningSocket } from "./sockets/listening-socket.ts";

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
  /** Of all servers that serve the same clients. */
  readonly ticketKeys: Buffer;
}

export interface ListenerEvents {
  /** A connection over the limit was closed without a response. */
  readonly dropped: () => void;
  readonly handshakeFailed: (reason: "plain_http" | "other") => void;
  /** A connection was closed because its PROXY header is malformed, incomplete or missing. */
  readonly proxyHeaderFailed: (peer: string) => void;
  readonly acceptFailed: (error: Error) => void;
}

/** One address with its client connections, which it accepts itself or which another process has accepted. */
export class Listener {
  readonly #context: ListenerContext;
  readonly #address: ListenTarget;
  readonly #listening: ListeningSocket;
  readonly #tls: TlsEndpoint | undefined;
  readonly #sockets = new Set<Socket>();
  readonly #openings = new Set<ConnectionOpening>();
  readonly #connections = new Set<ServerConnection>();
  /** What the PROXY headers of connections in a TLS handshake have said, by the addresses of the connection. */
  readonly #proxied = new Map<string, ProxiedConnection>();
  #url = "";
  #stopping = false;
  #destroyed = false;
  #closed: Promise<void> | undefined;
  #onEmpty: (() => void) | undefined;

  constructor(address: ListenTarget, context: ListenerContext) {
    this.#context = context;
    this.#address = address;
    const tls = tlsSettings(context.settings);
    this.#tls =
      tls &&
      new TlsEndpoint(tls, context.ticketKeys, {
        connected: (socket) => this.#onSecure(socket),
        failed: () => context.events.handshakeFailed("other"),
      });
    this.#listening = new ListeningSocket(
      { allowHalfOpen: true, noDelay: true, keepAlive: true, keepAliveInitialDelay: limits.tcpKeepAliveMs },
      { accepted: (socket) => this.#onSocket(socket), acceptFailed: context.events.acceptFailed },
    );
  }

  /** Throws a `ListenError` when the address cannot be listened on. A Unix socket has its path only after `publish`. */
  async open(from: InheritedSocket | undefined): Promise<void> {
    await this.#listening.open(this.#address, from);
    this.#url = this.#listening.url(this.#tls === undefined ? "http" : "https");
  }

  publish(): void {
    this.#listening.publish();
  }

  /** Empty without a listening socket. */
  get url(): string {
    return this.#url;
  }

  /** What another process can take over; undefined if there is nothing. */
  get handle(): ListeningHandle | undefined {
    return this.#listening.handle;
  }

  /** Serves a connection that another process has accepted. */
  accept(socket: Socket): void {
    socket.allowHalfOpen = true;
    socket.setNoDelay(true);
    socket.setKeepAlive(true, limits.tcpKeepAliveMs);
    this.#onSocket(socket);
  }

  /** Applies the settings in force to new connections. */
  configure(): void {
    const settings = tlsSettings(this.#context.settings);
    if (settings !== undefined) this.#tls?.configure(settings);
  }

  /** Stops accepting connections, after those in the backlog; at once if the socket was handed over to another process. */
  async stopAccepting(handedOver: boolean): Promise<void> {
    const { clock } = this.#context;
    if (handedOver) await this.#listening.handOver(clock);
    else await this.#listening.stop(clock);
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
    this.#destroyed = true;
    this.#close();
    for (const connection of [...this.#connections]) connection.destroy();
    for (const socket of [...this.#sockets]) socket.destroy();
  }

  #close(): void {
    this.#closed ??= this.#listening.close();
  }

  #onSocket(socket: Socket): void {
    const { table, settings, clock } = this.#context;
    // Without a listener, an error of the socket is an uncaught exception.
    socket.on("error", () => {});
    if (this.#destroyed) socket.destroy();
    // A client that has left in the meantime.
    if (socket.destroyed) return;
    if (socket.isPaused()) socket.resume();
    this.#sockets.add(socket);
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
    if (socket.remoteAddress === undefined && "port" in this.#address) return void socket.destroy();
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
