/**
 * The options, in TypeScript and in a configuration file alike. docs/configuration.md is generated from these docstrings.
 *
 * Durations are strings with a unit: "250ms", "5s", "2m", "1h". So are sizes: "64kb", "10mb". The defaults quoted here are
 * set in defaults.ts.
 */

import type { Policy } from "../policy.ts";
import type { ConnectionOptions } from "./options/connection-options.ts";
import type { DiscoveryOptions } from "./options/discovery-options.ts";
import type { HealthCheckOptions, OutlierDetectionOptions } from "./options/health-options.ts";
import type { DynamicWeightOptions, SlowStartOptions } from "./options/weight-options.ts";

export type { ConnectionOptions } from "./options/connection-options.ts";
export type { DiscoveryOptions } from "./options/discovery-options.ts";
export type { HealthCheckOptions, OutlierDetectionOptions } from "./options/health-options.ts";
export type { DynamicWeightOptions, SlowStartOptions } from "./options/weight-options.ts";

/** A duration with its unit: `ms`, `s`, `m` or `h`, such as "250ms" or "1.5s". At most "24h". */
export type Duration = string;

/** A number of bytes with its unit: `b`, `kb`, `mb` or `gb` (powers of 1,024), such as "64kb". */
export type Size = string;

/** The name of a built-in balancing policy. */
export type PolicyName = "p2c" | "round-robin" | "least-requests" | "random" | "peak-ewma" | "hash" | "first";

/**
 * The part of a request that `balance = "hash"` hashes: the client's address behind trusted proxies, the path as received
 * without its query, or a header, cookie or query parameter. Values are compared byte for byte and not decoded. The first
 * of repeated values is used. Header names are case-insensitive; the names of cookies and parameters are case-sensitive. A
 * request without the value, or with an empty one, is balanced by weight.
 */
export type HashKey = "client-ip" | "path" | `header:${string}` | `cookie:${string}` | `query:${string}`;

export interface UpstreamOptions {
  /**
   * An `http:` or `https:` URL, or `http+unix:///path/to.sock`. Its path is prepended to the path of each request. User
   * info, a query and a fragment are errors.
   */
  readonly url: string;
  /**
   * The name in logs, metrics and the admin API, unique in the pool. Default: host:port and path of the URL, or the path of
   * its socket.
   */
  readonly id?: string;
  /**
   * Its share of requests relative to the other weights of the pool, 0 to 256. An upstream with 0 gets no new clients.
   * Default: 1.
   */
  readonly weight?: number;
  /** A backup gets requests only while no other upstream is available. Default: false. */
  readonly backup?: boolean;
  /**
   * The most requests in flight and open tunnels together. At the limit the upstream is full and is not picked. Default: no
   * limit.
   */
  readonly maxInFlight?: number;
}

/** A failure that may be retried: a transport failure, a timeout, a status, or a gRPC call that ended with UNAVAILABLE. */
export type RetryCondition = "connect-failure" | "reset" | "timeout" | "grpc-unavailable" | `${number}`;

export interface RetryOptions {
  /**
   * The most retries of one request, 0 to 10. Upstreams that were not tried go first, then those that failed. Attempts that
   * fail to connect do not count. Default: 3.
   */
  readonly attempts?: number;
  /**
   * Failures to retry: "connect-failure", "reset", "timeout", "grpc-unavailable", 429 and 500 to 599. Default:
   * ["connect-failure", "reset", "grpc-unavailable"].
   */
  readonly on?: readonly (RetryCondition | number)[];
  /** Methods of requests that may be sent twice, in capitals. Default: GET, HEAD, OPTIONS, TRACE, PUT, DELETE. */
  readonly methods?: readonly string[];
  /** The most retries of the pool as a share of its requests in the last 10 seconds, 0 to 1. Default: 0.2. */
  readonly budget?: number;
  /** Retries per second that are allowed in addition to the budget. Default: 10. */
  readonly minRetriesPerSecond?: number;
  /** Bytes of a request's body that are kept for a retry. A request with a larger body is not sent twice. Default: "64kb". */
  readonly bodyBuffer?: Size;
  /** The longest time of one attempt up to the response headers. "0s" is no limit. Default: "0s". */
  readonly perTryTimeout?: Duration;
  /**
   * How long requests wait and connect again while no upstream of the pool can be connected, counted from the first connect
   * failure after the last success of the pool. At most `queue.max` requests wait, each at most `queue.timeout`. With "0s" they
   * fail at once. Default: "2s".
   */
  readonly connectFor?: Duration;
}

export interface TimeoutOptions {
  /** From the start of an attempt to a usable connection, TLS included. Then 504, unless the request is retried. Default: "3s". */
  readonly connect?: Duration;
  /** From the end of the sent request to the response headers. Then 504, unless the request is retried. Default: "30s". */
  readonly headers?: Duration;
  /**
   * Between two bytes of a response body. Then the connection to the client is closed. "0s" is no limit. Does not apply to
   * event streams and tunnels. Default: "60s".
   */
  readonly idle?: Duration;
  /**
   * The whole request with all its attempts and its response; for a tunnel, the handshake alone. Then 504, or the connection
   * is closed if the response has begun. "0s" is no limit. Default: "0s".
   */
  readonly total?: Duration;
}

export interface QueueOptions {
  /** The most requests that wait while every available upstream is full. Further ones get 503. Default: 100. */
  readonly max?: number;
  /** The longest wait of a request. Then 503. Default: "5s". */
  readonly timeout?: Duration;
}

export interface TlsOptions {
  /** Trusted certificate authorities in PEM, instead of Node's. In a configuration file, the path of a PEM file. */
  readonly ca?: string;
  /** The client certificate in PEM. In a configuration file, the path of a PEM file. Requires `key`. */
  readonly cert?: string;
  /** The private key of `cert` in PEM. In a configuration file, the path of a PEM file. */
  readonly key?: string;
  /** The server name for SNI and for the verification of the certificate. Default: the URL's host. */
  readonly servername?: string;
  /** With false any certificate is accepted, so an attacker on the network can read and change the traffic. Default: true. */
  readonly verify?: boolean;
}

/** Session affinity by cookie: each client stays with the upstream that sent its first response. */
export interface StickyOptions {
  /** The name of the cookie. Each pool needs its own. Default: "evenkeel". */
  readonly cookie?: string;
  /**
   * The key that signs the cookie, at least 8 characters. Replicas need the same secret. Default: a random secret for each
   * process.
   */
  readonly secret?: string;
  /** How long a client stays bound to its upstream. Default: the browser session. */
  readonly ttl?: Duration;
  /**
   * If the upstream of a client is unavailable, "redistribute" binds the client to another, "fail" responds 503. Default:
   * "redistribute".
   */
  readonly onMissing?: "redistribute" | "fail";
}

/** An event that closes the tunnels of an upstream, in addition to the deadline of a drain. */
export type TunnelEnd = "unhealthy" | "disabled" | "removed";

/** The settings of a pool, without its upstreams. */
export interface PoolSettings {
  /** The balancing policy: the name of a built-in one, or in code a `Policy` object. Default: "p2c". */
  readonly balance?: PolicyName | Policy;
  /**
   * The hash key of a request, for "hash" and for a `Policy` object: the client's address, the path, or a header, cookie or
   * query parameter. Default: "client-ip".
   */
  readonly hashOn?: HashKey;
  /**
   * For "hash": an upstream whose requests in flight reach this multiple of its share, 1 to 100, is passed over for the next
   * one of the key. 0 is no limit. Default: 0.
   */
  readonly hashBalanceFactor?: number;
  /**
   * If no upstream is available, "use-all" sends requests to the unhealthy and ejected ones, "fail" responds 503. Default:
   * "use-all".
   */
  readonly panic?: "use-all" | "fail";
  /**
   * Events that close the tunnels of an upstream, WebSockets with code 1001: the upstream becomes "unhealthy", "disabled" or
   * "removed". Default: [].
   */
  readonly closeTunnelsWhen?: readonly TunnelEnd[];
  /** Default: off. */
  readonly healthCheck?: HealthCheckOptions;
  /** Passive health checks. They are on without this table; false switches them off. */
  readonly outlierDetection?: false | OutlierDetectionOptions;
  /** Default: off. */
  readonly slowStart?: SlowStartOptions;
  /** Default: off. */
  readonly sticky?: StickyOptions;
  /** Default: off. */
  readonly weights?: DynamicWeightOptions;
  /** Default: off. */
  readonly discovery?: DiscoveryOptions;
  readonly retry?: RetryOptions;
  readonly timeouts?: TimeoutOptions;
  readonly queue?: QueueOptions;
  readonly connections?: ConnectionOptions;
  readonly tls?: TlsOptions;
}

export interface PoolOptions extends PoolSettings {
  /** The upstreams. A string is the URL of an upstream with defaults. */
  readonly upstreams?: readonly (string | UpstreamOptions)[];
}

/** Changes of headers by a route. They follow the proxy's own changes. */
export interface HeaderChanges {
  /** Headers by name. Each replaces all headers of that name. */
  readonly set?: Readonly<Record<string, string>>;
  /** Names of headers to remove. */
  readonly remove?: readonly string[];
}

export interface RouteOptions {
  /**
   * Host names, exact or with a leading "*.". Case, port and a trailing dot of the request's host are ignored. Default: every
   * host.
   */
  readonly host?: string | readonly string[];
  /** A path prefix of whole segments: "/api" matches "/api" and "/api/x", not "/apix". Default: "/". */
  readonly path?: string;
  /** Methods in capitals. Default: every method. */
  readonly methods?: readonly string[];
  /** The name of the pool that serves the requests. Default: the only pool. */
  readonly pool?: string;
  /** Removes `path` from the start of the request's path. Default: false. */
  readonly stripPrefix?: boolean;
  /** A prefix for the request's path, added after `stripPrefix`. */
  readonly addPrefix?: string;
  /** With true the upstream gets the client's Host header, with false its own host. Default: true. */
  readonly preserveHost?: boolean;
  /** The largest request body. A larger one gets 413. Default: no limit. */
  readonly maxBodySize?: Size;
  readonly requestHeaders?: HeaderChanges;
  readonly responseHeaders?: HeaderChanges;
}

/** The options of the whole proxy. */
export interface SharedOptions {
  /**
   * Addresses or networks of proxies in front of this one. X-Forwarded headers from them are trusted and extended, those of
   * other clients are replaced. Default: [].
   */
  readonly trustedProxies?: readonly string[];
  /** Also sends the `Forwarded` header (RFC 7239) to upstreams. Default: false. */
  readonly forwarded?: boolean;
  /** The most header fields of a request. A request with more gets 431. Default: 200. */
  readonly maxHeaders?: number;
  /** The longest wait for the next bytes of a request's body. Then 408. "0s" is no limit. Default: "30s". */
  readonly requestBodyTimeout?: Duration;
  /**
   * The lowest average rate of a request's body, in bytes per second of waiting for it. Below it, 408. The first
   * `requestBodyTimeout` of waiting does not count. 0 is no limit, for clients that stream slowly on purpose. Default: 240.
   */
  readonly requestBodyMinRate?: number;
  /**
   * The longest time in which a client reads none of a response that is ready for it. Then its connection is closed. "0s" is
   * no limit. Default: "60s".
   */
  readonly sendTimeout?: Duration;
  /**
   * The upper bounds of the buckets of both histograms of latency, ascending, 1 to 30 of at most "1h". A reload with other
   * bounds keeps the counts: what was counted before is in the lowest new bucket that is certain to hold it. Default: ["1ms",
   * "2.5ms", "5ms", "10ms", "25ms", "50ms", "100ms", "250ms", "500ms", "1s", "2.5s", "5s", "10s", "30s", "60s"].
   */
  readonly latencyBuckets?: readonly Duration[];
}

export interface ManyPoolsOptions extends SharedOptions {
  /** The pools by name. */
  readonly pools: Readonly<Record<string, PoolOptions>>;
  /**
   * The routes of requests to pools. The first match is used; a request without a match gets 404. Default: every request to
   * the only pool.
   */
  readonly routes?: readonly RouteOptions[];
  /** The defaults of the settings of every pool. */
  readonly defaults?: PoolSettings;
}

/** The short form: a single pool, named "default". */
export interface OnePoolOptions extends SharedOptions, PoolOptions {
  /**
   * Which requests the pool serves, and changes to them. The first match is used; a request without a match gets 404.
   * Default: every request.
   */
  readonly routes?: readonly RouteOptions[];
}

export type ProxyOptions = ManyPoolsOptions | OnePoolOptions;
