import type { ErrorCode } from "../../errors.ts";
import type { Clock } from "../../runtime/clock.ts";
import type { RequestSink } from "./request-sink.ts";
import type { ServerLimits } from "./server-limits.ts";

/** One connection of a client to a server of our own, whatever its protocol. */
export interface ServerConnection {
  /** It has sent a request. */
  readonly requested: boolean;
  /** No request is in flight on it, and it is no tunnel. A request with an incomplete head does not count. */
  readonly idle: boolean;
  /** The monotonic time in milliseconds since which no request has been in flight. */
  readonly idleSince: number;
  /** It sends what is in flight and accepts no more: the next response says `Connection: close`, or GOAWAY is sent. */
  closeAfterResponses(): void;
  /** Closes it if it is idle and no part of another request was received. */
  closeIfUnused(): void;
  /** Ends the connection at once. No response that it cuts off can pass for complete. */
  destroy(): void;
}

/** What the listener gives to the connection of a socket that it has accepted. */
export interface ServerConnectionOptions {
  readonly sink: RequestSink;
  readonly clock: Clock;
  readonly limits: ServerLimits;
  /** Bytes that the listener has read from the socket. */
  readonly early: Buffer | undefined;
  /** The client's address; undefined over a unix socket. A proxy in front may have given it. */
  readonly remoteAddress: string | undefined;
  /** The connection uses TLS, or did so at the proxy in front. */
  readonly encrypted: boolean;
  /** The code with which its requests are refused, the first of which is the last; undefined when they are served. */
  readonly refusal: ErrorCode | undefined;
  /** Called once, when the connection is closed, and not during the construction. */
  readonly onClosed: () => void;
}
