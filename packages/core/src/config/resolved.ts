/** The checked options: defaults filled in, durations in milliseconds, sizes in bytes, frozen. */

import type { HeaderChangeSet } from "../http1/header-changes.ts";
import type { Policy } from "../policy.ts";
import type { HashKey, ManyPoolsOptions, PolicyName, TunnelEnd } from "./options.ts";
import type { LinearPattern } from "./pattern/linear-pattern.ts";

export interface ResolvedUpstream {
  readonly id: string;
  /** As the user wrote it. */
  readonly url: string;
  readonly address: UpstreamAddress;
  readonly weight: number;
  /** 0 for primaries, 1 for backups, or derived from SRV priorities. The lowest tier with an available upstream is used. */
  readonly tier: number;
  /** Infinity is no limit. */
  readonly maxInFlight: number;
}

/** The parsed URL of an upstream. */
export interface UpstreamAddress {
  readonly tls: boolean;
  /** Without brackets. Empty for a Unix socket. */
  readonly hostname: string;
  readonly port: number;
  readonly socketPath: string | undefined;
  /** The value of a `Host` header for it. */
  readonly host: string;
  /** The prefix of every path. Never ends in a slash. */
  readonly basePath: string;
}

export interface StatusRange {
  readonly from: number;
  readonly to: number;
}

export interface ResolvedHealthCheck {
  readonly type: "http" | "tcp" | "grpc";
  /** Of a gRPC check; empty for the server as a whole. */
  readonly service: string;
  readonly path: string;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Undefined is that of the upstream, here and in `port`. */
  readonly scheme: "http" | "https" | undefined;
  readonly port: number | undefined;
  readonly intervalMs: number;
  readonly fastIntervalMs: number;
  readonly timeoutMs: number;
  readonly healthyThreshold: number;
  readonly unhealthyThreshold: number;
  readonly jitter: number;
  readonly expectStatus: readonly StatusRange[];
  readonly expectBody: string | LinearPattern | undefined;
  readonly initialState: "up" | "checking";
}

export interface ResolvedRetry {
  readonly attempts: number;
  readonly onConnectFailure: boolean;
  readonly onReset: boolean;
  readonly onTimeout: boolean;
  readonly onGrpcUnavailable: boolean;
  readonly onStatus: ReadonlySet<number>;
  readonly methods: ReadonlySet<string>;
  readonly budget: number;
  readonly minRetriesPerSecond: number;
  readonly bodyBufferBytes: number;
  /** 0 is no limit. */
  readonly perTryTimeoutMs: number;
  /** With 0 no request waits. */
  readonly connectForMs: number;
}

export interface ResolvedTimeouts {
  readonly connectMs: number;
  readonly headersMs: number;
  /** 0 is no limit, here and in `totalMs`. */
  readonly idleMs: number;
  readonly totalMs: number;
}

/** The limits of a response head. */
export interface HeadLimits {
  readonly bytes: number;
  readonly fields: number;
}

export interface ResolvedConnections {
  /** 0 is no limit. */
  readonly max: number;
  readonly keepAliveMs: number;
  /** 0 is no limit, here and in `maxRequests`. */
  readonly maxAgeMs: number;
  readonly maxRequests: number;
  /** True: by ALPN with https upstreams. "h2c": also with prior knowledge with http upstreams. */
  readonly http2: boolean | "h2c";
  /** 0 is no PING. */
  readonly pingIntervalMs: number;
  readonly pingTimeoutMs: number;
  readonly responseHead: HeadLimits;
}

export interface ResolvedTls {
  readonly ca: string | undefined;
  readonly cert: string | undefined;
  readonly key: string | undefined;
  readonly servername: string | undefined;
  readonly verify: boolean;
}

export interface ResolvedOutlierDetection {
  /** 0 switches this detector off. */
  readonly consecutiveFailures: number;
  /** 0 switches this detector off. */
  readonly failureRatio: number;
  readonly windowMs: number;
  readonly minimumRequests: number;
  readonly baseEjectionMs: number;
  readonly maxEjectionMs: number;
  readonly maxEjectionPercent: number;
  readonly failureStatuses: readonly StatusRange[];
}

export interface ResolvedSlowStart {
  readonly windowMs: number;
  /** The factor at the start, 0 to 1. */
  readonly minFactor: number;
}

export interface ResolvedSticky {
  readonly cookie: string;
  readonly secret: string | undefined;
  /** With 0 the cookie ends with the browser session. */
  readonly ttlMs: number;
  readonly onMissing: "redistribute" | "fail";
}

export interface ResolvedWeights {
  readonly mode: "feedback" | "announced";
  readonly intervalMs: number;
  /** In lower case. */
  readonly header: string;
}

export interface ResolvedDiscovery {
  readonly type: "dns" | "srv";
  readonly name: string;
  /** The name without service labels and a trailing dot, for `Host` headers and certificates. */
  readonly domain: string;
  readonly port: number;
  readonly scheme: "http" | "https";
  readonly refreshMs: number;
  readonly holdMs: number;
  readonly family: "any" | "4" | "6";
  /** Undefined is those of the system. */
  readonly servers: readonly string[] | undefined;
}

export interface ResolvedPool {
  readonly upstreams: readonly ResolvedUpstream[];
  readonly balance: PolicyName | Policy;
  readonly hashOn: HashKey;
  /** 0 is no limit. */
  readonly hashBalanceFactor: number;
  readonly outlierDetection: ResolvedOutlierDetection | undefined;
  readonly slowStart: ResolvedSlowStart | undefined;
  readonly sticky: ResolvedSticky | undefined;
  readonly weights: ResolvedWeights | undefined;
  readonly discovery: ResolvedDiscovery | undefined;
  readonly panic: "use-all" | "fail";
  readonly closeTunnelsWhen: ReadonlySet<TunnelEnd>;
  readonly healthCheck: ResolvedHealthCheck | undefined;
  readonly retry: ResolvedRetry;
  readonly timeouts: ResolvedTimeouts;
  readonly queue: { readonly max: number; readonly timeoutMs: number };
  readonly connections: ResolvedConnections;
  readonly tls: ResolvedTls;
  readonly latencyBounds: readonly number[];
}

export interface ResolvedRoute {
  /** The name in logs and metrics: its hosts and path. */
  readonly name: string;
  /** In lower case, without trailing dots. Empty is every host. */
  readonly hosts: readonly string[];
  /** Never ends in a slash: "/" is "". */
  readonly path: string;
  /** Undefined is every method. */
  readonly methods: ReadonlySet<string> | undefined;
  readonly pool: string;
  readonly stripPrefix: boolean;
  readonly addPrefix: string;
  readonly preserveHost: boolean;
  /** Infinity is no limit. */
  readonly maxBodyBytes: number;
  readonly requestHeaders: HeaderChangeSet | undefined;
  readonly responseHeaders: HeaderChangeSet | undefined;
}

export interface ResolvedOptions {
  readonly trustedProxies: readonly string[];
  readonly forwarded: boolean;
  readonly maxHeaders: number;
  /** 0 is no limit, here and in the two below. */
  readonly requestBodyTimeoutMs: number;
  readonly requestBodyMinRate: number;
  readonly sendTimeoutMs: number;
  /** Seconds, ascending. Each pool has them too. */
  readonly latencyBounds: readonly number[];
  readonly routes: readonly ResolvedRoute[];
  readonly pools: ReadonlyMap<string, ResolvedPool>;
  /** As the user wrote them, checked, in the form with named pools. */
  readonly written: ManyPoolsOptions;
}
