/**
 * The options of a configuration file, in addition to those of the proxy itself.
 *
 * The defaults that are quoted here are set in defaults.ts.
 */

import type { Duration, ManyPoolsOptions, OnePoolOptions } from "evenkeel";

export interface ServerTlsOptions {
  /** The path of a PEM file with the certificate and its chain. SIGHUP and `--watch` load a renewed one. */
  readonly cert: string;
  /** The path of a PEM file with the private key of `cert`. */
  readonly key: string;
}

export interface ServerTimeoutOptions {
  /** From the first byte of a connection to the end of a request's headers. Default: "10s". */
  readonly requestHeaders?: Duration;
  /** Between two bytes of a request's body. Default: "30s". */
  readonly requestBody?: Duration;
  /** How long an idle client connection stays open. Default: "75s". */
  readonly keepAlive?: Duration;
}

/** The table `[server]`: the addresses that the command listens on, and its shutdown. */
export interface ServerOptions {
  /** "host:port", ":port", "[::1]:port" or "unix:/run/evenkeel.sock", or an array of them. Default: "127.0.0.1:8080". */
  readonly listen?: string | readonly string[];
  /** How long requests in flight may take to finish after SIGTERM. Default: "30s". */
  readonly shutdownTimeout?: Duration;
  /** Client connections at the same time, as far as the limit of open files allows. Default: 10000. */
  readonly maxConnections?: number;
  /** Serves HTTPS. Default: off. */
  readonly tls?: ServerTlsOptions;
  readonly timeouts?: ServerTimeoutOptions;
}

/** The table `[admin]`: the admin API and the metrics on a separate port. Off unless the table is present. */
export interface AdminOptions {
  /** One address, as in `server.listen`. Default: "127.0.0.1:9090". */
  readonly listen?: string;
  /** The bearer token that clients must send. Required unless `listen` is a loopback address or a Unix socket. */
  readonly token?: string;
  /**
   * Hosts that a request without a valid token may name in its Host header, in addition to `listen` and loopback names. With
   * the token, and for /healthz and /readyz, any Host is accepted.
   */
  readonly hosts?: readonly string[];
  /** Serves `/metrics`. Default: true. */
  readonly metrics?: boolean;
  /** Names of pools that must be able to serve, else `/readyz` is 503. Without it, one pool that can serve is enough. */
  readonly readyPools?: readonly string[];
}

/** The table `[accessLog]`. */
export interface AccessLogOptions {
  /** One JSON object per line, the NCSA combined format, or no access log. Default: "json". */
  readonly format?: "json" | "combined" | "none";
  /** "stdout", "stderr", a path that leads to one of them, or a regular file, which SIGUSR1 reopens. Default: "stdout". */
  readonly path?: string;
}

/** The tables of the command. Adapters ignore them. */
export interface CommandTables {
  readonly server?: ServerOptions;
  readonly admin?: AdminOptions;
  readonly accessLog?: AccessLogOptions;
}

/** The content of a whole configuration file, as it is written. */
export type FileOptions = (ManyPoolsOptions | OnePoolOptions) & CommandTables;
