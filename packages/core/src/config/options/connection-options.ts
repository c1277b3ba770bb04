import type { Duration, Size } from "../options.ts";

/** The connections to each upstream. */
export interface ConnectionOptions {
  /**
   * The most connections to each upstream. At the limit a request waits for `timeouts.connect`, then gets 503. 0 is no limit.
   * Default: 0.
   */
  readonly max?: number;
  /** How long an idle connection is kept. Set it below the idle timeout of the upstream. Default: "4s". */
  readonly keepAlive?: Duration;
  /**
   * The age at which a connection gets no more requests, so that traffic follows a name that moves to other addresses. "0s" is
   * no limit. Default: "5m".
   */
  readonly maxAge?: Duration;
  /** The number of requests after which a connection is replaced. 0 is no limit. Default: 0. */
  readonly maxRequests?: number;
  /**
   * True uses HTTP/2 with https upstreams that offer it. "h2c" also uses it with http upstreams, which must support it without
   * negotiation. Default: false.
   */
  readonly http2?: boolean | "h2c";
  /**
   * How long an HTTP/2 connection with requests in flight may be silent before a PING is sent. "0s" sends none. Most gRPC
   * servers end connections that get more than one PING in 5 minutes. Default: "6m".
   */
  readonly pingInterval?: Duration;
  /** How long an HTTP/2 connection may stay silent after a PING before it is closed. Default: "5s". */
  readonly pingTimeout?: Duration;
  /**
   * The largest response head, from the status line to the last header, "1kb" to "256kb". A response with a larger one is
   * replaced by 502. Default: "16kb".
   */
  readonly maxResponseHeaderSize?: Size;
  /** The most header fields of a response. A response with more is replaced by 502. Default: 200. */
  readonly maxResponseHeaders?: number;
}
