import type { UpstreamAddress } from "../../config/resolved.ts";
import type { ResolvedName } from "../../dns/resolved-name.ts";
import type { ErrorCode } from "../../errors.ts";
import type { Runtime } from "../../runtime/runtime.ts";
import { type Ticker, tickerOf } from "../../runtime/ticker.ts";
import type { SocketOpener } from "../connector.ts";
import type { TransportSettings } from "../create-transport.ts";
import { ConnectionLifetime } from "../http1/connection-lifetime.ts";
import type { ConnectionTimeouts } from "../http1/connection-setup.ts";
import type { ConnectionUse, Exchange, ExchangeHandler, RequestHead, Transport } from "../transport.ts";
import type { TransportError } from "../transport-error.ts";
import { failUnsent, WaitingExchanges } from "../waiting-exchanges.ts";
import { Dial, type DialOwner, type Http1Fallback, type OpenedSocket } from "./dial.ts";
import { Http2Exchange } from "./http2-exchange.ts";
import { requestFields } from "./request-fields.ts";
import { Session } from "./session.ts";
import type { SessionOwner } from "./session-roles.ts";

/** The streams that a connection is expected to allow before its settings are known (RFC 9113 section 6.5.2 recommends no fewer). */
const expectedStreams = 100;

/** HTTP/2 connections to one upstream, as few as the requests in flight need, and the exchanges that wait for a stream. */
export class Http2Transport implements Transport, SessionOwner, DialOwner {
  readonly #address: UpstreamAddress;
  readonly #settings: TransportSettings;
  readonly #connector: SocketOpener;
  readonly #fallback: Http1Fallback | undefined;
  readonly #timeouts: ConnectionTimeouts;
  readonly #runtime: Runtime;
  readonly #ticker: Ticker;
  /** Sessions that accept exchanges, oldest first. */
  readonly #sessions = new Set<Session>();
  /** Sessions that only finish their exchanges. */
  readonly #retired = new Set<Session>();
  readonly #dials = new Set<Dial>();
  /** Exchanges that wait for a connection or a stream, in order. */
  readonly #waiting: WaitingExchanges<Http2Exchange>;
  /** Sessions whose exchanges are sent in the next check phase. */
  readonly #claimed = new Set<Session>();
  /** The lifetime and the address of each connection. */
  readonly #uses = new WeakMap<Session, { readonly lifetime: ConnectionLifetime; readonly address: string }>();
  /** Undefined for addresses and unix sockets. */
  readonly #name: ResolvedName | undefined;
  #nameVersion = 0;
  #serving = false;
  /** The limit of connections. */
  #max: number;
  #onShort: (() => void) | undefined;
  #closing = false;

  /** Without `fallback` the upstream has to speak HTTP/2, as it does where there is no TLS and so no ALPN. */
  constructor(
    address: UpstreamAddress,
    settings: TransportSettings,
    runtime: Runtime,
    connector: SocketOpener,
    fallback?: Http1Fallback,
  ) {
    this.#address = address;
    this.#settings = settings;
    this.#connector = connector;
    this.#name = connector.nameOf(address);
    this.#max = settings.connections.max || Infinity;
    this.#fallback = fallback;
    this.#timeouts = { ...settings.timeouts, keepAliveMs: settings.connections.keepAliveMs };
    this.#runtime = runtime;
    this.#ticker = tickerOf(runtime.clock);
    this.#waiting = new WaitingExchanges(runtime.clock, this.#ticker, this.#timeouts.connectMs, (exchange) =>
      this.#onWaitedTooLong(exchange),
    );
  }

  dispatch(head: RequestHead, handler: ExchangeHandler): Exchange {
    let fields: string[] = [];
    let invalid: TransportError | undefined;
    try {
      fields = requestFields(head, this.#address.tls ? "https" : "http");
    } catch (error) {
      invalid = error as TransportError;
    }
    const exchange = new Http2Exchange(head, fields, handler, this.#waiting.leave);
    if (invalid !== undefined) failUnsent(exchange, invalid.code, invalid);
    else if (this.#closing) failUnsent(exchange, "closed", undefined);
    else if (this.#waiting.size > 0 || !this.#place(exchange)) this.#wait(exchange);
    return exchange;
  }

  get connectionUse(): ConnectionUse {
    const busy = [...this.#sessions].filter(({ active }) => active > 0).length;
    return { open: this.#open, wanted: busy + this.#dials.size + (this.#full ? this.#lacking() : 0) };
  }

  limitConnections(max: number, onShort: () => void): void {
    this.#max = max;
    this.#onShort = onShort;
    const leastUsed = [...this.#sessions].sort((one, other) => one.active - other.active);
    for (const session of leastUsed.slice(0, Math.max(0, this.#open - max))) this.#retire(session);
    this.#serveWaiting();
  }

  close(): void {
    this.#closing = true;
    this.#retireIfClosing();
  }

  destroy(): void {
    this.#closing = true;
    for (const dial of this.#dials) dial.destroy();
    this.#dials.clear();
    for (const exchange of [...this.#waiting]) this.#waiting.refuse(exchange, "closed", undefined);
    for (const session of [...this.#sessions, ...this.#retired]) session.destroy();
  }

  // Sessions.

  onRoom(_session: Session): void {
    this.#serveWaiting();
    this.#retireIfClosing();
  }

  onRetired(session: Session): void {
    if (!this.#sessions.delete(session)) return;
    this.#retired.add(session);
    this.#serveWaiting();
  }

  onClosed(session: Session): void {
    this.#sessions.delete(session);
    this.#retired.delete(session);
    this.#serveWaiting();
  }

  onUnsent(exchanges: readonly Http2Exchange[]): void {
    for (const exchange of exchanges) {
      // It goes before the waiting exchanges: it has waited already.
      if (!exchange.over && !this.#place(exchange)) this.#wait(exchange);
    }
  }

  onHttp1Required(): void {
    this.#fallback?.onHttp1Required();
  }

  // Dials.

  onOpened(dial: Dial, opened: OpenedSocket): void {
    this.#dials.delete(dial);
    if (opened.protocol === "http/1.1") {
      const waiting = [...this.#waiting];
      for (const exchange of waiting) this.#waiting.leave(exchange);
      return this.#fallback?.onHttp1(opened, waiting);
    }
    const { clock, random } = this.#runtime;
    const session = new Session(opened, {
      owner: this,
      timeouts: this.#timeouts,
      liveness: this.#settings.connections,
      responseHead: this.#settings.connections.responseHead,
      ticker: this.#ticker,
      clock,
    });
    const lifetime = new ConnectionLifetime(opened.openedAt, this.#settings.connections, random);
    this.#uses.set(session, { lifetime, address: opened.socket.remoteAddress ?? "" });
    this.#sessions.add(session);
    this.#serveWaiting();
    session.send();
    this.#retireIfClosing();
  }

  /** Fails all waiting exchanges if no other connection is open or opening, else the first one only. */
  onDialFailed(dial: Dial, code: ErrorCode, cause: unknown): void {
    this.#dials.delete(dial);
    const alone = this.#dials.size === 0 && this.#sessions.size === 0;
    for (const exchange of [...this.#waiting]) {
      this.#waiting.refuse(exchange, code, cause);
      if (!alone) break;
    }
    this.#serveWaiting();
  }

  // Exchanges.

  /** Assigns an exchange to a connection with a free stream. False when there is none. */
  #place(exchange: Http2Exchange): boolean {
    const { freshConnection } = exchange.head;
    if (this.#name !== undefined) this.#followName(this.#name);
    for (const session of this.#sessions) {
      if (this.#isSpent(session)) {
        this.#retire(session);
        continue;
      }
      if (session.room <= 0 || (freshConnection && session.served)) continue;
      this.#uses.get(session)?.lifetime.begin();
      session.claim(exchange);
      if (this.#claimed.size === 0) setImmediate(this.#sendClaimed);
      this.#claimed.add(session);
      return true;
    }
    return false;
  }

  #retire(session: Session): void {
    // The exchanges that it was assigned in this turn of the event loop are sent first.
    if (this.#claimed.has(session)) this.#uses.get(session)?.lifetime.retire();
    else session.retire();
  }

  /** Whether a connection has reached its maximum age or number of requests, or its address is no longer the upstream's. */
  #isSpent(session: Session): boolean {
    return this.#uses.get(session)?.lifetime.isOver(this.#runtime.clock.now()) === true;
  }

  #followName(name: ResolvedName): void {
    name.use();
    if (name.version === this.#nameVersion) return;
    this.#nameVersion = name.version;
    for (const session of this.#sessions) {
      const use = this.#uses.get(session);
      if (use !== undefined && !name.has(use.address)) use.lifetime.retire();
    }
  }

  readonly #sendClaimed = (): void => {
    const claimed = [...this.#claimed];
    this.#claimed.clear();
    for (const session of claimed) {
      session.send();
      if (this.#isSpent(session)) session.retire();
    }
  };

  /** Waits for at most the connect timeout. */
  #wait(exchange: Http2Exchange): void {
    this.#waiting.enter(exchange);
    this.#dialIfNeeded();
    if (this.#onShort !== undefined && this.#full && this.#lacking() > 0) this.#onShort();
  }

  /** A wait because of our own limit is our failure. That no connection has become usable is the upstream's. */
  #onWaitedTooLong(exchange: Http2Exchange): void {
    const full = [...this.#sessions].every(({ settled }) => settled) && this.#full;
    const [dial] = this.#dials;
    const error = full || dial === undefined ? undefined : dial.timeoutError();
    const code = error?.code ?? (full ? "queue_timeout" : "connect_timeout");
    this.#waiting.refuse(exchange, code, error ?? new Error("no connection had a free stream in time"));
  }

  #serveWaiting(): void {
    if (this.#serving || this.#waiting.size === 0) return;
    this.#serving = true;
    for (const exchange of [...this.#waiting]) {
      if (this.#place(exchange)) this.#waiting.leave(exchange);
      else if (!exchange.head.freshConnection) break;
    }
    this.#serving = false;
    this.#dialIfNeeded();
  }

  /** Opens another connection for waiting exchanges, unless those that are opening are expected to have enough streams. */
  #dialIfNeeded(): void {
    const fresh = [...this.#waiting].some(({ head }) => head.freshConnection);
    // An upstream that allows no stream at all does not allow one on another connection either.
    const allowsNone = [...this.#sessions].some((session) => session.allowsNone);
    while (this.#lacking(fresh) > 0 && !allowsNone && this.#hasRoom(fresh)) {
      const { clock } = this.#runtime;
      const options = { owner: this, connector: this.#connector, ticker: this.#ticker, clock };
      this.#dials.add(new Dial(this.#address, this.#settings, options));
    }
  }

  /** The number of connections that waiting exchanges need beside those that are opening. */
  #lacking(fresh = false): number {
    const unsettled = fresh ? 0 : [...this.#sessions].filter(({ settled }) => !settled).length;
    const lacking = this.#waiting.size - (this.#dials.size + unsettled) * expectedStreams;
    return Math.max(0, Math.ceil(lacking / expectedStreams));
  }

  /** Whether another connection may be opened. An idle session is retired to make room for a fresh connection. */
  #hasRoom(fresh: boolean): boolean {
    if (this.#full && fresh) [...this.#sessions].find(({ active }) => active === 0)?.retire();
    return !this.#full;
  }

  /** Retired sessions do not count: most of them are ended by the upstream. */
  get #full(): boolean {
    return this.#open >= this.#max;
  }

  get #open(): number {
    return this.#sessions.size + this.#dials.size;
  }

  #retireIfClosing(): void {
    if (!this.#closing || this.#waiting.size > 0) return;
    for (const dial of this.#dials) dial.destroy();
    this.#dials.clear();
    for (const session of [...this.#sessions]) session.retire();
  }
}
