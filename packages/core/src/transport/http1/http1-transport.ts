import type { Duplex } from "node:stream";
import type { UpstreamAddress } from "../../config/resolved.ts";
import type { ResolvedName } from "../../dns/resolved-name.ts";
import type { Timer } from "../../runtime/clock.ts";
import type { Runtime } from "../../runtime/runtime.ts";
import { type Ticker, tickerOf } from "../../runtime/ticker.ts";
import { readyEvent, type SocketOpener } from "../connector.ts";
import type { TransportSettings } from "../create-transport.ts";
import { connectFailureCode } from "../failure-codes.ts";
import type { OpenedSocket } from "../http2/dial.ts";
import type { ConnectionUse, Exchange, ExchangeHandler, RequestHead, Transport } from "../transport.ts";
import { TransportError } from "../transport-error.ts";
import { failUnsent, WaitingExchanges } from "../waiting-exchanges.ts";
import { Connection } from "./connection.ts";
import { ConnectionLifetime } from "./connection-lifetime.ts";
import type { ConnectionTimeouts } from "./connection-setup.ts";
import { Http1Exchange } from "./http1-exchange.ts";
import { IdleConnections } from "./idle-connections.ts";
import { writeRequestHead } from "./request-writer.ts";

const alpn = ["http/1.1"];

/** Milliseconds for which no connection is reused after the upstream has sent bytes that belong to no response. */
const distrustMs = 60_000;

/** HTTP/1.1 connections to one upstream, busy and idle, and the exchanges that wait for one. See README.md. */
export class Http1Transport implements Transport {
  readonly #address: UpstreamAddress;
  readonly #settings: TransportSettings;
  readonly #timeouts: ConnectionTimeouts;
  readonly #runtime: Runtime;
  readonly #connector: SocketOpener;
  /** Undefined for addresses and unix sockets. */
  readonly #name: ResolvedName | undefined;
  #nameVersion = 0;
  readonly #ticker: Ticker;
  readonly #connections = new Set<Connection>();
  readonly #idle = new IdleConnections();
  /** Idle connections that may have authenticated a client, by client connection, the longest idle first. */
  readonly #bound = new Map<Duplex, Connection>();
  /** Exchanges in the order of their wait: all connections that the limit allows are busy or resting. */
  readonly #waiting: WaitingExchanges<Http1Exchange>;
  #serving = false;
  #wakeTimer: Timer | undefined;
  /** Connections whose requests are written in the next check phase. */
  #claimed: Connection[] = [];
  #distrustedUntil = -Infinity;
  /** The limit of connections. */
  #max: number;
  #onShort: (() => void) | undefined;
  #closing = false;

  constructor(address: UpstreamAddress, settings: TransportSettings, runtime: Runtime, connector: SocketOpener) {
    this.#address = address;
    this.#settings = settings;
    this.#timeouts = { ...settings.timeouts, keepAliveMs: settings.connections.keepAliveMs };
    this.#runtime = runtime;
    this.#connector = connector;
    this.#name = connector.nameOf(address);
    this.#max = settings.connections.max || Infinity;
    this.#ticker = tickerOf(runtime.clock);
    this.#waiting = new WaitingExchanges(runtime.clock, this.#ticker, this.#timeouts.connectMs, (exchange) =>
      this.#waiting.refuse(exchange, "queue_timeout"),
    );
  }

  dispatch(head: RequestHead, handler: ExchangeHandler): Exchange {
    let text = "";
    let invalid: TransportError | undefined;
    try {
      text = writeRequestHead(head);
    } catch (error) {
      invalid = error as TransportError;
    }
    const exchange = new Http1Exchange(head, text, handler, this.#waiting.leave);
    if (invalid !== undefined) failUnsent(exchange, invalid.code, invalid);
    else if (this.#closing) failUnsent(exchange, "closed", undefined);
    else if (this.#waiting.size > 0 || !this.#place(exchange)) this.#wait(exchange);
    return exchange;
  }

  /** Begins an exchange on an open connection that has carried nothing. As with `dispatch`, the handler is called later. */
  dispatchOn(opened: OpenedSocket, head: RequestHead, handler: ExchangeHandler): Exchange {
    const exchange = new Http1Exchange(head, writeRequestHead(head), handler, this.#waiting.leave);
    const open = (onBytes: (bytes: Buffer) => void) => {
      opened.readFrom(onBytes);
      return opened.socket;
    };
    const openedAt = opened.openedAt - opened.connectMs;
    this.#connections.add(new Connection({ ...this.#connectionOptions(exchange), open, ready: undefined, openedAt }));
    return exchange;
  }

  /** The number of connections. */
  get size(): number {
    return this.#connections.size;
  }

  get connectionUse(): ConnectionUse {
    const open = this.size;
    const waiting = this.full ? this.#waiting.size : 0;
    return { open, wanted: open - this.#idle.size - this.#bound.size + waiting };
  }

  limitConnections(max: number, onShort: () => void): void {
    this.#max = max;
    this.#onShort = onShort;
    while (this.size > max) {
      const idle = this.#idle.takeLeast() ?? this.#bound.values().next().value;
      if (idle === undefined) break;
      idle.close();
    }
    this.#serveWaiting();
  }

  close(): void {
    this.#closing = true;
    this.#closeIdle();
  }

  destroy(): void {
    this.#closing = true;
    for (const exchange of this.#waiting) this.#waiting.refuse(exchange, "closed");
    for (const connection of this.#connections) connection.fail(new TransportError("reset", "the proxy is closing"));
    this.#runtime.clock.clearTimeout(this.#wakeTimer);
  }

  /** The connection is reusable after its exchange, once it has rested. */
  onReleased(connection: Connection): void {
    const surplus = this.size > this.#max;
    if (this.#closing || surplus || connection.releasedAt < this.#distrustedUntil) return connection.close();
    if (connection.authentication.bound) this.#keepForClient(connection);
    else this.#idle.add(connection);
    this.#serveWaiting();
  }

  /** Keeps a connection that may have authenticated a client for that client connection only, until it closes. */
  #keepForClient(connection: Connection): void {
    const { client } = connection.authentication;
    const { authenticated } = this.#connector;
    const onEnd = () => client && this.#bound.get(client)?.close();
    if (client === undefined || !authenticated.keep(client, this.#address, onEnd)) return connection.close();
    const other = this.#bound.get(client);
    this.#bound.set(client, connection);
    other?.close();
  }

  #takeBound({ client, freshConnection }: RequestHead): Connection | undefined {
    if (client === undefined || freshConnection || this.#bound.size === 0) return undefined;
    const connection = this.#bound.get(client);
    this.#bound.delete(client);
    return connection;
  }

  #forgetBound(connection: Connection): void {
    const { bound, client } = connection.authentication;
    if (!bound || client === undefined) return;
    const kept = this.#bound.get(client);
    if (kept === connection) this.#bound.delete(client);
    if (kept === connection || kept === undefined) this.#connector.authenticated.forget(client, this.#address);
  }

  #closeIdle(): void {
    this.#idle.closeAll();
    for (const connection of [...this.#bound.values()]) connection.close();
  }

  /** The upstream has sent bytes that belong to no response. */
  onSurplus(): void {
    this.#distrustedUntil = this.#runtime.clock.now() + distrustMs;
    this.#closeIdle();
    for (const connection of this.#claimed) connection.close();
  }

  /** `unsent` was claimed by the connection, and nothing of it has been written. */
  onClosed(connection: Connection, unsent: Http1Exchange | undefined): void {
    this.#connections.delete(connection);
    this.#idle.remove(connection);
    this.#forgetBound(connection);
    // It goes before the waiting exchanges: it has waited already.
    if (unsent !== undefined && !this.#place(unsent)) this.#wait(unsent);
    this.#serveWaiting();
  }

  /** Assigns an idle connection, or opens one. False when neither is possible now. */
  #place(exchange: Http1Exchange): boolean {
    if (this.#name !== undefined) this.#followName(this.#name);
    const fresh = exchange.head.freshConnection;
    const rested = this.#takeBound(exchange.head) ?? (fresh ? undefined : this.#idle.take(this.#runtime.clock.now()));
    if (rested !== undefined) {
      this.#claim(rested, exchange);
      return true;
    }
    if (fresh && this.full) this.#idle.takeLeast()?.close();
    if (this.full) this.#bound.values().next().value?.close();
    if (this.full) return false;
    this.#open(exchange);
    return true;
  }

  /** Retires connections to addresses that the name no longer has. */
  #followName(name: ResolvedName): void {
    name.use();
    if (name.version === this.#nameVersion) return;
    this.#nameVersion = name.version;
    for (const connection of this.#connections) {
      const { remoteAddress } = connection;
      if (remoteAddress !== undefined && !name.has(remoteAddress)) connection.retire();
    }
  }

  /** The limit of connections is reached. */
  get full(): boolean {
    return this.#connections.size >= this.#max;
  }

  /** Waits for at most the connect timeout. A timeout is our own failure, since the limit is ours. */
  #wait(exchange: Http1Exchange): void {
    this.#waiting.enter(exchange);
    this.#wakeWhenRested();
    if (this.full) this.#onShort?.();
  }

  /** Serves waiting exchanges in order, up to the first that cannot be served. */
  #serveWaiting(): void {
    if (this.#serving) return;
    this.#serving = true;
    for (const exchange of this.#waiting) {
      if (!this.#place(exchange)) break;
      this.#waiting.leave(exchange);
    }
    this.#serving = false;
    this.#wakeWhenRested();
  }

  /** Resting connections have no timers. One timer runs while an exchange waits. */
  #wakeWhenRested(): void {
    const { clock } = this.#runtime;
    const { nextRestedAt } = this.#idle;
    if (this.#waiting.size === 0 || nextRestedAt === Infinity || this.#wakeTimer !== undefined) return;
    this.#wakeTimer = clock.setTimeout(
      () => {
        this.#wakeTimer = undefined;
        this.#serveWaiting();
      },
      Math.max(0, Math.ceil(nextRestedAt - clock.now())),
    );
  }

  #open(exchange: Http1Exchange): void {
    let connection: Connection;
    try {
      connection = new Connection({
        ...this.#connectionOptions(exchange),
        open: (onBytes) => this.#connector.open(this.#address, this.#settings.tls, { alpn, onBytes }),
        ready: readyEvent(this.#address),
        openedAt: this.#runtime.clock.now(),
      });
    } catch (error) {
      return failUnsent(exchange, connectFailureCode(error, this.#address.tls), error);
    }
    this.#connections.add(connection);
  }

  #connectionOptions(exchange: Http1Exchange) {
    const { clock, random } = this.#runtime;
    return {
      transport: this,
      timeouts: this.#timeouts,
      responseHead: this.#settings.connections.responseHead,
      ticker: this.#ticker,
      tls: this.#address.tls,
      clock,
      lifetime: new ConnectionLifetime(clock.now(), this.#settings.connections, random),
      exchange,
    };
  }

  #claim(connection: Connection, exchange: Http1Exchange): void {
    connection.claim(exchange);
    if (this.#claimed.push(connection) === 1) setImmediate(this.#sendClaimed);
  }

  readonly #sendClaimed = (): void => {
    const claimed = this.#claimed;
    this.#claimed = [];
    for (const connection of claimed) connection.send();
  };
}
