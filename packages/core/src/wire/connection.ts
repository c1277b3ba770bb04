/**
 * One HTTP/1.1 connection to an upstream, from its opening to its end.
 *
 *     connecting ──> claimed ──> busy ──> resting ──> idle ──> claimed ──> …
 *          └────────────┴─────────┴──────────┴─────────┴──> closed
 *
 * connecting  The socket is being opened for an exchange that waits. What fails here has reached nobody.
 *
 * claimed     An exchange has been given the connection, and nothing is written yet. The head is written in the next check
 *             phase of the event loop, when everything that this poll brought has been looked at. A byte or an end that
 *             arrives before it condemns the connection, and the exchange, of which nothing has left, goes to another.
 *
 * busy        The request goes out at the upstream's pace, the response comes in at the client's. The parser says where the
 *             response ends. It is the only judge of whether the connection may be used again: the response was whole and
 *             framed, the request was sent to its end, neither side said close, and not one byte too many came.
 *
 * resting     The response is complete, and another one may be on its way: an upstream that answers twice does so at
 *             once or a moment later. Whoever got this connection now would get that answer for its own. So it rests for
 *             some milliseconds and others are used meanwhile, or opened. This costs a few more sockets and no timer:
 *             the time of release is compared when a connection is wanted.
 *
 * idle        Last in, first out, so that a quiet time lets the surplus die. A byte that comes now, or came while it
 *             rested, destroys the connection, and the transport trusts the upstream with one request a connection for a
 *             while. An end is its keep-alive running out; ours is shorter, to win that race.
 *
 * closed      For good. If an exchange was under way its handler is told what is known: how far it had got, and whether the
 *             connection had served before, in which case a reset says nothing about the upstream.
 *
 * Deadlines are numbers that a coarse wheel compares (runtime/ticker.ts): connecting, waiting for the head, waiting for the
 * next byte, and being idle each move one and the same.
 */

import type { Socket } from "node:net";
import type { ErrorCode } from "../errors.ts";
import type { Clock } from "../runtime/clock.ts";
import type { Ticker, Timed } from "../runtime/ticker.ts";
import { connectFailureCode } from "./failure-codes.ts";
import type { Http1Exchange } from "./http1-exchange.ts";
import { chunkHead, lastChunk } from "./request-writer.ts";
import type { ResponseHead } from "./response-head.ts";
import { ResponseParser, type ResponseSink } from "./response-parser.ts";
import { salvage } from "./salvage.ts";
import { WireError } from "./wire-error.ts";

/** The transport that a connection belongs to. */
export interface ConnectionOwner {
  /** Whole and clean after an exchange: it may be used again after its rest. */
  onReleased(connection: Connection): void;
  /** The upstream has sent something that nobody asked for. */
  onSurplus(): void;
  /** A claimed connection has died before anything of the exchange was written. */
  onUnsent(exchange: Http1Exchange): void;
  onClosed(connection: Connection): void;
}

export interface ConnectionTimeouts {
  readonly connectMs: number;
  readonly headersMs: number;
  /** 0 is none. */
  readonly idleMs: number;
  readonly keepAliveMs: number;
}

type State = "connecting" | "claimed" | "busy" | "released" | "closed";

export class Connection implements ResponseSink, Timed {
  deadline: number;
  /** When it was released, on the clock. */
  releasedAt = 0;
  readonly #socket: Socket;
  readonly #owner: ConnectionOwner;
  readonly #timeouts: ConnectionTimeouts;
  readonly #ticker: Ticker;
  readonly #tls: boolean;
  readonly #parser = new ResponseParser(this);
  readonly #clock: Clock;
  readonly #openedAt: number;
  #state: State = "connecting";
  #exchange: Http1Exchange | undefined;
  /** It has carried an exchange to its end. */
  #served = false;
  #requestDone = false;
  #head: ResponseHead | undefined;
  #responseDone = false;
  #paused = false;

  constructor(
    socket: Socket,
    options: {
      readonly owner: ConnectionOwner;
      readonly timeouts: ConnectionTimeouts;
      readonly ticker: Ticker;
      readonly tls: boolean;
      readonly ready: "connect" | "secureConnect";
      readonly clock: Clock;
      /** What it is opened for. */
      readonly exchange: Http1Exchange;
    },
  ) {
    this.#socket = socket;
    this.#owner = options.owner;
    this.#timeouts = options.timeouts;
    this.#ticker = options.ticker;
    this.#tls = options.tls;
    this.#clock = options.clock;
    this.#openedAt = options.clock.now();
    this.#exchange = options.exchange;
    this.deadline = this.#openedAt + options.timeouts.connectMs;
    options.exchange.connection = this;
    socket.once(options.ready, () => this.#onReady());
    socket.on("data", (bytes: Buffer) => this.#onBytes(bytes));
    socket.on("drain", () => this.#onDrain());
    socket.on("end", () => this.#onEnd());
    socket.on("error", (error) => this.#onSocketError(error));
    socket.on("close", () => this.#onSocketClose());
    this.#ticker.watch(this);
  }

  /** May be given an exchange. */
  get available(): boolean {
    return this.#state === "released";
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
    const { head } = exchange;
    this.#begin(head.method, head.bodyLength === 0);
    // A body that has come already goes out with the head in one packet.
    if (head.bodyLength !== 0) this.#socket.cork();
    this.#socket.write(exchange.headText, "latin1");
    exchange.handler.onConnected(exchange, this.#served ? undefined : this.#clock.now() - this.#openedAt);
    if (head.bodyLength !== 0) process.nextTick(uncork, this.#socket);
  }

  /** Sends a piece of the body, framed. False asks to wait for the handler's `onDrain`. */
  writeBody(chunk: Uint8Array, chunked: boolean): boolean {
    if (chunk.length === 0) return true;
    this.#touch();
    if (!chunked) return this.#socket.write(chunk);
    this.#socket.cork();
    this.#socket.write(chunkHead(chunk.length), "latin1");
    this.#socket.write(chunk);
    const room = this.#socket.write("\r\n", "latin1");
    this.#socket.uncork();
    return room;
  }

  endBody(chunked: boolean): void {
    if (chunked) this.#socket.write(lastChunk, "latin1");
    this.#requestDone = true;
    this.#touch();
    this.#releaseIfDone();
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.#touch();
    this.#socket.resume();
  }

  /** Ends it now and tells the exchange under way, if there is one. */
  fail(error: WireError): void {
    this.#fail(error);
  }

  /** Ends it now. If an exchange is under way, its handler hears nothing more. */
  destroy(): void {
    this.#exchange = undefined;
    this.#close();
  }

  #begin(method: string, bodiless: boolean): void {
    this.#state = "busy";
    this.#requestDone = bodiless;
    this.#responseDone = false;
    this.#head = undefined;
    this.#parser.expect(method);
    this.#touch();
  }

  #onReady(): void {
    if (this.#state !== "connecting") return;
    this.#state = "claimed";
    this.send();
  }

  #onDrain(): void {
    if (this.#state !== "busy" || this.#requestDone) return;
    this.#touch();
    this.#exchange?.handler.onDrain();
  }

  // Busy: the response.

  #onBytes(bytes: Buffer): void {
    if (this.#state !== "busy") return this.#onUnasked();
    let consumed = 0;
    try {
      consumed = this.#parser.execute(bytes);
    } catch (error) {
      return this.#fail(asWireError(error));
    }
    // The handler may have given up in the middle.
    if (this.#state !== "busy") return;
    if (!this.#responseDone) {
      this.#touch();
      this.#exchange?.handler.onFlush();
    } else if (consumed < bytes.length) {
      this.#onUnasked();
    } else {
      this.#releaseIfDone();
    }
  }

  onInformation(status: number, headers: readonly string[]): void {
    this.#exchange?.handler.onInformation(status, headers);
  }

  onHead(head: ResponseHead): void {
    this.#head = head;
    this.#exchange?.handler.onResponse(head.status, head.statusText, head.headers, head.length);
  }

  onData(data: Buffer): void {
    const exchange = this.#exchange;
    if (exchange === undefined || exchange.handler.onData(data) || this.#paused) return;
    this.#paused = true;
    this.deadline = Infinity;
    this.#socket.pause();
  }

  /** The exchange is over for its handler; whether the connection lives on is decided when all bytes have been seen. */
  onComplete(trailers: readonly string[]): void {
    const exchange = this.#exchange;
    this.#responseDone = true;
    if (exchange === undefined) return;
    if (!this.#requestDone) {
      // An early answer: the rest of the request is never sent, so nothing else can be.
      this.#exchange = undefined;
      exchange.finish();
      exchange.handler.onComplete(trailers);
      this.#close();
      return;
    }
    exchange.finish();
    exchange.handler.onComplete(trailers);
  }

  #releaseIfDone(): void {
    if (!this.#responseDone || !this.#requestDone || this.#state !== "busy") return;
    const head = this.#head as ResponseHead;
    const keepMs = Math.min(this.#timeouts.keepAliveMs, head.keepAliveMs - keepAliveMarginMs);
    if (!head.keepAlive || keepMs <= 0 || this.#socket.readableEnded) return this.#close();
    this.#exchange = undefined;
    this.#state = "released";
    this.#served = true;
    this.releasedAt = this.#clock.now();
    this.deadline = this.#ticker.now + keepMs;
    if (this.#paused) {
      this.#paused = false;
      this.#socket.resume();
    }
    this.#owner.onReleased(this);
  }

  // Ends.

  /** Bytes while no response is waited for, or behind one. */
  #onUnasked(): void {
    if (this.#state === "closed") return;
    this.#owner.onSurplus();
    this.#close();
  }

  #onEnd(): void {
    if (this.#state !== "busy") return this.#close();
    try {
      this.#parser.finish();
    } catch (error) {
      return this.#fail(asWireError(error));
    }
    this.#close();
  }

  #onSocketError(error: Error): void {
    if (this.#state === "connecting") return this.#fail(new WireError(connectFailureCode(error, this.#tls), error.message));
    if (this.#state === "busy") {
      // Our write may have failed on an upstream that answered and left; its answer is still there to be read.
      const rest = salvage(this.#socket);
      if (rest !== undefined) this.#onBytes(rest);
    }
    if (this.#state === "busy" && !this.#responseDone) this.#fail(new WireError(this.#resetCode(), error.message));
    else this.#close();
  }

  #onSocketClose(): void {
    if (this.#state === "busy" && !this.#responseDone) this.#fail(new WireError(this.#resetCode(), "connection closed"));
    else this.#close();
  }

  onDeadline(): void {
    switch (this.#state) {
      case "connecting":
        return this.#fail(new WireError("connect_timeout", "no connection in time"));
      case "busy":
        return this.#head === undefined
          ? this.#fail(new WireError("headers_timeout", "no response headers in time"))
          : this.#fail(new WireError("response_idle_timeout", "the upstream fell silent"));
      default:
        return this.#close();
    }
  }

  #resetCode(): ErrorCode {
    return this.#head === undefined ? "reset" : "response_truncated";
  }

  /** Condemns the connection and tells the exchange under way. What was found wrong after a head counts as a broken body. */
  #fail(error: WireError): void {
    const exchange = this.#exchange;
    const sent = this.#state === "busy";
    this.#exchange = undefined;
    this.#close();
    if (exchange === undefined) return;
    const code = this.#head !== undefined && error.code === "invalid_response" ? "response_truncated" : error.code;
    exchange.fail({ code, cause: error, reused: this.#served, sent });
  }

  #close(): void {
    if (this.#state === "closed") return;
    const unsent = this.#state === "claimed" ? this.#exchange : undefined;
    this.#state = "closed";
    this.#exchange = undefined;
    this.deadline = Infinity;
    this.#ticker.forget(this);
    this.#socket.destroy();
    this.#owner.onClosed(this);
    if (unsent !== undefined) this.#owner.onUnsent(unsent);
  }

  /** Each sign of life, ours or the upstream's, moves the deadline. A client that does not read is not the upstream's fault. */
  #touch(): void {
    if (this.#paused) this.deadline = Infinity;
    else if (this.#head === undefined) this.deadline = this.#ticker.now + this.#headersMs();
    else if (this.#timeouts.idleMs === 0 || isEventStream(this.#head)) this.deadline = Infinity;
    else this.deadline = this.#ticker.now + this.#timeouts.idleMs;
  }

  #headersMs(): number {
    const own = this.#exchange?.head.headersTimeoutMs ?? 0;
    return own > 0 ? Math.min(own, this.#timeouts.headersMs) : this.#timeouts.headersMs;
  }
}

/** How much sooner than the upstream an idle connection is given up, to win the race against its end. */
const keepAliveMarginMs = 1_000;

/** A handler must not throw; should one do so all the same, its exchange fails and nothing else. */
function asWireError(error: unknown): WireError {
  return error instanceof WireError ? error : new WireError("internal", String(error));
}

function uncork(socket: Socket): void {
  socket.uncork();
}

/** Events may be far between. */
function isEventStream({ headers }: ResponseHead): boolean {
  for (let index = 0; index < headers.length; index += 2) {
    const name = headers[index] as string;
    if (name.length === 12 && name.toLowerCase() === "content-type") {
      return /^text\/event-stream\s*(?:;|$)/i.test(headers[index + 1] as string);
    }
  }
  return false;
}
