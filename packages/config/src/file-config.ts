/** A validated configuration file: with defaults, durations in milliseconds and absolute paths; frozen. */

import type { ListenAddress, ProxyOptions } from "evenkeel";
import type { AccessLogFieldOptions } from "./options.ts";

export interface CertificateConfig {
  /** The absolute path of a PEM file. It is a path, not its content, so that the file can be read again when it changes. */
  readonly cert: string;
  /** Like `cert`. */
  readonly key: string;
}

export interface ServerTlsConfig extends CertificateConfig {
  /** Those for other server names. */
  readonly certificates: readonly CertificateConfig[];
}

export interface ServerConfig {
  /** At least one. */
  readonly listen: readonly ListenAddress[];
  /** "auto": one for each core. */
  readonly workers: number | "auto";
  readonly shutdownTimeoutMs: number;
  readonly drainDelayMs: number;
  readonly maxConnections: number;
  readonly http2: boolean;
  readonly h2c: boolean;
  /** Addresses and networks of peers that send the PROXY protocol. */
  readonly proxyProtocol: readonly string[];
  /** Undefined serves plain HTTP. */
  readonly tls: ServerTlsConfig | undefined;
  readonly limits: {
    readonly headBytes: number;
    /** Undefined: that of the proxy, `requestBodyMinRate`. */
    readonly minBodyRate: number | undefined;
    readonly requestsPerConnection: number;
    readonly maxConcurrentStreams: number;
  };
  readonly timeouts: {
    readonly requestHeadersMs: number;
    readonly requestBodyMs: number;
    readonly keepAliveMs: number;
  };
}

export interface AdminConfig {
  readonly listen: ListenAddress;
  /** Always set when other machines can reach `listen`. */
  readonly token: string | undefined;
  /** Not set without a token. */
  readonly readToken: string | undefined;
  readonly dashboard: boolean;
  readonly metrics: boolean;
  /** Hosts that a Host header may name, in addition to `listen` and loopback names. */
  readonly hosts: readonly string[];
  /** Names of existing pools. */
  readonly readyPools: readonly string[];
}

export interface AccessLogConfig {
  readonly format: "json" | "combined" | "none";
  /** "stdout", "stderr", or the absolute path of a file. */
  readonly path: string;
  /** Undefined: the fields of the reference. */
  readonly fields: AccessLogFieldOptions | undefined;
}

export interface TracingConfig {
  /** Undefined: what the environment says, or the default. */
  readonly endpoint: string | undefined;
  readonly headers: Readonly<Record<string, string>>;
  /** Like `endpoint`. */
  readonly serviceName: string | undefined;
  readonly sampleRatio: number;
  readonly probes: boolean;
}

/** The whole content of a configuration file. */
export interface FileConfig {
  /** For `createProxy`: validated, with environment variables expanded and PEM files read. */
  readonly options: ProxyOptions;
  /** The defaults when the file has no `[server]`. */
  readonly server: ServerConfig;
  /** Undefined when the file has no `[admin]`: the admin API is off. */
  readonly admin: AdminConfig | undefined;
  /** The defaults when the file has no `[accessLog]`. */
  readonly accessLog: AccessLogConfig;
  /** Undefined when the file has no `[tracing]`: nothing is traced. */
  readonly tracing: TracingConfig | undefined;
  /** The absolute path of the file. */
  readonly file: string;
}
