import type { ErrorCode } from "../../errors.ts";

/** One connection of a client to a server of our own, whatever its protocol. */
export interface ServerConnection {
  /** The code with which its requests are refused; undefined when they are served. */
  refusal: ErrorCode | undefined;
  /** It has sent a request. */
  readonly requested: boolean;
  /** No request is in flight on it, and it is no tunnel. A request with an incomplete head does not count. */
  readonly idle: boolean;
  /** The monotonic time in milliseconds since which no request has been in flight. */
  readonly idleSince: number;
  /** It sends what is in flight and accepts no more: the next response says `Connection: close`, or GOAWAY is sent. */
  closeAfterResponses(): void;
  /** Ends the connection at once. No response that it cuts off can pass for complete. */
  destroy(): void;
}
