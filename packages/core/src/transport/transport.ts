/**
 * The seam between forwarding and the connections to one upstream.
 *
 * A transport sends one request and calls its handler in this order: connected once, informational responses, one response
 * head, data, and then exactly one of complete and failure. It knows bytes, sockets and limits, but no pools, health or routes.
 * It never retries: it reports the facts of a failure, and its caller decides.
 */

import type { Duplex } from "node:stream";
import type { ErrorCode } from "../errors.ts";

/** A request as it is sent to the upstream. */
export interface RequestHead {
  readonly method: string;
  /** In origin-form, prefixed with the path of the upstream's URL. */
  readonly path: string;
  /** Alternating names and values in order, in Latin-1: with `Host`, without framing and hop-by-hop headers. */
  readonly headers: readonly string[];
  /** Bytes of the body: 0 for none, -1 when the length is not known in advance (sent in chunks). */
  readonly bodyLength: number;
  /** The longest wait for the response headers in milliseconds, when shorter than the transport's own. 0 is none. */
  readonly headersTimeoutMs: number;
  /** Use a connection that has carried no request before. */
  readonly freshConnection: boolean;
  /** The client connection of the request. Upstream connections that authenticate a client are kept for it. */
  readonly client?: Duplex | undefined;
}

/** The facts of an exchange that failed. */
export interface ExchangeFailure {
  readonly code: ErrorCode;
  readonly cause: unknown;
  /**
   * The connection had carried an earlier exchange and nothing was received for this one: a reset may only be a race with the
   * upstream's keep-alive timeout.
   */
  readonly reused: boolean;
  /** Whether any byte of the request may have reached the upstream. */
  readonly sent: boolean;
}

/** The receiving side of an exchange. No method may throw. */
export interface ExchangeHandler {
  /** The connection is open, and the body may be sent. `connectMs` is undefined on a reused connection. */
  onConnected(exchange: Exchange, connectMs: number | undefined): void;
  /** A response of 100 to 199, except 100 and 101. */
  onInformation(status: number, headers: readonly string[]): void;
  /** Alternating names and values as received. `length` is that of the body, or -1 when it is not known. */
  onResponse(status: number, statusText: string, headers: string[], length: number): void;
  /** False pauses the response until `resume`. The chunk is valid during the call only: its memory is reused. */
  onData(chunk: Buffer): boolean;
  /** The handler has received everything that has arrived so far. */
  onFlush(): void;
  onComplete(trailers: readonly string[]): void;
  onFailure(failure: ExchangeFailure): void;
  /** The rest of the request body may be written. */
  onDrain(): void;
}

/** The sending side of an exchange. */
export interface Exchange {
  /** Sends a piece of the request body. False asks to wait for `onDrain`. */
  write(chunk: Uint8Array): boolean;
  /** Ends the request body. Not called when `bodyLength` is 0. */
  end(): void;
  /** Resumes the response after `onData` returned false. */
  resume(): void;
  /** Aborts the exchange. The handler is not called again, and the connection is not reused. */
  abort(): void;
}

/** How many connections a transport has of those that its limit allows. */
export interface ConnectionUse {
  /** Those that count against the limit. */
  readonly open: number;
  /** Those in use, and those that exchanges wait for because the limit is reached. */
  readonly wanted: number;
}

/** The connections to one upstream. */
export interface Transport {
  /** Begins an exchange. The handler is never called during this call, not even with a failure. */
  dispatch(head: RequestHead, handler: ExchangeHandler): Exchange;
  readonly connectionUse: ConnectionUse;
  /**
   * Sets the limit of connections in place of `connections.max`; 0 allows none. Idle ones above it close, busy ones after their
   * exchanges. `onShort` is called when an exchange has to wait because the limit is reached.
   */
  limitConnections(max: number, onShort: () => void): void;
  /** Accepts no new exchange, and closes when those in flight have ended. */
  close(): void;
  /** Ends all exchanges and connections now. */
  destroy(): void;
}
