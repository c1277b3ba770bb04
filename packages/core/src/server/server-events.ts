/** The events of a server: what happens to connections outside of requests. The counts of all of them are in its status. */
export interface ServerEvents {
  /** A connection is over the limit, and no other one is idle: its request gets a 503 response. */
  readonly refused: [];
  /** A connection over the limit was closed without a response. */
  readonly dropped: [];
  /** A number of idle connections was closed to make room. */
  readonly idleClosed: [count: number];
  /** A TLS handshake has failed. `plain_http`: the client sent a request without TLS and got a 400 response. */
  readonly handshakeFailed: [reason: "plain_http" | "other"];
  /** A connection from a load balancer was closed, because its PROXY header is malformed, incomplete or missing. */
  readonly proxyHeaderFailed: [peer: string];
  /** The system could not accept a connection. */
  readonly acceptFailed: [error: Error];
}

/** The state of a server, as plain frozen data. The counts are totals. */
export interface ServerStatus {
  readonly connections: {
    readonly open: number;
    /** `maxConnections`, or less if the process may not open as many files. */
    readonly limit: number;
    readonly refused: number;
    readonly dropped: number;
    readonly idleClosed: number;
  };
  readonly handshakeFailures: { readonly plainHttp: number; readonly other: number };
  readonly proxyHeaderFailures: number;
  readonly acceptFailures: number;
  /** The limit of open files of the process; Infinity if there is none. */
  readonly descriptors: number;
}
