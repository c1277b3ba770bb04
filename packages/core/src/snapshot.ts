/** What `proxy.snapshot()` and `pool.snapshot()` return: plain frozen data, taken at one moment. */

import type { ErrorCode } from "./errors.ts";
import type { EjectionReason, Health, UpstreamState } from "./events.ts";

/** A distribution of durations, cumulative like a Prometheus histogram. */
export interface HistogramSnapshot {
  /** Upper bounds in seconds, ascending; the last bucket, without a bound, is `count`. */
  readonly bounds: readonly number[];
  /** How many were at most the bound at the same index. */
  readonly counts: readonly number[];
  readonly count: number;
  /** In seconds. */
  readonly sum: number;
}

/** Milliseconds, estimated from a histogram; null before the first response. */
export interface Quantiles {
  readonly p50: number | null;
  readonly p90: number | null;
  readonly p99: number | null;
}

export interface UpstreamSnapshot {
  readonly id: string;
  readonly url: string;
  readonly backup: boolean;
  /** Found in DNS rather than listed. */
  readonly discovered: boolean;
  readonly state: UpstreamState;
  readonly health: Health;
  /** May be picked now. */
  readonly available: boolean;
  /** As configured, or as set by an operator since. */
  readonly weight: number;
  /** What balancing uses: the weight times the three factors below. */
  readonly effectiveWeight: number;
  /** 1 unless it has just come back or joined. */
  readonly slowStart: number;
  /** 1 unless it fares worse than its fellows. */
  readonly feedback: number;
  /** 1 unless it announces a load. */
  readonly announced: number;
  /** Out on account of its failures until then, milliseconds since 1970; null when it is not. */
  readonly ejectedUntil: number | null;
  /** It has been out, and gets one request at a time to show that it is well. */
  readonly onTrial: boolean;
  readonly ejections: Readonly<Partial<Record<EjectionReason, number>>>;
  /** Requests alone. */
  readonly inFlight: number;
  /** Of requests and tunnels together. Null when there is no limit. */
  readonly maxInFlight: number | null;
  readonly tunnels: number;
  /** Attempts by how they ended: `success`, `aborted`, `stale`, or an error code. */
  readonly outcomes: Readonly<Partial<Record<ErrorCode | "success" | "aborted" | "stale", number>>>;
  /** Probes by result. */
  readonly probes: { readonly success: number; readonly failure: number };
  /** Time to response headers. */
  readonly latency: HistogramSnapshot;
  readonly quantiles: Quantiles;
  /** The last that counted against it: not one of the client's or of our own limits. */
  readonly lastFailure: { readonly code: ErrorCode; readonly at: number } | null;
}

/** How the look-ups fare that find members of a pool in DNS. */
export interface DiscoverySnapshot {
  readonly name: string;
  /** `awaited` until the first look-up has ended; then how the last one did. */
  readonly status: "awaited" | "ok" | "failing";
  readonly lookups: { readonly success: number; readonly failure: number };
  /** Milliseconds since 1970; null before the first. */
  readonly lastSuccess: number | null;
  /** The last failure, however long ago. */
  readonly lastError: { readonly reason: string; readonly at: number } | null;
  /** Milliseconds since 1970; null while one is under way. */
  readonly nextLookup: number | null;
  /** Records of the last good answer that made no member: no usable address, or too many. */
  readonly passedOver: number;
}

/** Connections to a pool have failed, and none has succeeded since. Times in milliseconds since 1970. */
export interface OutageSnapshot {
  /** The first failure after a success. */
  readonly since: number;
  /** Requests that wait to connect again, or do so now. */
  readonly waiting: number;
  /** Until when requests that can connect to no upstream wait (`retry.connectFor`); null when they fail at once. */
  readonly until: number | null;
}

export interface PoolSnapshot {
  readonly name: string;
  readonly policy: string;
  /** How many upstreams may be picked now for a new client: available, with a weight. */
  readonly available: number;
  /** Nothing is available, and requests go to whatever is not draining or disabled. */
  readonly panic: boolean;
  /** A new request gets a response from an upstream: one is available, only full, or used in panic. */
  readonly serving: boolean;
  /** Requests alone. */
  readonly inFlight: number;
  readonly tunnels: number;
  readonly queueDepth: number;
  /** Null while the last connection has succeeded, and before the first. */
  readonly outage: OutageSnapshot | null;
  readonly retries: Readonly<Record<string, number>>;
  readonly retryBudgetExhausted: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** Null when its members are only listed. */
  readonly discovery: DiscoverySnapshot | null;
  readonly upstreams: readonly UpstreamSnapshot[];
}

/** Finished requests that agree in all labels. Unknown methods count as `other`; no label holds a client's bytes. */
export interface RequestCount {
  readonly route: string;
  readonly pool: string;
  readonly method: string;
  readonly code: number;
  readonly count: number;
}

export interface RequestDurations {
  readonly route: string;
  readonly pool: string;
  readonly histogram: HistogramSnapshot;
}

export interface ProxySnapshot {
  /** Milliseconds since 1970. */
  readonly time: number;
  /** `close` has been called: requests in flight are being finished. */
  readonly draining: boolean;
  readonly version: string;
  readonly pools: readonly PoolSnapshot[];
  readonly requests: readonly RequestCount[];
  readonly durations: readonly RequestDurations[];
  readonly reloads: { readonly succeeded: number; readonly failed: number; readonly lastSuccessful: boolean };
}
