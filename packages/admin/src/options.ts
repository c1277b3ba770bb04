import type { ReloadChanges } from "evenkeel";

/** The state of the listeners that requests come in through, where they belong to the process that serves this API. */
export interface ListenerSnapshot {
  /** TLS handshakes that failed: plain HTTP sent to a TLS port, and all others. */
  readonly handshakeFailures: { readonly plainHttp: number; readonly other: number };
  /** When the certificate, or one of its chain, expires, in milliseconds since 1970. Null without TLS. */
  readonly certificateExpiry: number | null;
}

export interface AdminOptions {
  /**
   * Asked for as `Authorization: Bearer` by everything but /healthz and /readyz. Without one, only connections that
   * come over loopback, and through no other proxy, are served.
   */
  readonly token?: string;
  /** Serves Prometheus metrics at /metrics. Default: true. */
  readonly metrics?: boolean;
  /**
   * Host names, or listen addresses, that a Host header may carry beside loopback names and the address that was
   * connected to. Give here the name under which an app is public when the handler is mounted in it.
   */
  readonly listen?: string | readonly string[];
  /** Names of pools without which /readyz is 503. Without it one pool that can serve is enough. */
  readonly readyPools?: readonly string[];
  /** The state of the listeners, for /metrics. Default: they have no metrics. */
  readonly listener?: () => ListenerSnapshot;
  /** Loads the configuration again, for POST /api/reload. What it throws is answered as a 422. */
  readonly onReload?: () => ReloadChanges | Promise<ReloadChanges>;
}
