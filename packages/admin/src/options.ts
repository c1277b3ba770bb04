import type { ReloadChanges } from "evenkeel";

/** The state of the listeners that requests come in through, where they belong to the process that serves this API. */
export interface ListenerSnapshot {
  /**
   * Connections of clients: open now, and how many may be; refused so far since all that were open had a request in flight,
   * and closed so far while they were idle, to make room for others.
   */
  readonly connections: {
    readonly open: number;
    readonly limit: number;
    readonly refused: number;
    readonly idleClosed: number;
  };
  /** TLS handshakes that failed: plain HTTP sent to a TLS port, and all others. */
  readonly handshakeFailures: { readonly plainHttp: number; readonly other: number };
  /** When the certificate, or one of its chain, expires, in milliseconds since 1970. Null without TLS. */
  readonly certificateExpiry: number | null;
}

export interface AdminOptions {
  /**
   * Required as `Authorization: Bearer` by everything but /healthz and /readyz. Without one, only connections that come
   * over loopback or a Unix socket, and through no other proxy, are served.
   */
  readonly token?: string;
  /** Serves Prometheus metrics at /metrics. Default: true. */
  readonly metrics?: boolean;
  /**
   * Where the API listens, as "host:port" or "unix:/path". A request without a right token has to name this host, a
   * loopback name, the address that was connected to, or one of `hosts` in its Host header.
   */
  readonly listen?: string | readonly string[];
  /** Further hosts that a request without a right token may name, such as the public name of an app that mounts the API. */
  readonly hosts?: readonly string[];
  /** Names of pools without which /readyz is 503. Without it one pool that can serve is enough. */
  readonly readyPools?: readonly string[];
  /** The state of the listeners, for /metrics. Default: they have no metrics. */
  readonly listener?: () => ListenerSnapshot;
  /** Loads the configuration again, for POST /api/reload. What it throws is answered as a 422. */
  readonly onReload?: () => ReloadChanges | Promise<ReloadChanges>;
}
