import type { Duplex } from "node:stream";
import { limits as fixed } from "../../config/defaults.ts";
import type { ErrorCode } from "../../errors.ts";
import type { Clock } from "../../runtime/clock.ts";
import { RawStream } from "../raw-stream.ts";
import { ConnectionOutput } from "../server/connection-output.ts";
import type { RequestSink } from "../server/request-sink.ts";
import type { ServerConnection, ServerConnectionOptions } from "../server/server-connection.ts";
import type { ServerLimits } from "../server/server-limits.ts";
import { type Awaited, ConnectionDeadline } from "./connection-deadline.ts";
import { dateLine } from "./date-field.ts";
import type { ExchangeConnection } from "./exchange-connection.ts";
import type { RequestFault } from "./request-fault.ts";
import { isImplemented, type RequestHead } from "./request-head.ts";
import { type RequestOwner, RequestReader } from "./request-reader.ts";
import { resetAfterData } from "./reset-after-data.ts";
import { switchingProtocols } from "./response-head.ts";
import { ResponseQueue } from "./response-queue.ts";
import { ServerExchange } from "./server-exchange.ts";

const unknownLine = { method: "", target: "", httpVersion: "" };

/**
 * One connection of a client over HTTP/1.1 or HTTP/1.0, on a socket that is connected and allows half-open connections. Reads its
 * requests one after another, and sends the responses in their order.
 */
export class Http1ServerConnection implements ServerConnection, ExchangeConnection, RequestOwner {
  requested = false;
  idleSince: number;
  readonly socket: Duplex;
  readonly remoteAddress: string | undefined;
  readonly encrypted: boolean;
  readonly keepAliveLines: string;
  readonly output: ConnectionOutput;
  readonly #sink: RequestSink;
  readonly #refusal: ErrorCode | undefined;
  readonly #limits: ServerLimits;
  readonly #clock: Clock;
  readonly #onClosed: () => void;
  readonly #deadline: ConnectionDeadline;
  readonly #reader: RequestReader;
  readonly #responses: ResponseQueue;
  #served = 0;
  #handshake: ServerExchange | undefined;
  /** Responses close the connection as soon as none is in flight behind them. */
  #draining = false;
  /** The connection was not read for a while, since the last time when no request was in flight. */
  #wasCrowded = false;
  /** The client has ended its side. */
  #ended = false;
  /** The last response was sent. */
  #lingering = false;
  #isTunnel = false;

  constructor(socket: Duplex, options: ServerConnectionOptions) {
    const { limits, clock, early } = options;
    this.socket = socket;
    this.#sink = options.sink;
    this.#refusal = options.refusal;
    this.#limits = limits;
    this.#clock = clock;
    this.#onClosed = options.onClosed;
    this.remoteAddress = options.remoteAddress;
    this.encrypted = options.encrypted;
    this.keepAliveLines = keepAliveLines(limits.keepAliveMs);
    this.#responses = new ResponseQueue(this, () => this.#onSettled());
    this.output = new ConnectionOutput(socket, options, () => this.#responses.settle());
    this.#deadline = new ConnectionDeadline(clock, (awaited) => this.#onDeadline(awaited));
    this.#reader = new RequestReader(socket, options, this.#deadline, this);
    this.idleSince = clock.now();
    this.#deadline.start("head", limits.requestHeadersMs, this.idleSince);
    if (early !== undefined && early.length > 0) socket.unshift(early);
    this.#reader.start();
    socket.on("end", this.#onEnd).on("drain", this.#onDrain).on("error", ignore);
    if (socket.closed) process.nextTick(() => this.#onSocketClosed());
    else socket.on("close", () => this.#onSocketClosed());
  }

  get idle(): boolean {
    return this.#responses.empty && this.#reader.receiving === undefined && !this.#isTunnel;
  }

  get dateLine(): string {
    return dateLine(this.#clock);
  }

  closeAfterResponses(): void {
    this.#draining = true;
  }

  closeIfUnused(): void {
    if (this.idle && !this.#reader.withinRequest && !this.#reader.waiting) this.socket.destroy();
  }

  destroy(): void {
    this.socket.destroy();
  }

  // Called by the reader.

  get free(): boolean {
    return this.#responses.empty;
  }

  get crowded(): boolean {
    const max = this.#draining ? 0 : fixed.pipelinedRequests;
    const crowded = this.#responses.size > max || this.output.blocked;
    this.#wasCrowded ||= crowded;
    return crowded;
  }

  onHead(head: RequestHead): void {
    if (head.offersWebSocket && !this.free) return this.#reader.defer(head);
    this.requested = true;
    this.#served++;
    const refusal = this.#refusal;
    const isKnown = isImplemented(head);
    const hasBody = head.bodyLength !== 0 && !head.offersWebSocket;
    const exchange = new ServerExchange(this, head, head.headers, hasBody);
    exchange.last = refusal !== undefined || !isKnown || this.#endsWith(head);
    if (exchange.last) this.#reader.finish(head.offersWebSocket);
    this.#responses.add(exchange);
    if (hasBody) this.#reader.expectBody(exchange, head.bodyLength);
    if (head.offersWebSocket) {
      this.#handshake = exchange;
      this.#sink.onHandshake(exchange, refusal);
    } else this.#sink.onRequest(exchange, refusal ?? (isKnown ? undefined : "not_implemented"));
  }

  /** Behind a handshake and behind CONNECT nothing is HTTP. */
  #endsWith({ keepAlive, offersWebSocket, method }: RequestHead): boolean {
    if (!keepAlive || offersWebSocket || method === "CONNECT") return true;
    return this.#draining || this.#served === this.#limits.requestsPerConnection;
  }

  /** The client cannot be understood any further: what it has sent so far gets its responses, then the connection closes. */
  onFault(fault: RequestFault, receiving: ServerExchange | undefined): void {
    if (receiving !== undefined) {
      receiving.onFault(fault.code);
      if (this.free) this.#onSettled();
      return;
    }
    const exchange = new ServerExchange(this, fault.line ?? unknownLine, [], false);
    exchange.last = true;
    this.#responses.add(exchange);
    this.#sink.onMalformed(exchange, fault.code);
  }

  onBodyReceived(): void {
    if (this.free) this.#onSettled();
  }

  onCaughtUp(): void {
    if (this.#ended) this.#onEnd();
  }

  // Called by exchanges.

  isFront(exchange: ServerExchange): boolean {
    return this.#responses.front === exchange;
  }

  onBegin(exchange: ServerExchange, close: boolean, last: boolean): boolean {
    const isNewest = this.#responses.newest === exchange;
    // While it drains, the requests behind this one get their responses as well.
    if (this.#draining && !isNewest && !last && !exchange.last) return false;
    if (close || this.#draining) exchange.last = true;
    if (exchange.last) this.#reader.finish();
    return exchange.last;
  }

  onEnded(exchange: ServerExchange): void {
    this.#responses.onEnded(exchange);
  }

  onCutOff(exchange: ServerExchange): void {
    this.#responses.onCutOff(exchange);
  }

  onBodyFlow(exchange: ServerExchange): void {
    this.#reader.onBodyFlow(exchange);
  }

  onHeldChanged(bytes: number): void {
    this.#reader.onHeldChanged(bytes);
  }

  resetAfterData(): void {
    this.#reader.finish();
    resetAfterData(this.socket, this.#clock);
  }

  takeOver(exchange: ServerExchange, headers: readonly string[]): RawStream | undefined {
    const { socket } = this;
    if (exchange !== this.#handshake || socket.destroyed) return undefined;
    const head = switchingProtocols(headers);
    this.#handshake = undefined;
    this.#isTunnel = true;
    this.#responses.clear();
    this.#deadline.release();
    this.output.release();
    const early = this.#reader.stop();
    socket.off("end", this.#onEnd).off("drain", this.#onDrain).pause();
    // As Node hands over a socket: it flows once it has a listener or is piped.
    (socket as { readableFlowing: boolean | null }).readableFlowing = null;
    this.output.writeText();
    socket.write(head, "latin1");
    return new RawStream(socket, early);
  }

  // Ends.

  /** Responses were sent, or a body was received whose response was. */
  #onSettled(): void {
    if (this.socket.destroyed || this.#isTunnel || this.#lingering) return;
    if (!this.free) return this.#reader.continueLater();
    if (this.#responses.lastSent || this.#reader.finished) return this.#closeLingering();
    this.idleSince = this.#clock.now();
    this.#wasCrowded = false;
    if (this.#reader.waiting) this.#reader.continueLater();
    else if (this.#ended) this.#closeLingering();
    else if (!this.#reader.withinRequest) {
      this.#deadline.start("next request", this.#limits.keepAliveMs, this.idleSince);
    }
  }

  /**
   * Closes the connection after its last response. A close with unread bytes resets the connection, and a reset makes the
   * client's kernel drop the response. So the connection is half-closed first, and what the client still sends is read and
   * dropped, within limits of time and bytes (RFC 9112 section 9.6).
   */
  #closeLingering(): void {
    this.#lingering = true;
    this.#recordUnserved("closed");
    this.socket.end();
    this.#deadline.start("end of client", fixed.lingeringMs);
    this.#reader.dropAll();
  }

  readonly #onEnd = (): void => {
    this.#ended = true;
    // Over TLS nothing tells a client that has left from one that sends no more. Responses that have ended may have been received
    // already: a TLS socket reports what it has written a turn later.
    const isTls = (this.socket as { encrypted?: boolean }).encrypted === true;
    const hasLeft = isTls && (this.#responses.size > 0 || this.#reader.waiting);
    if (this.#lingering || this.#handshake !== undefined || hasLeft) return void this.socket.destroy();
    const receiving = this.#reader.waiting ? undefined : this.#reader.end();
    // An incomplete request is none. Earlier ones get their responses.
    if (receiving !== undefined) this.#responses.drop(receiving);
    if (this.free && !this.#reader.waiting) return void this.socket.destroy();
    this.#responses.onHalfClosed(this.#wasCrowded);
    this.#deadline.start("half-closed client", fixed.halfClosedMs);
  };

  readonly #onDrain = (): void => {
    this.output.onDrain();
    this.#responses.front?.onDrain();
    this.#reader.continueLater();
  };

  #onDeadline(awaited: Awaited): void {
    switch (awaited) {
      case "head":
        return this.#reader.onHeadDeadline();
      case "body":
        return this.#reader.onBodyDeadline();
      case "half-closed client":
        this.#responses.probe();
        // Looked at again with the next tick of the clock: a reset has arrived by then.
        return this.#deadline.start(awaited, 1);
      default:
        this.socket.destroy();
    }
  }

  #onSocketClosed(): void {
    this.#deadline.release();
    this.output.release();
    this.#reader.stop();
    this.#responses.close();
    this.#recordUnserved("client_aborted");
    this.#onClosed();
  }

  /** Hands over a handshake that was to wait for the responses to earlier requests, as one that gets no response. */
  #recordUnserved(code: ErrorCode): void {
    const head = this.#reader.takeDeferred();
    if (head === undefined) return;
    const exchange = new ServerExchange(this, head, head.headers, false);
    exchange.close(false);
    this.#sink.onHandshake(exchange, code);
  }
}

function keepAliveLines(keepAliveMs: number): string {
  const seconds = Math.floor(keepAliveMs / 1_000);
  return seconds > 0 ? `Connection: keep-alive\r\nKeep-Alive: timeout=${seconds}\r\n` : "Connection: keep-alive\r\n";
}

function ignore(): void {}
