import type { ReloadChanges } from "evenkeel";

/** The state of the listeners that clients connect to, if the process of this API owns them. */
export interface ListenerSnapshot {
  /**
   * Client connections: open now, and their limit; the total refused at the limit, because all open ones had a request in
   * flight; and the total closed while idle, to make room for new ones.
   */
  readonly connections: {
    readonly open: number;
    readonly limit: number;
    readonly refused: number;
    readonly idleClosed: number;
  };
  /** TLS handshakes that failed: plain HTTP sent to a TLS port, and all others. */
  readonly handshakeFailures: { readonly plainHttp: number; readonly other: number };
  /** Connections of load balancers that were closed, because their PROXY header is missing or malformed. */
  readonly proxyHeaderFailures: number;
  /** Expiry of the certificate, or of one in its chain if that is earlier, in milliseconds since 1970. Null without TLS. */
  readonly certificateExpiry: number | null;
}

export interface AdminOptions {
  /**
   * Every resource but /healthz and /readyz requires it as `Authorization: Bearer`. Without a token, the API serves only
   * connections over loopback or a Unix socket that do not come through another proxy.
   */
  readonly token?: string;
  /** A second token, which may read everything and change nothing. Needs `token`. */
  readonly readToken?: string;
  /** Serves the dashboard at the path that the API is mounted at. Default: true. */
  readonly dashboard?: boolean;
  /** Serves Prometheus metrics at /metrics. Default: true. */
  readonly metrics?: boolean;
  /**
   * The address that the API listens on, as "host:port" or "unix:/path". A request without a valid token must name this host, a
   * loopback name, the local address of the connection, or one of `hosts` in its Host header.
   */
  readonly listen?: string | readonly string[];
  /** Further hosts that a request without a valid token may name, such as the public name of an app that mounts the API. */
  readonly hosts?: readonly string[];
  /** Names of pools that must be able to serve, else /readyz is 503. Without it, one pool that can serve is enough. */
  readonly readyPools?: readonly string[];
  /** /readyz is 503 while this returns true: connections of clients are not served yet. */
  readonly starting?: () => boolean;
  /** /readyz is 503 while this returns true, in addition to a proxy that drains. */
  readonly draining?: () => boolean;
  /** The history begins when this resolves. Until then the counts of the target may change by more than its traffic. */
  readonly sampleAfter?: Promise<unknown> | undefined;
  /** Further tables of the configuration in force, for GET /api/config, without secrets. */
  readonly config?: () => object;
  /** The state of the listeners, for /metrics and /api/overview. Default: unknown. */
  readonly listener?: () => ListenerSnapshot | Promise<ListenerSnapshot>;
  /** Loads the configuration again, for POST /api/reload. An exception becomes a 422 response. */
  readonly onReload?: () => ReloadChanges | Promise<ReloadChanges>;
  /**
   * Replaces this process in place, for POST /api/restart, and resolves once the new process is ready. A `RestartRefused`
   * becomes a 409 response, any other exception a 500 response with its message.
   */
  readonly onRestart?: () => Promise<{ readonly pid: number }>;
}

/** A restart that was not tried, such as a second one at the same time. The message says why. */
export class RestartRefused extends Error {}
