/** Options after checking: defaults filled in, durations in milliseconds, sizes in bytes, frozen. */

import type { HeaderChangeSet } from "../http1/header-changes.ts";
import type { Policy } from "../policy.ts";
import type { HashKey, PolicyName, TunnelEnd } from "./options.ts";
import type { LinearPattern } from "./pattern/linear-pattern.ts";

export interface ResolvedUpstream {
  readonly id: string;
  /** As the user wrote it. */
  readonly url: string;
  readonly address: UpstreamAddress;
  readonly weight: number;
  /** The lowest tier of which somebody is available is used: 0 for primaries, 1 for backups; SRV priorities make more. */
  readonly tier: number;
  /** Infinity when there is no limit. */
  readonly maxInFlight: number;
}

/** Where an upstream listens, taken apart once. */
export interface UpstreamAddress {
  readonly tls: boolean;
  /** Without brackets. Empty for a unix socket. */
  readonly hostname: string;
  readonly port: number;
  readonly socketPath: string | undefined;
  /** What a `Host` header to it says. */
  readonly host: string;
  /** Put in front of every path; never ends in a slash. */
  readonly basePath: string;
}

export interface StatusRange {
  readonly from: number;
  readonly to: number;
}

export interface ResolvedHealthCheck {
  readonly type: "http" | "tcp";
  readonly path: string;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Undefined is the upstream's. */
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
  readonly onStatus: ReadonlySet<number>;
  readonly methods: ReadonlySet<string>;
  readonly budget: number;
  readonly minRetriesPerSecond: number;
  readonly bodyBufferBytes: number;
  /** 0 is none. */
  readonly perTryTimeoutMs: number;
  /** 0 does not wait. */
  readonly connectForMs: number;
}

export interface ResolvedTimeouts {
  readonly connectMs: number;
  readonly headersMs: number;
  /** 0 is none, here and in `totalMs`. */
  readonly idleMs: number;
  readonly totalMs: number;
}

/** How large the head of a response may be. */
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
  /** By ALPN with https upstreams; "h2c": with prior knowledge with http upstreams, too. */
  readonly http2: boolean | "h2c";
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
  /** 0 is never. */
  readonly consecutiveFailures: number;
  /** 0 is never. */
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
  /** The share at the beginning, 0 to 1. */
  readonly minFactor: number;
}

export interface ResolvedSticky {
  readonly cookie: string;
  readonly secret: string | undefined;
  /** 0 ends with the browser session. */
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
  /** The name without the labels of its service and a dot at its end: whom `Host` headers and certificates name. */
  readonly domain: string;
  readonly port: number;
  readonly scheme: "http" | "https";
  readonly refreshMs: number;
  readonly holdMs: number;
  readonly family: "any" | "4" | "6";
  /** Undefined means the system's. */
  readonly servers: readonly string[] | undefined;
}

export interface ResolvedPool {
  readonly upstreams: readonly ResolvedUpstream[];
  readonly balance: PolicyName | Policy;
  readonly hashOn: HashKey;
  /** 0 is no bound. */
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
}

export interface ResolvedRoute {
  /** What logs and metrics call it: its hosts and path. */
  readonly name: string;
  /** Lower-case, without trailing dots; empty means every host. */
  readonly hosts: readonly string[];
  /** Never ends in a slash: "/" is "". */
  readonly path: string;
  /** Undefined means every method. */
  readonly methods: ReadonlySet<string> | undefined;
  readonly pool: string;
  readonly stripPrefix: boolean;
  readonly addPrefix: string;
  readonly preserveHost: boolean;
  /** Infinity when there is no limit. */
  readonly maxBodyBytes: number;
  readonly requestHeaders: HeaderChangeSet | undefined;
  readonly responseHeaders: HeaderChangeSet | undefined;
}

export interface ResolvedOptions {
  readonly trustedProxies: readonly string[];
  readonly forwarded: boolean;
  readonly maxHeaders: number;
  /** 0 is none, here and in the two below. */
  readonly requestBodyTimeoutMs: number;
  readonly requestBodyMinRate: number;
  readonly sendTimeoutMs: number;
  readonly routes: readonly ResolvedRoute[];
  readonly pools: ReadonlyMap<string, ResolvedPool>;
}
