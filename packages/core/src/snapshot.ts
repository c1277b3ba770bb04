/** The results of `proxy.snapshot()` and `pool.snapshot()`: plain frozen data of one moment. */

import type { ErrorCode, ErrorSource } from "./errors.ts";
import type { AttemptRecord, EjectionReason, Health, UpstreamState } from "./events.ts";
import type { GrpcStatusName } from "./grpc/status.ts";

/** A distribution of durations, cumulative like a Prometheus histogram. */
export interface HistogramSnapshot {
  /** Upper bounds of the buckets in seconds, ascending. `count` is the bucket without a bound. */
  readonly bounds: readonly number[];
  /** For each bound, the number of durations up to and including it. */
  readonly counts: readonly number[];
  readonly count: number;
  /** The sum of all durations in seconds. */
  readonly sum: number;
}

/** Quantiles in milliseconds, estimated from a histogram. Null before the first response. */
export interface Quantiles {
  readonly p50: number | null;
  readonly p90: number | null;
  readonly p99: number | null;
}

/**
 * What an upstream is, in one word: the first of these that holds, in this order.
 *
 * - `disabled`, `draining`: an operator has set it.
 * - `unhealthy`: active health checks have found it.
 * - `ejected`: outlier detection has ejected it.
 * - `trial`: its ejection has ended, and it gets one request at a time until one succeeds.
 * - `checking`: it gets no requests before its first verdict.
 * - `failing`: connecting to it has failed, no response has arrived since, and no health check has a verdict about it.
 * - `full`: it has as many requests in flight as it may have.
 * - `warming`: its slow start has not ended.
 * - `healthy`: active health checks have found it.
 * - `unchecked`: nothing is known against it, and there is no verdict of a health check.
 */
export type UpstreamStatus =
  | "disabled"
  | "draining"
  | "unhealthy"
  | "ejected"
  | "trial"
  | "checking"
  | "failing"
  | "full"
  | "warming"
  | "healthy"
  | "unchecked";

/** What an upstream is, since when, and why. */
export interface UpstreamCondition {
  readonly status: UpstreamStatus;
  /**
   * Milliseconds since 1970. Null for `full`, whose begin is not recorded.
   *
   * `ejected`: the first ejection since the upstream was last readmitted; failed trials do not move it. `healthy` and
   * `unchecked`: since nothing speaks against it, such as since its readmission. Having been `full` does not move any of them.
   */
  readonly since: number | null;
  /**
   * Such as `status 503` and `connect_refused` (the deciding probe, or the last failure), `consecutive-failures` (see
   * `EjectionReason`), `set by an operator`, `8 of 8 in flight`. Null if there is nothing to say. In the snapshot of a group
   * it ends with the number of workers if only some of them have found this, such as `consecutive-failures, in 1 of 4 workers`.
   */
  readonly reason: string | null;
  /**
   * More about the reason. `unhealthy`: why the probe's connection failed, such as `certificate has expired
   * (CERT_HAS_EXPIRED)`. `ejected` and `trial`: the failure that led to the ejection, such as `status 500`.
   */
  readonly cause?: string;
  /** `ejected`: the end of the ejection, in milliseconds since 1970. */
  readonly until?: number;
}

/** The last probe of an upstream that has counted. */
export interface ProbeSnapshot {
  /** When it ended, in milliseconds since 1970. */
  readonly at: number;
  readonly ok: boolean;
  /** Its result, such as `status 200`, `timeout` or `connect_refused`. */
  readonly reason: string;
  /** Why its connection failed, such as `certificate has expired (CERT_HAS_EXPIRED)`. Absent if unknown. */
  readonly cause?: string;
  readonly durationMs: number;
}

export interface UpstreamSnapshot {
  readonly id: string;
  readonly url: string;
  readonly backup: boolean;
  /** Found in DNS, not listed in the options. */
  readonly discovered: boolean;
  /** `state`, `health`, the ejection and the rest in one word, with its time and reason. */
  readonly condition: UpstreamCondition;
  readonly state: UpstreamState;
  readonly health: Health;
  /** Whether the upstream can be picked now. */
  readonly available: boolean;
  /** The configured weight, or the one that an operator has set since. */
  readonly weight: number;
  /** The weight that balancing uses: `weight` multiplied by the three factors below. */
  readonly effectiveWeight: number;
  /** The slow start factor: below 1 for a while after the upstream has joined or was readmitted. */
  readonly slowStart: number;
  /** The feedback factor: below 1 while the upstream performs worse than the others of its pool. */
  readonly feedback: number;
  /** The factor of the announced load: 1 if the upstream announces none. */
  readonly announced: number;
  /** The end of its ejection in milliseconds since 1970. Null if it is not ejected. */
  readonly ejectedUntil: number | null;
  /** In the snapshot of a group: the number of workers that have ejected it. Each worker ejects by its own traffic. */
  readonly ejectedIn?: number;
  /** The upstream is half-open: its ejection has ended, and it gets one request at a time until one succeeds. */
  readonly onTrial: boolean;
  readonly ejections: Readonly<Partial<Record<EjectionReason, number>>>;
  /** Requests in flight, without tunnels. */
  readonly inFlight: number;
  /** The limit of requests and open tunnels together. Null if there is none. */
  readonly maxInFlight: number | null;
  /** This process's share of `maxInFlight`. Only where several processes share it. */
  readonly inFlightShare?: number;
  readonly tunnels: number;
  /** Counts of attempts by outcome: `success`, `aborted`, `stale`, or an error code. */
  readonly outcomes: Readonly<Partial<Record<ErrorCode | "success" | "aborted" | "stale", number>>>;
  /** The number of responses with a status of 500 or above. Their outcome is `success`: the upstream has responded. */
  readonly serverErrors: number;
  readonly probes: { readonly success: number; readonly failure: number };
  /** Null before the first probe. */
  readonly lastProbe: ProbeSnapshot | null;
  /** The time from the start of an attempt to the response headers. */
  readonly latency: HistogramSnapshot;
  readonly quantiles: Quantiles;
  /** The last failure that counted against it. Failures of the client and of the proxy's own limits do not count. */
  readonly lastFailure: { readonly code: ErrorCode; readonly at: number } | null;
}

/** The state of the DNS lookups of a pool's members. */
export interface DiscoverySnapshot {
  readonly name: string;
  /** `awaited` until the first lookup has ended, then the result of the last lookup. */
  readonly status: "awaited" | "ok" | "failing";
  /** Since when `status` is as it is, in milliseconds since 1970. */
  readonly since: number;
  readonly lookups: { readonly success: number; readonly failure: number };
  /** Milliseconds since 1970. Null before the first success. */
  readonly lastSuccess: number | null;
  /** The last failure, also when a lookup has succeeded since. */
  readonly lastError: { readonly reason: string; readonly at: number } | null;
  /** Milliseconds since 1970. Null while a lookup is in flight. */
  readonly nextLookup: number | null;
  /** Records of the last successful lookup that were ignored: without a usable address, or above the limit of members. */
  readonly passedOver: number;
}

/** Connecting to upstreams of the pool has failed, and no connection has succeeded since. Times in milliseconds since 1970. */
export interface OutageSnapshot {
  /** The first failure after the last success. */
  readonly since: number;
  /** Requests that wait to connect again or are connecting again. */
  readonly waiting: number;
  /** Until when a request waits if it can connect to no upstream (`retry.connectFor`). Null if it fails at once. */
  readonly until: number | null;
}

export interface PoolSnapshot {
  readonly name: string;
  readonly policy: string;
  /** The number of upstreams that can be picked now for a new client: available, with a weight above 0. */
  readonly available: number;
  /** No upstream is available, and requests go to any upstream that is not draining or disabled. */
  readonly panic: boolean;
  /** A new request can get a response from an upstream: one is available, available but full, or used in panic. */
  readonly serving: boolean;
  /** Since when `serving` is as it is, in milliseconds since 1970. */
  readonly since: number;
  /** Requests in flight, without tunnels. */
  readonly inFlight: number;
  readonly tunnels: number;
  readonly queueDepth: number;
  /** The limit of the queue, for all processes of a group together. 0 if there is no queue. */
  readonly queueMax: number;
  /** Null if the last attempt to connect has succeeded, and before the first. */
  readonly outage: OutageSnapshot | null;
  readonly retries: Readonly<Record<string, number>>;
  readonly retryBudgetExhausted: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** Null without `discovery`. */
  readonly discovery: DiscoverySnapshot | null;
  readonly upstreams: readonly UpstreamSnapshot[];
}

/** The count of finished requests for one set of labels. Unknown methods count as `other`, so no label comes from a client. */
export interface RequestCount {
  readonly route: string;
  readonly pool: string;
  readonly method: string;
  readonly code: number;
  readonly count: number;
}

/** The count of finished gRPC calls with one status, such as `OK` or `UNAVAILABLE`. They count as requests too. */
export interface GrpcCallCount {
  readonly route: string;
  readonly pool: string;
  readonly status: GrpcStatusName;
  readonly count: number;
}

/** The count of finished requests with one error code. They count as requests too. A response of an upstream is no error. */
export interface RequestErrorCount {
  readonly route: string;
  readonly pool: string;
  /** The status that was sent. It is no failure itself if a response has ended early, or if the request is a gRPC call. */
  readonly code: number;
  readonly error: ErrorCode;
  /** The cause of the error. */
  readonly source: ErrorSource;
  readonly count: number;
}

/** From the arrival of requests to the end of their responses. Without tunnels. */
export interface RequestDurations {
  readonly route: string;
  readonly pool: string;
  readonly histogram: HistogramSnapshot;
}

/** A failed request: its status is 500 or above, or it has an error code. Requests that the client has aborted are none. */
export interface FailedRequest {
  /** When the request was received, in milliseconds since 1970. */
  readonly time: number;
  readonly requestId: string;
  readonly method: string;
  readonly host: string;
  /** Without query and user information. At most 256 characters. */
  readonly path: string;
  readonly status: number;
  readonly error?: ErrorCode;
  /** Details of the error. At most 256 characters. Absent if unknown. */
  readonly cause?: string;
  readonly route?: string;
  readonly pool?: string;
  /** The id of the upstream whose response the client got, or else of the last one tried. */
  readonly upstream?: string;
  readonly attempts: readonly AttemptRecord[];
  readonly durationMs: number;
  /** The id of its trace, 32 hexadecimal digits. Absent if the request belongs to none. */
  readonly traceId?: string;
  /** In a group: the number of the worker that has served it. */
  readonly worker?: number;
}

export interface ProxySnapshot {
  /** Milliseconds since 1970. */
  readonly time: number;
  /** When the proxy was created, in milliseconds since 1970. */
  readonly startedAt: number;
  /** `close` has been called, and the proxy waits for requests in flight. */
  readonly draining: boolean;
  readonly version: string;
  readonly pools: readonly PoolSnapshot[];
  readonly requests: readonly RequestCount[];
  readonly grpcCalls: readonly GrpcCallCount[];
  readonly errors: readonly RequestErrorCount[];
  readonly durations: readonly RequestDurations[];
  readonly reloads: { readonly succeeded: number; readonly failed: number; readonly lastSuccessful: boolean };
}
