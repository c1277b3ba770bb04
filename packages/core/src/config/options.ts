/**
 * What a user may write, in TypeScript and in TOML alike.
 *
 * Durations are strings with a unit: "250ms", "5s", "2m", "1h". Sizes: "64kb", "10mb". Every default quoted
 * here lives in defaults.ts.
 */

import type { Policy } from "../policy.ts";
import type { ConnectionOptions } from "./connection-options.ts";
import type { DiscoveryOptions } from "./discovery-options.ts";

export type { ConnectionOptions } from "./connection-options.ts";
export type { DiscoveryOptions } from "./discovery-options.ts";

/** A length of time with its unit: `ms`, `s`, `m` or `h`, as in "250ms" or "1.5s". */
export type Duration = string;

/** A number of bytes with its unit: `b`, `kb`, `mb` or `gb` (powers of 1,024), as in "64kb". */
export type Size = string;

/** The name of a built-in balancing policy. */
export type PolicyName = "p2c" | "round-robin" | "least-requests" | "random" | "peak-ewma" | "hash" | "first";

/**
 * What of a request `balance = "hash"` hashes: the client's address behind trusted proxies, the path as it came without
 * its query, or a header, cookie or query parameter. Values count byte for byte, nothing is decoded; of repeated ones the
 * first counts. The case of a header's name does not matter, that of the others does. A request that has none of it goes
 * by weight.
 */
export type HashKey = "client-ip" | "path" | `header:${string}` | `cookie:${string}` | `query:${string}`;

export interface UpstreamOptions {
  /** `http:`, `https:` or `http+unix:///path/to.sock`. A path is put in front of every request's; user info is refused. */
  readonly url: string;
  /** The name that logs, metrics and the admin API use; unique in the pool. Default: host:port of the URL. */
  readonly id?: string;
  /** Its share of the traffic beside the other weights of the pool, 0 to 256; 0 takes no new clients. Default: 1. */
  readonly weight?: number;
  /** Takes traffic only while no upstream without this mark is available. Default: false. */
  readonly backup?: boolean;
  /** Requests and open tunnels it may have at a time; at the limit it counts as full. Default: no limit. */
  readonly maxInFlight?: number;
}

export interface HealthCheckOptions {
  /** "http" asks for `path`; "tcp" only connects. Default: "http". */
  readonly type?: "http" | "tcp";
  /** Default: "/". */
  readonly path?: string;
  /** Default: "GET". */
  readonly method?: string;
  /** Sent with each probe, for instance a `Host`. */
  readonly headers?: Readonly<Record<string, string>>;
  /**
   * How the probe is sent where that is not the upstream's own scheme: "http" to a plain management port (over HTTP/1.1),
   * "https" with the pool's `tls`. Default: the upstream's own.
   */
  readonly scheme?: "http" | "https";
  /** Default: the upstream's own. */
  readonly port?: number;
  /** Time between probes. Default: "5s". At least "100ms". */
  readonly interval?: Duration;
  /** Time between probes before the first verdict and while the verdict is about to change. Default: "1s", or the interval when that is shorter. */
  readonly fastInterval?: Duration;
  /** Default: "2s". */
  readonly timeout?: Duration;
  /** Successes in a row that make an unhealthy upstream healthy; the very first verdict needs one. Default: 2. */
  readonly healthyThreshold?: number;
  /** Failures in a row that make it unhealthy. Default: 3. */
  readonly unhealthyThreshold?: number;
  /** Spreads probes: each wait is changed by up to this share of it, 0 to 0.5. Default: 0.1. */
  readonly jitter?: number;
  /** Statuses that count as success, as 200, "200" or "200-399". Default: ["200-399"]. Redirects are never followed. */
  readonly expectStatus?: readonly (string | number)[];
  /**
   * A substring that the first 64 KiB of the body must hold, or a regular expression between slashes. It is matched in
   * linear time, so it may not look ahead or behind, nor refer back to a group.
   */
  readonly expectBody?: string;
  /** "checking" sends no traffic before the first success. Default: "up". */
  readonly initialState?: "up" | "checking";
}

/** A condition that may be answered with another attempt: a transport failure, a timeout, or a status. */
export type RetryCondition = "connect-failure" | "reset" | "timeout" | `${number}`;

export interface RetryOptions {
  /** Attempts after the first, 0 to 10, on untried upstreams, then on those that failed. Connect failures do not count. Default: 3. */
  readonly attempts?: number;
  /** Default: ["connect-failure", "reset"]. Statuses 500 to 599 and 429 may be added: 503. */
  readonly on?: readonly (RetryCondition | number)[];
  /** Methods that may be sent twice. Default: GET, HEAD, OPTIONS, TRACE, PUT, DELETE. */
  readonly methods?: readonly string[];
  /** Share of requests that may be retried, 0 to 1. Default: 0.2. */
  readonly budget?: number;
  /** Retries a second that are allowed beside the budget. Default: 10. */
  readonly minRetriesPerSecond?: number;
  /** Bytes of a request's body kept for another attempt; a larger body is sent once. Default: "64kb". */
  readonly bodyBuffer?: Size;
  /** Time that one attempt may take up to its response headers. Default: none. */
  readonly perTryTimeout?: Duration;
  /**
   * When no upstream can be connected, at most `queue.max` requests wait, each for `queue.timeout` at most, and connect again
   * until this long after the first failure behind a success of the pool. Default: "2s". "0s" fails at once.
   */
  readonly connectFor?: Duration;
}

export interface TimeoutOptions {
  /** To a usable connection, TLS included. Default: "3s". */
  readonly connect?: Duration;
  /** From the request sent to the response's headers. Default: "30s". */
  readonly headers?: Duration;
  /** Between bytes of a response; not for event streams and tunnels. Default: "60s". */
  readonly idle?: Duration;
  /** The whole exchange with all its attempts; of a tunnel the handshake alone. Default: "0s", which is none. */
  readonly total?: Duration;
}

export interface QueueOptions {
  /** Requests that may wait while every available upstream is full. Default: 100. */
  readonly max?: number;
  /** Default: "5s". */
  readonly timeout?: Duration;
}

export interface TlsOptions {
  /** Certificate authorities in PEM that replace the well-known ones; in a file's configuration, the path of a file. */
  readonly ca?: string;
  /** A client certificate in PEM, or the path of one. */
  readonly cert?: string;
  /** The key of `cert`. */
  readonly key?: string;
  /** The name to ask for and to verify. Default: the URL's host. */
  readonly servername?: string;
  /** Default: true. False accepts any certificate: anybody on the way can read and change the traffic. */
  readonly verify?: boolean;
}

/** Passive health: an upstream that keeps failing requests is taken out for a while. */
export interface OutlierDetectionOptions {
  /** Failures in a row that eject; 0 switches this detector off. Default: 5. */
  readonly consecutiveFailures?: number;
  /** Share of failed requests within the window that ejects; 0 switches this detector off. Default: 0.5. */
  readonly failureRatio?: number;
  /** What the ratio looks back on. Default: "10s". */
  readonly window?: Duration;
  /** Requests that the window must hold before its ratio counts. Default: 20. */
  readonly minimumRequests?: number;
  /** How long the first ejection lasts; each further one lasts that much longer. Default: "30s". */
  readonly baseEjectionTime?: Duration;
  /** The longest ejection. Default: "5m". */
  readonly maxEjectionTime?: Duration;
  /** Share of the pool that may be ejected at a time; one always may while another stays. Default: 50. */
  readonly maxEjectionPercent?: number;
  /** Statuses that count as failures, beside connections that fail and responses that do not come. Default: ["500-599"]. */
  readonly failureStatuses?: readonly (string | number)[];
}

/** An upstream that comes back or joins gets its share little by little. */
export interface SlowStartOptions {
  /** Time to the full share. Default: "30s". */
  readonly window?: Duration;
  /** The share it begins with, in hundredths of the full one. Default: 10. */
  readonly minWeightPercent?: number;
}

/** Keeps each client with the upstream that answered it first. */
export interface StickyOptions {
  /** The cookie's name. Default: "evenkeel". */
  readonly cookie?: string;
  /** Signs the cookie; the same on every replica, so that all agree. Default: made up at start, good for one process. */
  readonly secret?: string;
  /** How long a client is bound. Default: as long as its browser session. */
  readonly ttl?: Duration;
  /** When the client's upstream cannot be had: bind it to another, or answer 503. Default: "redistribute". */
  readonly onMissing?: "redistribute" | "fail";
}

/** Weights that follow how upstreams do. */
export interface DynamicWeightOptions {
  /** "feedback" rates each upstream by its failures and latency; "announced" heeds only what upstreams say. Default: "feedback". */
  readonly mode?: "feedback" | "announced";
  /** Time between two ratings. Default: "10s". */
  readonly interval?: Duration;
  /** The response header in which an upstream may announce its load, 0 to 1; it goes no further. Default: "x-evenkeel-load". */
  readonly header?: string;
}

/** Beside the deadline of a drain, when the tunnels of an upstream are closed. */
export type TunnelEnd = "unhealthy" | "disabled" | "removed";

/** Everything about a pool but its members. */
export interface PoolSettings {
  /** How upstreams are chosen: a name, or in code a policy of your own. Default: "p2c". */
  readonly balance?: PolicyName | Policy;
  /** What "hash" hashes, and what a policy of your own is given as a key. Default: "client-ip". */
  readonly hashOn?: HashKey;
  /** For "hash": passes over an upstream with more than this multiple of its share in flight; 0 never does. Default: 0. */
  readonly hashBalanceFactor?: number;
  /** When nothing is available: "use-all" tries whatever is not draining or disabled, "fail" answers 503 at once. Default: "use-all". */
  readonly panic?: "use-all" | "fail";
  /** When tunnels of an upstream are closed with 1001: probes find it "unhealthy", it is "disabled" or "removed". Default: []. */
  readonly closeTunnelsWhen?: readonly TunnelEnd[];
  /** Active probes. Default: off. */
  readonly healthCheck?: HealthCheckOptions;
  /** Passive health; false switches it off. It is on by default. */
  readonly outlierDetection?: false | OutlierDetectionOptions;
  /** Default: off. */
  readonly slowStart?: SlowStartOptions;
  /** Default: off. */
  readonly sticky?: StickyOptions;
  /** Dynamic weighting. Default: off. */
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
  /** A bare string is a URL with every default. */
  readonly upstreams?: readonly (string | UpstreamOptions)[];
}

/** Header changes of a route, after the proxy's own. */
export interface HeaderChanges {
  readonly set?: Readonly<Record<string, string>>;
  readonly remove?: readonly string[];
}

export interface RouteOptions {
  /** Hosts, exact or with one leading "*."; case, port and a trailing dot do not matter. Default: every host. */
  readonly host?: string | readonly string[];
  /** A path prefix in whole segments. Default: "/". */
  readonly path?: string;
  /** Default: every method. */
  readonly methods?: readonly string[];
  /** The name of the pool that serves it. Default: the only pool. */
  readonly pool?: string;
  /** Takes `path` off the request's path. Default: false. */
  readonly stripPrefix?: boolean;
  /** Puts this in front of the request's path, after `stripPrefix`. */
  readonly addPrefix?: string;
  /** False replaces Host by the upstream's. Default: true. */
  readonly preserveHost?: boolean;
  /** The largest request body; more is answered 413. Default: no limit. */
  readonly maxBodySize?: Size;
  readonly requestHeaders?: HeaderChanges;
  readonly responseHeaders?: HeaderChanges;
}

/** What holds for the whole proxy. */
export interface SharedOptions {
  /** Addresses or networks whose X-Forwarded headers are believed and extended. Default: nobody's. */
  readonly trustedProxies?: readonly string[];
  /** Also send `Forwarded` (RFC 7239). Default: false. */
  readonly forwarded?: boolean;
  /** Header fields a request may have; more are answered 431. Default: 200. */
  readonly maxHeaders?: number;
  /** The longest wait for the next bytes of a request's body; then 408. Default: "30s". "0s" is none. */
  readonly requestBodyTimeout?: Duration;
  /**
   * Bytes a second that a request's body has to keep up, over all the time that is spent waiting for it; then 408. The
   * first `requestBodyTimeout` of waiting is free. Default: 240, as in Kestrel. 0 is none, for clients that stream
   * slowly on purpose.
   */
  readonly requestBodyMinRate?: number;
  /** How long a client may leave a response lying that waits for it; then it is cut off. Default: "60s". "0s" is none. */
  readonly sendTimeout?: Duration;
}

export interface ManyPoolsOptions extends SharedOptions {
  readonly pools: Readonly<Record<string, PoolOptions>>;
  /** The first match wins. Default: everything to the only pool. */
  readonly routes?: readonly RouteOptions[];
  /** What each pool takes for what it does not say itself. */
  readonly defaults?: PoolSettings;
}

/** The short form: one pool, named "default", that takes everything. */
export interface OnePoolOptions extends SharedOptions, PoolOptions {
  /** Which requests the pool serves, and what changes on their way; the first match wins. Default: every request. */
  readonly routes?: readonly RouteOptions[];
}

export type ProxyOptions = ManyPoolsOptions | OnePoolOptions;
