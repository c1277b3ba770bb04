import type { Duration, Size } from "./options.ts";

/** The connections to each upstream. */
export interface ConnectionOptions {
  /** Sockets to each upstream; 0 is no limit. Default: 0. */
  readonly max?: number;
  /** Time an idle socket is kept; keep it below the upstream's own. Default: "4s". */
  readonly keepAlive?: Duration;
  /**
   * Age at which a connection takes no further request, so that a busy one follows a name that has moved. "0s" is no limit.
   * Default: "5m".
   */
  readonly maxAge?: Duration;
  /** Requests that a connection carries before it is replaced; 0 is no limit. Default: 0. */
  readonly maxRequests?: number;
  /** HTTP/2 with https upstreams that offer it; "h2c": also with http ones, which have to speak it. Default: false. */
  readonly http2?: boolean | "h2c";
  /** The largest head of a response, from its status line to its last header, "1kb" to "256kb"; a larger one is 502. Default: "16kb". */
  readonly maxResponseHeaderSize?: Size;
  /** Header fields that a response may have; more are 502. Default: 200. */
  readonly maxResponseHeaders?: number;
}
