/** The limits of a server's connections. Durations are in milliseconds; 0 is no limit where that is said. */
export interface ServerLimits {
  /** From the first byte of a request, or from the acceptance of the connection, to the end of its head. Status 408. */
  readonly requestHeadersMs: number;
  /** Between two requests. */
  readonly keepAliveMs: number;
  /** Without progress of a response that waits for its client, or of all responses of a connection. 0 is no limit. */
  readonly sendMs: number;
  /** Bytes of a head with its request line. Status 414 where the request line alone is longer, else 431. */
  readonly headBytes: number;
  /** The lowest rate of a body of known length, in bytes per second, after 5 seconds of reading. 0 is no limit. Status 408. */
  readonly minBodyRate: number;
  /** The last of this number of requests closes its connection. 0 is no limit. */
  readonly requestsPerConnection: number;
  /** Streams of one HTTP/2 connection that are open at the same time. */
  readonly maxConcurrentStreams: number;
}
