/**
 * The seam between forwarding and the servers that clients connect to: the mirror image of transport/transport.ts.
 *
 * A server hands over one `ClientExchange` for each request. It knows bytes, sockets and limits of its protocol; nothing of
 * routes, pools or retries. The handler is called in the async context in which `start` was called, never during a call of
 * a method here, and in this order: the body and its end or one fault, and exactly one `onClosed`, which is the last.
 */

import type { Duplex } from "node:stream";
import type { ErrorCode } from "../errors.ts";
import type { ChangedHeaders } from "./changed-headers.ts";
import type { RawStream } from "./raw-stream.ts";

/** The head of a request as it was received. */
export interface IncomingRequest {
  readonly method: string;
  /** The request target (RFC 9112 section 3.2), in any form. */
  readonly target: string;
  /** "1.0", "1.1" or "2.0"; another version is refused. Empty when the bytes received are no request. */
  readonly httpVersion: string;
  /**
   * A body follows the head, whether its length is announced or not. Undefined over HTTP/1, where the header fields tell.
   */
  readonly bodyFollows?: boolean | undefined;
  /** Names and values by turns, in order, letter case and repetition as received. Latin-1. */
  readonly rawHeaders: readonly string[];
  /** What an app in front of the proxy has changed in the headers; undefined when it has changed nothing. */
  readonly changedHeaders: ChangedHeaders | undefined;
  /** The address of the peer; undefined over a unix socket, and once the connection is closed. */
  readonly remoteAddress: string | undefined;
  /** The connection uses TLS. */
  readonly encrypted: boolean;
}

/** One request of a client and the response to it, whatever server received it. */
export interface ClientExchange extends IncomingRequest {
  /** The connection, where it carries the requests of this client one after another (HTTP/1); else undefined. */
  readonly connection: Duplex | undefined;
  /** The request was received to its end. Without a body, that is the case no later than after the event that handed it over. */
  readonly bodyComplete: boolean;
  /** Bytes of the body that were read, those of `discardBody` after `readBody` included. */
  readonly bodyBytes: number;
  /** An app in front of the proxy has read from the body, which can no longer be forwarded. */
  readonly bodyTaken: boolean;
  /** A fault in the rest of the request that was found before `start`. The request has to be refused with it. */
  readonly fault: ErrorCode | undefined;
  /** A 100 (Continue) was sent. */
  readonly continueSent: boolean;
  /** The status given to `begin`, or sent by an app in front of the proxy; 0 before. */
  readonly status: number;

  /** Called once, before any other method. After `onClosed` the other methods have no effect. */
  start(handler: ClientHandler): void;
  /** Sends a 100 (Continue), which the client awaits before it sends its body. */
  sendContinue(): void;
  /** Starts or resumes reading of the body. */
  readBody(): void;
  pauseBody(): void;
  /** Reads the rest of the body and drops it, so that the client can receive the response. The handler gets no more of it. */
  discardBody(): void;
  /** Sends an informational response. Nothing is sent over HTTP/1.0, nor while an earlier response on the connection is not finished. */
  inform(status: number, headers: readonly string[]): void;
  /**
   * Gives the head of the response, which is sent no later than the first data, a flush or the end. `last`: the request was
   * not received to its end, so the connection closes after this response. Returns false if an app in front of the proxy has
   * sent a response already. Throws what an app's own code throws that looks at the head.
   */
  begin(status: number, reason: string, headers: string[], last: boolean): boolean;
  /**
   * Sends data; a string is Latin-1. A buffer is only read during the call. False asks to wait for `onWritable`. Nothing is
   * sent of the body of a response that cannot have one: to HEAD, and with the status 204 or 304.
   */
  write(data: Buffer | string): boolean;
  /** Sends what is held back, the head included. */
  flush(): void;
  /** Ends the response. A string is Latin-1 and the whole body; it may be sent at the end of the event loop's turn. */
  end(body: Uint8Array | string | undefined, trailers: readonly [name: string, value: string][]): void;
  /** Ends an incomplete response so that the client cannot take it for complete. Nothing more is sent. */
  cutOff(): void;
  /**
   * Accepts an upgrade: writes a 101 (Switching Protocols) and hands over the connection. The handler is not called any more.
   * Undefined where the request is no upgrade.
   */
  takeOver(headers: readonly string[]): RawStream | undefined;
}

/** What the proxy asks of a response that it leaves to the app. */
export interface ResponseLead {
  /** The connection closes after the response. */
  readonly close: boolean;
  /** The request was not received to its end. */
  readonly last: boolean;
  readonly setCookie: string | undefined;
}

/** The receiving side of a `ClientExchange`. No method may throw. */
export interface ClientHandler {
  /** The chunk belongs to the handler. */
  onBody(chunk: Buffer): void;
  onBodyEnd(): void;
  /** The rest of the request is malformed, too large or too slow. No more of the body follows, and no request behind it. */
  onFault(code: ErrorCode): void;
  /** Once after `write` has returned false: the data was taken. */
  onWritable(): void;
  /** The response was sent (`finished`), or the connection has closed before. */
  onClosed(finished: boolean): void;
}
