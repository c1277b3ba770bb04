/**
 * The options of a configuration file, in addition to those of the proxy itself.
 *
 * The defaults that are quoted here are set in defaults.ts.
 */

import type { Duration, ManyPoolsOptions, OnePoolOptions, Size } from "evenkeel";
import type { AccessLogField } from "./access-log-fields.ts";

export interface CertificateOptions {
  /** The path of a PEM file with the certificate and its chain. SIGHUP and `--watch` load a renewed one. */
  readonly cert: string;
  /** The path of a PEM file with the private key of `cert`. */
  readonly key: string;
}

/** HTTPS. The certificate here is the default one: for clients without a server name, and for names that no other one has. */
export interface ServerTlsOptions extends CertificateOptions {
  /**
   * More certificates, selected by the server name of the client (SNI). Each serves the DNS names that it is issued for; a
   * wildcard stands for one label. The first certificate with a name serves it, the default one before all others.
   */
  readonly certificates?: readonly CertificateOptions[];
}

/** The limits of requests and connections. A reload applies them to new connections. */
export interface ServerLimitOptions {
  /** The largest head of a request with its request line. A larger one is 431, or 414 for the request line. Default: "16kb". */
  readonly headBytes?: Size;
  /**
   * The lowest rate of a request's body in bytes per second, after 5 seconds of reading; 0 is no limit. A slower one is 408.
   * Default: `requestBodyMinRate`.
   */
  readonly minBodyRate?: number;
  /** The number of requests after which a connection closes; 0 is no limit. Default: 0. */
  readonly requestsPerConnection?: number;
  /** The most streams that are open at the same time on an HTTP/2 connection. Default: 128. */
  readonly maxConcurrentStreams?: number;
}

export interface ServerTimeoutOptions {
  /** From the first byte of a connection to the end of a request's headers. TLS handshakes have the same time. Default: "10s". */
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
  /**
   * The number of processes that serve; "auto" is one for each core. With more than one, another process accepts the connections
   * and gives them out. Default: 1.
   */
  readonly workers?: number | "auto";
  /** How long requests in flight may take to finish after SIGTERM. Default: "30s". */
  readonly shutdownTimeout?: Duration;
  /**
   * How long everything is served after SIGTERM, with `/readyz` at 503, before the listeners close: the time that load
   * balancers in front need to notice it. Default: "0s".
   */
  readonly drainDelay?: Duration;
  /** Client connections at the same time, as far as the limit of open files allows. Default: 10000. */
  readonly maxConnections?: number;
  /** Offers HTTP/2 to TLS clients (ALPN). Default: true. */
  readonly http2?: boolean;
  /** Accepts HTTP/2 with prior knowledge, without TLS. Default: false. */
  readonly h2c?: boolean;
  /**
   * Addresses and networks of load balancers in front that send the PROXY protocol, version 1 or 2. Each connection from them
   * must begin with its header, which has the client's address. Headers of other peers are not read. Default: off.
   */
  readonly proxyProtocol?: readonly string[];
  /** Serves HTTPS. Default: off. */
  readonly tls?: ServerTlsOptions;
  readonly limits?: ServerLimitOptions;
  readonly timeouts?: ServerTimeoutOptions;
}

/** The table `[admin]`: the admin API and the metrics on a separate port. Off unless the table is present. */
export interface AdminOptions {
  /** One address, as in `server.listen`. Default: "127.0.0.1:9090". */
  readonly listen?: string;
  /** The bearer token that clients must send. Required unless `listen` is a loopback address or a Unix socket. */
  readonly token?: string;
  /** A second token, for clients that may read everything and change nothing. Needs a `token`. */
  readonly readToken?: string;
  /** Serves the dashboard, a page for browsers, at `/`. Default: true. */
  readonly dashboard?: boolean;
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
  /** Changes to the fields of a line of the format "json". */
  readonly fields?: AccessLogFieldOptions;
}

/** Changes to the fields of a line. A dot in a name does not make a nested object. */
export interface AccessLogFieldOptions {
  /** The names of the Elastic Common Schema, or those of OpenTelemetry. Default: off. */
  readonly preset?: "ecs" | "otel";
  /** Names of fields, as without a preset, that are not written. Default: off. */
  readonly remove?: readonly AccessLogField[];
  /** Other names of fields, by their names without a preset: `durationMs = "took"`. Default: off. */
  readonly rename?: Readonly<Partial<Record<AccessLogField, string>>>;
  /** Fields that every line has: `service = "edge"`. They replace those of the preset. Default: off. */
  readonly add?: Readonly<Record<string, string | number | boolean>>;
}

/** The table `[tracing]`: OpenTelemetry spans of requests, sent by OTLP over HTTP. Off unless the table is present. */
export interface TracingOptions {
  /**
   * The URL that spans are sent to; its path is `/v1/traces` if it has none. Without it: `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT` or
   * `OTEL_EXPORTER_OTLP_ENDPOINT`, or else `http://127.0.0.1:4318/v1/traces`.
   */
  readonly endpoint?: string;
  /** Headers of the requests to `endpoint`, such as an API key. */
  readonly headers?: Readonly<Record<string, string>>;
  /** The `service.name` of the spans. Without it: `OTEL_SERVICE_NAME`, or else `evenkeel`. */
  readonly serviceName?: string;
  /** The share of new traces that is recorded, 0 to 1. Requests with a trace keep the decision of their trace. Default: 1. */
  readonly sampleRatio?: number;
  /** Records health checks too. Default: false. */
  readonly probes?: boolean;
}

/** The tables of the command. Adapters ignore them. */
export interface CommandTables {
  readonly server?: ServerOptions;
  readonly admin?: AdminOptions;
  readonly accessLog?: AccessLogOptions;
  readonly tracing?: TracingOptions;
}

/** The content of a whole configuration file, as it is written. */
export type FileOptions = (ManyPoolsOptions | OnePoolOptions) & CommandTables;
