/**
 * The seam between forwarding and the connections to one upstream.
 *
 * A transport sends one request and tells its handler, in this order: connected once, informational responses,
 * one response head, data, and then exactly one of complete and failure. It knows bytes, sockets and limits; nothing
 * of pools, health or routes. It never retries: it says what is known of a failure, and others decide.
 */

import type { Duplex } from "node:stream";
import type { ErrorCode } from "../errors.ts";

/** A request as it goes to the upstream. */
export interface RequestHead {
  readonly method: string;
  /** In origin-form, with the upstream's own path in front. */
  readonly path: string;
  /** Names and values by turns, in order, `Host` among them and nothing that frames or is hop-by-hop. Latin-1. */
  readonly headers: readonly string[];
  /** Bytes of the body: 0 for none, -1 when it is not known before its end (sent in chunks). */
  readonly bodyLength: number;
  /** The longest wait for the response headers in milliseconds, when shorter than the transport's own. 0 is none. */
  readonly headersTimeoutMs: number;
  /** Do not use a connection that has carried anything before. */
  readonly freshConnection: boolean;
  /** The connection that the request came over, for which a connection that authenticates its client is kept. */
  readonly client?: Duplex | undefined;
}

/** What is known of an exchange that failed. */
export interface ExchangeFailure {
  readonly code: ErrorCode;
  readonly cause: unknown;
  /**
   * The connection had carried an earlier exchange and nothing came in answer to this one: a reset may be a mere race with
   * the upstream's keep-alive.
   */
  readonly reused: boolean;
  /** Whether any byte of the request may have reached the upstream. */
  readonly sent: boolean;
}

/** The receiving side of an exchange. No method may throw. */
export interface ExchangeHandler {
  /** The connection stands, and the body may be sent. `connectMs` is undefined on a reused connection. */
  onConnected(exchange: Exchange, connectMs: number | undefined): void;
  /** A response of 100 to 199, except 100 and 101. */
  onInformation(status: number, headers: readonly string[]): void;
  /** Names and values by turns, as they came. `length` is that of the body to come, or -1 when it is not known. */
  onResponse(status: number, statusText: string, headers: string[], length: number): void;
  /** False asks for no more until `resume`. The chunk is only valid during the call: its memory is read into again. */
  onData(chunk: Buffer): boolean;
  /** Everything that has arrived so far has been handed over. */
  onFlush(): void;
  onComplete(trailers: readonly string[]): void;
  onFailure(failure: ExchangeFailure): void;
  /** The request's body may go on. */
  onDrain(): void;
}

/** The sending side of an exchange. */
export interface Exchange {
  /** Sends a piece of the request's body. False asks to wait for `onDrain`. */
  write(chunk: Uint8Array): boolean;
  /** Ends the request's body. Not called when `bodyLength` is 0. */
  end(): void;
  /** Lets the response flow again after `onData` said false. */
  resume(): void;
  /** Gives up. The handler hears no more, and the connection is not used again. */
  abort(): void;
}

/** The connections to one upstream. */
export interface Transport {
  /** Begins an exchange. Everything, failures included, reaches the handler later, never during this call. */
  dispatch(head: RequestHead, handler: ExchangeHandler): Exchange;
  /** Takes nothing new, and closes when what is in flight has ended. */
  close(): void;
  /** Ends everything now. */
  destroy(): void;
}
