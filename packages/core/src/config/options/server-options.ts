/** The options of a server for clients (`evenkeel/server`). */

import type { Duration, Size } from "../options.ts";

/** A certificate with its key, as PEM. */
export interface CertificateOptions {
  /** The certificate and its chain. */
  readonly cert: string;
  /** The private key of `cert`. */
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

/** The limits of requests and connections. A change applies to new connections. */
export interface ServerLimitOptions {
  /** The largest head of a request with its request line. A longer one is 431, or 414 for the request line. Default: "16kb". */
  readonly headBytes?: Size;
  /**
   * The lowest rate of a request's body in bytes per second, after 5 seconds of reading; 0 is no limit. A slower one is 408.
   * The proxy's `requestBodyMinRate` applies too. Default: 240.
   */
  readonly minBodyRate?: number;
  /** The number of requests after which a connection closes; 0 is no limit. Default: 0. */
  readonly requestsPerConnection?: number;
  /** The most streams that are open at the same time on an HTTP/2 connection. Default: 128. */
  readonly maxConcurrentStreams?: number;
}

/** Timeouts of client connections. A change applies to new connections. */
export interface ServerTimeoutOptions {
  /** From the first byte of a connection to the end of a request's headers. TLS handshakes have the same time. Default: "10s". */
  readonly requestHeaders?: Duration;
  /** How long an idle client connection stays open. Default: "75s". */
  readonly keepAlive?: Duration;
  /**
   * How long a client may not read a response; 0 is no limit. The proxy's `sendTimeout` applies too, to each response.
   * Default: "60s".
   */
  readonly send?: Duration;
}

/** The options of `createServer`. */
export interface ServerOptions {
  /** "host:port", ":port", "[::1]:port" or "unix:/run/app.sock", or an array of them. Port 0 is a free port. */
  readonly listen: string | readonly string[];
  /** Serves HTTPS. Default: off. */
  readonly tls?: ServerTlsOptions;
  /** Offers HTTP/2 to TLS clients (ALPN). Default: true. */
  readonly http2?: boolean;
  /** Accepts HTTP/2 with prior knowledge, without TLS. Default: false. */
  readonly h2c?: boolean;
  /** Client connections at the same time, as far as the limit of open files allows. Default: 10000. */
  readonly maxConnections?: number;
  /**
   * Addresses and networks of load balancers in front that send the PROXY protocol, version 1 or 2. Each connection from them
   * must begin with its header, which has the client's address. Headers of other peers are not read. Default: off.
   */
  readonly proxyProtocol?: readonly string[];
  readonly limits?: ServerLimitOptions;
  readonly timeouts?: ServerTimeoutOptions;
}
