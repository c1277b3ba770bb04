/** A configuration file after checking: defaults filled in, durations in milliseconds, paths absolute, frozen. */

import type { ProxyOptions } from "evenkeel";

/** A place to listen: a port of a host, or a unix socket. */
export type ListenAddress =
  | {
      /** Without brackets. Undefined listens on every address of the machine. */
      readonly host: string | undefined;
      /** 0 lets the system choose. */
      readonly port: number;
    }
  | {
      /** Absolute. */
      readonly socketPath: string;
    };

export interface ServerTlsConfig {
  /** The absolute path of a PEM file; not read yet, so that it can be read again when it changes. */
  readonly cert: string;
  /** As `cert`. */
  readonly key: string;
}

export interface ServerConfig {
  /** At least one. */
  readonly listen: readonly ListenAddress[];
  readonly shutdownTimeoutMs: number;
  readonly maxConnections: number;
  /** Undefined serves plain HTTP. */
  readonly tls: ServerTlsConfig | undefined;
  readonly timeouts: {
    readonly requestHeadersMs: number;
    readonly requestBodyMs: number;
    readonly keepAliveMs: number;
  };
}

export interface AdminConfig {
  readonly listen: ListenAddress;
  /** Never undefined when `listen` can be reached from another machine. */
  readonly token: string | undefined;
  readonly metrics: boolean;
  /** Names and addresses that a Host header may carry beside those that are known anyway. */
  readonly hosts: readonly string[];
  /** Every name is that of a pool. */
  readonly readyPools: readonly string[];
}

export interface AccessLogConfig {
  readonly format: "json" | "combined" | "none";
  /** "stdout", "stderr", or the absolute path of a file. */
  readonly path: string;
}

/** Everything that a configuration file says. */
export interface FileConfig {
  /** For `createProxy`: checked, with the environment and the PEM files put in. */
  readonly options: ProxyOptions;
  /** With its defaults when the file has no `[server]`. */
  readonly server: ServerConfig;
  /** Undefined when the file has no `[admin]`: then there is no admin API. */
  readonly admin: AdminConfig | undefined;
  /** With its defaults when the file has no `[accessLog]`. */
  readonly accessLog: AccessLogConfig;
  /** The absolute path of the file. */
  readonly file: string;
}
