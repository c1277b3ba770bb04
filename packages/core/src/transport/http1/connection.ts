import type { Socket } from "node:net";
import type { ErrorCode } from "../../errors.ts";
import type { Clock } from "../../runtime/clock.ts";
import type { Ticker, Timed } from "../../runtime/ticker.ts";
import { ConnectionAuthentication } from "../connection-authentication.ts";
import { connectTimeoutError } from "../connector.ts";
import { connectFailureCode, isHandshakeAlert } from "../failure-codes.ts";
import { TransportError } from "../transport-error.ts";
import type { ConnectionLifetime } from "./connection-lifetime.ts";
import type { ConnectionOwner, ConnectionSetup, ConnectionTimeouts } from "./connection-owner.ts";
import { wasReset } from "./detect-reset.ts";
import type { Http1Exchange } from "./http1-exchange.ts";
import { salvage } from "./read-pending.ts";
import { RequestSender } from "./request-sender.ts";
import type { ResponseHead } from "./response-head.ts";
import { ResponseParser, type ResponseSink } from "./response-parser.ts";

/** How much sooner than the upstream an idle connection is given up, to win the race against its end. */
const keepAliveMarginMs = 1_000;

type State = "connecting" | "claimed" | "busy" | "released" | "closed";

/** One HTTP/1.1 connection to an upstream, from its opening to its end. README.md tells its life. */
export class Connection implements ResponseSink, Timed {
  deadline: number;
  /** When it was released, on the clock. */
  releasedAt = 0;
  readonly #socket: Socket;
  readonly #owner: ConnectionOwner;
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
  /** Something has come since the request went out. */
  #answering = false;
  #head: ResponseHead | undefined;
  #responseDone = false;
  #paused = false;

  /** Throws when there is no opening it. */
  constructor(options: ConnectionSetup) {
    const socket = options.open((bytes) => this.#onBytes(bytes));
    this.#socket = socket;
    this.#owner = options.owner;
    this.#timeouts = options.timeouts;
    this.#ticker = options.ticker;
    this.#tls = options.tls;
    this.#clock = options.clock;
    this.#lifetime = options.lifetime;
    this.#openedAt = options.openedAt;
    this.#exchange = options.exchange;
    this.#parser = new ResponseParser(this, options.responseHead);
    this.#sender = new RequestSender(socket, () => this.#salvage());
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

  // Claimed and busy: the request.

  /** Takes an exchange; `send` follows in the check phase. */
  claim(exchange: Http1Exchange): void {
    this.#state = "claimed";
    this.#exchange = exchange;
    exchange.connection = this;
    this.deadline = Infinity;
  }

  /** Writes the request's head, and lets its body come. */
  send(): void {
    const exchange = this.#exchange;
    if (this.#state !== "claimed" || exchange === undefined) return;
    const { head, headText, handler } = exchange;
    this.#state = "busy";
    this.authentication.requested(head);
    this.#answering = false;
    this.#head = undefined;
    this.#responseDone = false;
    this.#parser.expect(head.method);
    this.#sender.begin(headText, head.bodyLength);
    this.#touch();
    handler.onConnected(exchange, this.#lifetime.served > 0 ? undefined : this.#clock.now() - this.#openedAt);
  }

  /** Sends a piece of the body. False asks to wait for the handler's `onDrain`. */
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

  // Busy: the response.

  #onBytes(bytes: Buffer): void {
    if (this.#state !== "busy") return this.#onUnasked();
    this.#answering = true;
    let consumed = 0;
    try {
      consumed = this.#parser.execute(bytes);
    } catch (error) {
      return this.fail(TransportError.from(error));
    }
    // The handler may have given up in the middle.
    if (this.#state !== "busy") return;
    if (this.#responseDone) {
      if (consumed < bytes.length) this.#onUnasked();
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

  /** The exchange is over for its handler; whether the connection lives on is decided when all bytes have been seen. */
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
    // After an early answer the rest of the request is never sent, so nothing else can be.
    const now = this.#clock.now();
    const until = this.#lifetime.release(now, keepMs);
    if (!head.keepAlive || until <= now || !this.#sender.sent || this.#socket.readableEnded) return this.close();
    this.resume();
    this.#state = "released";
    this.releasedAt = now;
    this.deadline = until;
    this.#owner.onReleased(this);
  }

  // Ends.

  /** Its address is none of the upstream's any more: it is closed as soon as it has no exchange. */
  retire(): void {
    this.#lifetime.retire();
    if (this.#state === "released") this.close();
  }

  /** The address that it is connected to; undefined before. */
  get remoteAddress(): string | undefined {
    return this.#socket.remoteAddress;
  }

  /** Ends it now. An exchange of which nothing has been written goes back to the owner. */
  close(): void {
    if (this.#state === "closed") return;
    const unsent = this.#exchange;
    this.#state = "closed";
    this.#exchange = undefined;
    this.deadline = Infinity;
    this.#ticker.forget(this);
    this.#socket.destroy();
    this.#owner.onClosed(this, unsent);
  }

  /** Ends it now. The handler of the exchange under way, if there is one, hears nothing more. */
  abandon(): void {
    this.#exchange = undefined;
    this.close();
  }

  /** Ends it now and tells the exchange under way. What was found wrong behind a head counts as a broken body. */
  fail(error: TransportError): void {
    const exchange = this.#exchange;
    const sent = this.#state === "busy";
    const code = this.#head !== undefined && error.code === "invalid_response" ? "response_truncated" : error.code;
    exchange?.fail({ code, cause: error, reused: this.#lifetime.served > 0 && !this.#answering, sent });
    this.abandon();
  }

  /** Bytes while no response is waited for, or behind one. */
  #onUnasked(): void {
    if (this.#state === "closed") return;
    this.#owner.onSurplus();
    this.close();
  }

  #onEnd(): void {
    // A handshake that ends like this is told of as an error.
    if (this.#state === "connecting") return;
    if (this.#state !== "busy") return this.close();
    if (wasReset(this.#socket)) return this.#onLost(undefined);
    try {
      this.#parser.finish();
    } catch (error) {
      return this.fail(TransportError.from(error));
    }
    this.close();
  }

  /** A write has failed, and Node will destroy the socket for it. The upstream may have answered before it left. */
  #salvage(): void {
    if (this.#state !== "busy" || this.#paused) return;
    for (let rest = salvage(this.#socket); rest !== undefined; rest = salvage(this.#socket)) {
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
    return this.#lifetime.served === 0 && !this.#answering && isHandshakeAlert(error) ? "tls_failed" : "reset";
  }

  onDeadline(): void {
    if (this.#state === "connecting") this.fail(connectTimeoutError(this.#socket));
    else if (this.#state !== "busy") this.close();
    else if (this.#head === undefined) this.fail(new TransportError("headers_timeout", "no response headers in time"));
    else this.fail(new TransportError("response_idle_timeout", "the upstream fell silent"));
  }

  /** Moves the deadline at each sign of life. A client that does not read or send is not the upstream's fault. */
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
