/**
 * What a user may write in a configuration file beside the options of the proxy itself.
 *
 * Every default quoted here lives in defaults.ts.
 */

import type { Duration, ManyPoolsOptions, OnePoolOptions } from "evenkeel";

export interface ServerTlsOptions {
  /** The path of a file with the certificate and its chain in PEM; SIGHUP and `--watch` use a renewed one. */
  readonly cert: string;
  /** The path of a file with the key of `cert` in PEM. */
  readonly key: string;
}

export interface ServerTimeoutOptions {
  /** From a connection's first byte to the end of a request's headers. Default: "10s". */
  readonly requestHeaders?: Duration;
  /** Between bytes of a request's body. Default: "30s". */
  readonly requestBody?: Duration;
  /** Time an idle connection of a client is kept. Default: "75s". */
  readonly keepAlive?: Duration;
}

/** The table `[server]`: where the command listens and how it stops. */
export interface ServerOptions {
  /** "host:port", ":port", "[::1]:port" or "unix:/run/evenkeel.sock", or an array of them. Default: "127.0.0.1:8080". */
  readonly listen?: string | readonly string[];
  /** How long requests in flight may take to finish after SIGTERM. Default: "30s". */
  readonly shutdownTimeout?: Duration;
  /** Connections of clients at the same time, as far as the limit of open files allows. Default: 10000. */
  readonly maxConnections?: number;
  /** Serves HTTPS. Default: off. */
  readonly tls?: ServerTlsOptions;
  readonly timeouts?: ServerTimeoutOptions;
}

/** The table `[admin]`: the admin API and the metrics on a port of their own. Off unless present. */
export interface AdminOptions {
  /** As `server.listen`, but one. Default: "127.0.0.1:9090". */
  readonly listen?: string;
  /** What callers must send as a bearer token; required unless `listen` is a loopback address or a unix socket. */
  readonly token?: string;
  /**
   * Hosts that a request without a right token may name in its Host header, beside `listen` and loopback names. With the
   * token, and for /healthz and /readyz, every Host will do.
   */
  readonly hosts?: readonly string[];
  /** Serves `/metrics`. Default: true. */
  readonly metrics?: boolean;
  /** Names of pools without which `/readyz` is 503. Without it one pool that can serve is enough. */
  readonly readyPools?: readonly string[];
}

/** The table `[accessLog]`. */
export interface AccessLogOptions {
  /** One JSON object a line, the NCSA combined format, or nothing at all. Default: "json". */
  readonly format?: "json" | "combined" | "none";
  /** "stdout", "stderr", a path that leads to one of them, or a regular file, opened again on SIGUSR1. Default: "stdout". */
  readonly path?: string;
}

/** The tables that belong to the command; an adapter leaves them alone. */
export interface CommandTables {
  readonly server?: ServerOptions;
  readonly admin?: AdminOptions;
  readonly accessLog?: AccessLogOptions;
}

/** A whole configuration file as it is written. */
export type FileOptions = (ManyPoolsOptions | OnePoolOptions) & CommandTables;
