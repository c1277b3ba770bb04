import type { UpstreamAddress } from "../config/resolved.ts";
import type { ErrorCode } from "../errors.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { type Ticker, type Timed, tickerOf } from "../runtime/ticker.ts";
import { openSocket, readyEvent } from "./connect.ts";
import { Connection, type ConnectionOwner } from "./connection.ts";
import type { TransportSettings } from "./create-transport.ts";
import { Http1Exchange } from "./http1-exchange.ts";
import { writeRequestHead } from "./request-writer.ts";
import type { Exchange, ExchangeHandler, RequestHead, Transport } from "./transport.ts";
import { WireError } from "./wire-error.ts";

/** Milliseconds for which a connection is not used after a response; see connection.ts, "resting". */
const restMs = 5;
/** Milliseconds for which no connection to an upstream is used twice after it has sent what nobody asked for. */
const distrustMs = 60_000;

/** Our own HTTP/1.1 connections to one upstream: those at work, those that rest, those that wait, and who waits for one. */
export class Http1Transport implements Transport, ConnectionOwner {
  readonly #address: UpstreamAddress;
  readonly #settings: TransportSettings;
  readonly #runtime: Runtime;
  readonly #ticker: Ticker;
  readonly #connections = new Set<Connection>();
  /** In the order of their release. */
  readonly #resting: Connection[] = [];
  /** Rested; the last is used first. */
  readonly #idle: Connection[] = [];
  /** Exchanges that wait because all connections that may be opened are at work. */
  readonly #waiting = new Map<Http1Exchange, Timed>();
  /** Connections whose requests are written in the next check phase. */
  #claimed: Connection[] = [];
  #distrustedUntil = -Infinity;
  #closing = false;

  constructor(address: UpstreamAddress, settings: TransportSettings, runtime: Runtime) {
    this.#address = address;
    this.#settings = settings;
    this.#runtime = runtime;
    this.#ticker = tickerOf(runtime.clock);
  }

  dispatch(head: RequestHead, handler: ExchangeHandler): Exchange {
    let text = "";
    let invalid: WireError | undefined;
    try {
      text = writeRequestHead(head);
    } catch (error) {
      invalid = error as WireError;
    }
    const exchange = new Http1Exchange(head, text, handler, this.#forget);
    if (invalid !== undefined) exchange.fail({ code: invalid.code, cause: invalid, reused: false, sent: false });
    else this.#place(exchange);
    return exchange;
  }

  close(): void {
    this.#closing = true;
    for (const connection of [...this.#idle, ...this.#resting]) connection.destroy();
  }

  destroy(): void {
    this.#closing = true;
    for (const exchange of this.#waiting.keys()) this.#failWaiting(exchange, "closed");
    for (const connection of this.#connections) connection.fail(new WireError("reset", "the proxy is closing"));
  }

  onReleased(connection: Connection): void {
    if (this.#closing || this.#distrusting) return connection.destroy();
    const waiting = this.#takeWaiting();
    if (waiting === undefined) this.#resting.push(connection);
    else this.#claim(connection, waiting);
  }

  onSurplus(): void {
    this.#distrustedUntil = this.#runtime.clock.now() + distrustMs;
    for (const connection of [...this.#idle, ...this.#resting]) connection.destroy();
  }

  onUnsent(exchange: Http1Exchange): void {
    this.#place(exchange);
  }

  onClosed(connection: Connection): void {
    this.#connections.delete(connection);
    remove(this.#idle, connection);
    remove(this.#resting, connection);
    const waiting = this.#closing ? undefined : this.#takeWaiting();
    if (waiting !== undefined) this.#place(waiting);
  }

  get #distrusting(): boolean {
    return this.#runtime.clock.now() < this.#distrustedUntil;
  }

  /** Finds a connection that may be used, or opens one, or lets the exchange wait. */
  #place(exchange: Http1Exchange): void {
    if (exchange.over) return;
    const rested = exchange.head.freshConnection ? undefined : this.#takeRested();
    if (rested !== undefined) return this.#claim(rested, exchange);
    const { max } = this.#settings.connections;
    if (max === 0 || this.#connections.size < max) return this.#open(exchange);
    // At the limit a connection may not be spared its rest for a new one: the first to have been released is taken.
    const resting = exchange.head.freshConnection ? undefined : this.#resting.shift();
    if (resting !== undefined) return this.#claim(resting, exchange);
    if (exchange.head.freshConnection) this.#idle.pop()?.destroy();
    if (this.#connections.size < max) return this.#open(exchange);
    this.#wait(exchange);
  }

  /** For as long as opening a connection may take. */
  #wait(exchange: Http1Exchange): void {
    const timed: Timed = {
      deadline: this.#runtime.clock.now() + this.#settings.timeouts.connectMs,
      onDeadline: () => this.#failWaiting(exchange, "connect_timeout"),
    };
    this.#waiting.set(exchange, timed);
    this.#ticker.watch(timed);
  }

  #takeWaiting(): Http1Exchange | undefined {
    for (const exchange of this.#waiting.keys()) {
      this.#forget(exchange);
      return exchange;
    }
    return undefined;
  }

  #failWaiting(exchange: Http1Exchange, code: ErrorCode): void {
    this.#forget(exchange);
    exchange.fail({ code, cause: undefined, reused: false, sent: false });
  }

  #takeRested(): Connection | undefined {
    const before = this.#runtime.clock.now() - restMs;
    let moved = 0;
    for (const connection of this.#resting) {
      if (connection.releasedAt > before) break;
      this.#idle.push(connection);
      moved++;
    }
    if (moved > 0) this.#resting.splice(0, moved);
    return this.#idle.pop();
  }

  #open(exchange: Http1Exchange): void {
    const { timeouts, connections, tls } = this.#settings;
    const connection = new Connection(openSocket(this.#address, tls), {
      owner: this,
      timeouts: { ...timeouts, keepAliveMs: connections.keepAliveMs },
      ticker: this.#ticker,
      tls: this.#address.tls,
      ready: readyEvent(this.#address),
      clock: this.#runtime.clock,
      exchange,
    });
    this.#connections.add(connection);
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

  readonly #forget = (exchange: Http1Exchange): void => {
    const timed = this.#waiting.get(exchange);
    if (timed === undefined) return;
    this.#waiting.delete(exchange);
    this.#ticker.forget(timed);
  };
}

function remove(list: Connection[], connection: Connection): void {
  const index = list.indexOf(connection);
  if (index !== -1) list.splice(index, 1);
}
