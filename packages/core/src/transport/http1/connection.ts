import type { Socket } from "node:net";
import type { ErrorCode } from "../../errors.ts";
import type { Clock } from "../../runtime/clock.ts";
import type { Ticker, Timed } from "../../runtime/ticker.ts";
import { ConnectionAuthentication } from "../connection-authentication.ts";
import { connectTimeoutError } from "../connector.ts";
import { connectFailureCode, isHandshakeAlert } from "../failure-codes.ts";
import { TransportError } from "../transport-error.ts";
import type { ConnectionLifetime } from "./connection-lifetime.ts";
import type { ConnectionSetup, ConnectionTimeouts } from "./connection-setup.ts";
import { detectReset } from "./detect-reset.ts";
import type { Http1Exchange } from "./http1-exchange.ts";
import type { Http1Transport } from "./http1-transport.ts";
import { readPending } from "./read-pending.ts";
import { RequestSender } from "./request-sender.ts";
import type { ResponseHead } from "./response-head.ts";
import { ResponseParser, type ResponseSink } from "./response-parser.ts";

/** An idle connection is closed this much before the upstream closes it, so that no request meets its end. */
const keepAliveMarginMs = 1_000;

type State = "connecting" | "claimed" | "busy" | "released" | "closed";

/** One HTTP/1.1 connection to an upstream. README.md describes its states. */
export class Connection implements ResponseSink, Timed {
  deadline: number;
  /** The time on the clock of its last release. */
  releasedAt = 0;
  readonly #socket: Socket;
  readonly #transport: Http1Transport;
  readonly #timeouts: ConnectionTimeouts;
  readonly #ticker: Ticker;
  readonly #clock: Clock;
  readonly #tls: boolean;
  readonly #openedAt: number;
  readonly #sender: RequestSender;
  readonly #parser: ResponseParser;
  readonly authentication: ConnectionAuthentication = new ConnectionAuthentication();
  #state: State = "connecting";
  #exchange: Http1Exchange | undefined;
  readonly #lifetime: ConnectionLifetime;
  /** Bytes have been received since the request was sent. */
  #responding = false;
  #head: ResponseHead | undefined;
  #responseDone = false;
  #paused = false;

  /** Throws when the socket cannot be opened. */
  constructor(options: ConnectionSetup) {
    const socket = options.open((bytes) => this.#onBytes(bytes));
    this.#socket = socket;
    this.#transport = options.transport;
    this.#timeouts = options.timeouts;
    this.#ticker = options.ticker;
    this.#tls = options.tls;
    this.#clock = options.clock;
    this.#lifetime = options.lifetime;
    this.#openedAt = options.openedAt;
    this.#exchange = options.exchange;
    this.#parser = new ResponseParser(this, options.responseHead);
    this.#sender = new RequestSender(socket, () => this.#readRest());
    this.deadline = this.#openedAt + options.timeouts.connectMs;
    options.exchange.connection = this;
    if (options.ready === undefined) queueMicrotask(() => this.#onReady());
    else socket.once(options.ready, () => this.#onReady());
    socket.on("drain", () => this.#onDrain());
    socket.on("end", () => this.#onEnd());
    socket.on("error", (error) => this.#onLost(error));
    socket.on("close", () => this.#onLost(undefined));
    this.#ticker.watch(this);
  }

  // The request, in the states claimed and busy.

  /** Accepts an exchange, which `send` begins in the check phase. */
  claim(exchange: Http1Exchange): void {
    this.#state = "claimed";
    this.#exchange = exchange;
    exchange.connection = this;
    this.deadline = Infinity;
  }

  /** Writes the head of the request and asks the handler for the body. */
  send(): void {
    const exchange = this.#exchange;
    if (this.#state !== "claimed" || exchange === undefined) return;
    const { head, headText, handler } = exchange;
    this.#state = "busy";
    this.authentication.requested(head);
    this.#responding = false;
    this.#head = undefined;
    this.#responseDone = false;
    this.#parser.expect(head.method);
    this.#sender.begin(headText, head.bodyLength);
    this.#touch();
    handler.onConnected(exchange, this.#lifetime.served > 0 ? undefined : this.#clock.now() - this.#openedAt);
  }

  /** Sends a piece of the request body. False asks to wait for the handler's `onDrain`. */
  writeBody(chunk: Uint8Array): boolean {
    if (chunk.length === 0) return true;
    if (!this.#sender.fits(chunk.length)) {
      this.fail(new TransportError("internal", "a body longer than its announced length"));
      return true;
    }
    const room = this.#sender.write(chunk);
    this.#touch();
    return room;
  }

  endBody(): void {
    if (!this.#sender.endable)
      return this.fail(new TransportError("internal", "a body shorter than its announced length"));
    this.#sender.end();
    this.#touch();
  }

  #onReady(): void {
    if (this.#state !== "connecting") return;
    this.#state = "claimed";
    this.send();
  }

  #onDrain(): void {
    if (this.#state !== "busy") return;
    this.#touch();
    if (!this.#sender.done) this.#exchange?.handler.onDrain();
  }

  // The response, in the state busy.

  #onBytes(bytes: Buffer): void {
    if (this.#state !== "busy") return this.#onSurplus();
    this.#responding = true;
    let consumed = 0;
    try {
      consumed = this.#parser.execute(bytes);
    } catch (error) {
      return this.fail(TransportError.from(error));
    }
    // The handler may have aborted the exchange meanwhile.
    if (this.#state !== "busy") return;
    if (this.#responseDone) {
      if (consumed < bytes.length) this.#onSurplus();
      else this.#release();
    } else if (this.#head !== undefined) {
      this.#touch();
      this.#exchange?.handler.onFlush();
    }
  }

  onInformation(status: number, headers: readonly string[]): void {
    this.#exchange?.handler.onInformation(status, headers);
  }

  onHead(head: ResponseHead): void {
    this.#head = head;
    this.authentication.responded(head.status, head.headers);
    this.#exchange?.handler.onResponse(head.status, head.statusText, head.headers, head.length);
  }

  onData(data: Buffer): void {
    const exchange = this.#exchange;
    if (exchange === undefined || exchange.handler.onData(data) || this.#paused) return;
    this.#paused = true;
    this.#socket.pause();
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.#touch();
    this.#socket.resume();
  }

  /** The exchange ends for its handler. Whether the connection is reused is decided once all received bytes are parsed. */
  onComplete(trailers: readonly string[]): void {
    const exchange = this.#exchange;
    this.#responseDone = true;
    this.#exchange = undefined;
    exchange?.finish();
    exchange?.handler.onComplete(trailers);
  }

  #release(): void {
    const head = this.#head as ResponseHead;
    const keepAliveMs = this.authentication.released(this.#timeouts.keepAliveMs);
    const keepMs = Math.min(keepAliveMs, head.keepAliveMs - keepAliveMarginMs);
    // After an early response the rest of the request is not sent, so the connection cannot carry another one.
    const now = this.#clock.now();
    const until = this.#lifetime.release(now, keepMs);
    if (!head.keepAlive || until <= now || !this.#sender.sent || this.#socket.readableEnded) return this.close();
    this.resume();
    this.#state = "released";
    this.releasedAt = now;
    this.deadline = until;
    this.#transport.onReleased(this);
  }

  // Ends.

  /** The upstream no longer has this address: closes the connection once it has no exchange. */
  retire(): void {
    this.#lifetime.retire();
    if (this.#state === "released") this.close();
  }

  get remoteAddress(): string | undefined {
    return this.#socket.remoteAddress;
  }

  /** Closes the connection. The transport gets back an exchange of which nothing has been written. */
  close(): void {
    if (this.#state === "closed") return;
    const unsent = this.#exchange;
    this.#state = "closed";
    this.#exchange = undefined;
    this.deadline = Infinity;
    this.#ticker.forget(this);
    this.#socket.destroy();
    this.#transport.onClosed(this, unsent);
  }

  /** Closes the connection without another call of the handler of an exchange in flight. */
  abandon(): void {
    this.#exchange = undefined;
    this.close();
  }

  /** Closes the connection and fails the exchange in flight. A fault behind the head counts as a body that broke off. */
  fail(error: TransportError): void {
    const exchange = this.#exchange;
    const sent = this.#state === "busy";
    const code = this.#head !== undefined && error.code === "invalid_response" ? "response_truncated" : error.code;
    exchange?.fail({ code, cause: error, reused: this.#lifetime.served > 0 && !this.#responding, sent });
    this.abandon();
  }

  /** Bytes have been received while no response is expected, or behind one. */
  #onSurplus(): void {
    if (this.#state === "closed") return;
    this.#transport.onSurplus();
    this.close();
  }

  #onEnd(): void {
    // The end of a TLS handshake is reported as an error.
    if (this.#state === "connecting") return;
    if (this.#state !== "busy") return this.close();
    if (detectReset(this.#socket)) return this.#onLost(undefined);
    try {
      this.#parser.finish();
    } catch (error) {
      return this.fail(TransportError.from(error));
    }
    this.close();
  }

  /** A write has failed, and Node is about to destroy the socket. The upstream may have responded before it closed. */
  #readRest(): void {
    if (this.#state !== "busy" || this.#paused) return;
    for (let rest = readPending(this.#socket); rest !== undefined; rest = readPending(this.#socket)) {
      this.#onBytes(rest);
      if (this.#state !== "busy") return;
    }
  }

  #onLost(error: Error | undefined): void {
    const reason = error?.message ?? "the connection was closed";
    const lost = (code: ErrorCode) => this.fail(new TransportError(code, reason, { cause: error }));
    if (this.#state === "connecting") lost(connectFailureCode(error, this.#tls));
    else if (this.#state === "busy") lost(this.#lostCode(error));
    else this.close();
  }

  #lostCode(error: Error | undefined): ErrorCode {
    if (this.#head !== undefined) return "response_truncated";
    return this.#lifetime.served === 0 && !this.#responding && isHandshakeAlert(error) ? "tls_failed" : "reset";
  }

  onDeadline(): void {
    if (this.#state === "connecting") this.fail(connectTimeoutError(this.#socket));
    else if (this.#state !== "busy") this.close();
    else if (this.#head === undefined) this.fail(new TransportError("headers_timeout", "no response headers in time"));
    else this.fail(new TransportError("response_idle_timeout", "the upstream sent nothing for too long"));
  }

  /** Moves the deadline on progress. There is none while the client holds up the exchange: that is no failure of the upstream. */
  #touch(): void {
    if (this.#head !== undefined) {
      const limited = !this.#paused && this.#timeouts.idleMs > 0 && !this.#head.eventStream;
      this.deadline = limited ? this.#clock.now() + this.#timeouts.idleMs : Infinity;
    } else if (this.#sender.done || this.#sender.blocked) {
      const own = this.#exchange?.head.headersTimeoutMs || Infinity;
      this.deadline = this.#clock.now() + Math.min(own, this.#timeouts.headersMs);
    } else {
      this.deadline = Infinity;
    }
  }
}
