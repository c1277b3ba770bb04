import { ReplayBuffer } from "../attempts/replay-buffer.ts";
import type { ClientExchange } from "../client/client-exchange.ts";
import type { ErrorCode } from "../errors.ts";
import { bindContext } from "../runtime/async-context.ts";
import type { Clock } from "../runtime/clock.ts";
import { type Ticker, type Timed, tickerOf } from "../runtime/ticker.ts";
import type { Exchange } from "../transport/transport.ts";

/** Receives the fault of a body that is too large or too slow. */
export interface BodyFaultHandler {
  onBodyFault(code: ErrorCode): void;
}

export interface RequestBodyOptions {
  /** 0 for none, -1 when it is not known before its end. */
  readonly length: number;
  /** The largest body in bytes that is copied for another attempt. */
  readonly copyLimit: number;
  readonly maxBytes: number;
  /** The whole body, if a parser in front of the proxy has read it. */
  readonly parsed: Uint8Array | undefined;
  /** The client sends the body after a 100 (Continue). */
  readonly awaitsContinue: boolean;
  readonly clock: Clock;
  /** The longest silence; 0 is none. */
  readonly timeoutMs: number;
  /** Bytes for each second of waiting, once `timeoutMs` of waiting is used up; 0 is none. */
  readonly minRate: number;
}

/** The members of `RequestBody` that a proxied request uses. */
export type Body = Pick<
  RequestBody,
  | ("length" | "bytesRead" | "complete" | "replayable")
  | ("attach" | "detach" | "discard" | "release" | "onDrain" | "onChunk" | "onEnd")
>;

/** The body of a request without one. All such requests share it. */
export const noBody: Body = Object.freeze({
  length: 0,
  bytesRead: 0,
  complete: true,
  replayable: true,
  attach() {},
  detach() {},
  discard() {},
  release() {},
  onDrain() {},
  onChunk() {},
  onEnd() {},
});

/**
 * The body of a request on its way to an upstream: streamed with the upstream's backpressure and, while it is small, copied,
 * so that another attempt can send it again.
 *
 * Nothing is read before the first connection to an upstream stands: until then a body can be sent whatever its size. Over the
 * limit of the copy only the right to another attempt is lost. A client that stops in the middle, or sends next to nothing, is
 * timed out; the time in which the upstream does not read does not count.
 */
export class RequestBody implements Timed {
  deadline: number = Infinity;
  readonly length: number;
  /** The last byte has been read. */
  complete: boolean;
  readonly #client: ClientExchange;
  readonly #options: RequestBodyOptions;
  readonly #ticker: Ticker;
  readonly #copy: ReplayBuffer;
  /** The ticker calls from outside the request's async context. */
  readonly #onTimeout: () => void;
  readonly #handler: BodyFaultHandler;
  #waitedMs = 0;
  #waitingSince = 0;
  #started = false;
  #upstream: Exchange | undefined;

  constructor(client: ClientExchange, options: RequestBodyOptions, handler: BodyFaultHandler) {
    const { parsed } = options;
    this.#client = client;
    this.#options = options;
    this.#handler = handler;
    this.#onTimeout = bindContext(() => handler.onBodyFault("request_timeout"));
    this.#ticker = tickerOf(options.clock);
    this.length = parsed?.length ?? options.length;
    this.complete = this.length === 0 || parsed !== undefined;
    this.#started = parsed !== undefined;
    this.#copy = parsed === undefined ? new ReplayBuffer(options.copyLimit, this.length) : ReplayBuffer.of(parsed);
    // An app in front may have set the body flowing; data that is read before there is a connection would be lost.
    if (!this.complete) client.pauseBody();
  }

  get bytesRead(): number {
    return this.#options.parsed?.length ?? this.#client.bodyBytes;
  }

  /** Every byte read so far can be sent again. */
  get replayable(): boolean {
    return this.#copy.complete || !this.#started;
  }

  /** Sends the body through an exchange whose connection stands: first the copy, then what is still to be received. */
  attach(upstream: Exchange): void {
    if (this.length === 0) return;
    this.#upstream = upstream;
    this.#copy.replay(upstream);
    if (this.complete) return upstream.end();
    if (!this.#started) this.#start();
    this.#flow();
  }

  /** Stops sending, and pauses the client. */
  detach(): void {
    this.#upstream = undefined;
    if (this.#started && !this.complete) this.#pause();
  }

  /** Reads and discards the rest of the body so that the client can receive the response. */
  discard(): void {
    this.detach();
    if (!this.complete) this.#client.discardBody();
  }

  /** The exchange has closed. */
  release(): void {
    this.#ticker.forget(this);
  }

  onDeadline(): void {
    this.deadline = Infinity;
    this.#onTimeout();
  }

  onDrain(): void {
    if (this.#upstream !== undefined && !this.complete) this.#flow();
  }

  onChunk(chunk: Buffer): void {
    if (this.bytesRead > this.#options.maxBytes) {
      this.detach();
      return this.#handler.onBodyFault("body_too_large");
    }
    this.#copy.add(chunk);
    const taken = this.#upstream?.write(chunk) !== false;
    if (this.#options.timeoutMs > 0) {
      const now = this.#options.clock.now();
      this.#waitedMs += now - this.#waitingSince;
      this.#wait(now);
    }
    if (!taken) this.#pause();
  }

  onEnd(): void {
    this.complete = true;
    this.release();
    this.#upstream?.end();
  }

  #start(): void {
    this.#started = true;
    if (this.#options.awaitsContinue) this.#client.sendContinue();
    if (this.#options.timeoutMs > 0) this.#ticker.watch(this);
  }

  #flow(): void {
    if (this.#options.timeoutMs > 0) this.#wait(this.#options.clock.now());
    this.#client.readBody();
  }

  #pause(): void {
    this.deadline = Infinity;
    this.#client.pauseBody();
  }

  /** Waits for the next bytes, at most as long as a body at the lowest allowed rate would have taken up to them. */
  #wait(now: number): void {
    const { timeoutMs, minRate } = this.#options;
    this.#waitingSince = now;
    const earnedMs = minRate > 0 ? (this.bytesRead / minRate) * 1_000 : Infinity;
    this.deadline = now + Math.min(timeoutMs, timeoutMs + earnedMs - this.#waitedMs);
  }
}
