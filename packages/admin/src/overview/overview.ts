/** The bodies of GET /api/overview, /api/history, /api/failures and /api/session. Types only: the code of browsers uses them too. */

import type { FailedRequest, ProbeSnapshot, UpstreamState, UpstreamStatus } from "evenkeel";

/** An operator may read and change, a viewer may only read. */
export type Role = "operator" | "viewer";

/** Rates and latencies of the last ten seconds, or of the time since the first sample if that is shorter. */
export interface Traffic {
  /** Requests per second. Null if nothing has been measured: before the second sample, and beyond 10,000 upstreams. */
  readonly rate: number | null;
  /** From 0 to 1. Null without requests. */
  readonly errorRatio: number | null;
  /** Milliseconds. Null without requests. */
  readonly p50: number | null;
  /** Milliseconds. Null without requests. */
  readonly p99: number | null;
}

/** What is wrong: the status of an upstream, or one of these. */
export type ProblemStatus =
  | UpstreamStatus
  /** A pool cannot serve, or serves with unhealthy and ejected upstreams only. */
  | "not_serving"
  | "panic"
  /** Connecting has failed at every upstream of a pool. */
  | "outage"
  /** The queue of a pool is full, or half full. */
  | "queue_full"
  | "queue_filling"
  /** Of a pool: clients get many responses with a status of 500 or above. Of an upstream: many attempts fail. */
  | "errors"
  /** An upstream gets at most half of its share, because it is slower or fails more than the others. */
  | "degraded"
  | "retry_budget_exhausted"
  | "discovery_failing"
  | "draining"
  | "reload_failed"
  | "certificate_expiring"
  | "worker_missing";

/** One thing that is not as it should be. */
export interface Problem {
  /** Critical: clients get errors. Warning: they may soon, or less is left than there should be. */
  readonly severity: "critical" | "warning";
  /** Null if the problem concerns no pool alone. */
  readonly pool: string | null;
  /** Null if the problem concerns the whole pool. */
  readonly upstream: string | null;
  readonly status: ProblemStatus;
  /** Milliseconds since 1970. Null if unknown. */
  readonly since: number | null;
  /** The end that is known, such as that of an ejection, in milliseconds since 1970. */
  readonly until: number | null;
  /** One sentence, such as `api/b is unhealthy: connect_refused`. */
  readonly text: string;
}

export interface UpstreamOverview {
  readonly id: string;
  readonly url: string;
  readonly backup: boolean;
  /** Found in DNS, not listed in the options. */
  readonly discovered: boolean;
  /** The administrative state. */
  readonly state: UpstreamState;
  readonly status: UpstreamStatus;
  /** The beginning of the status in milliseconds since 1970. Null if unknown. */
  readonly since: number | null;
  /** The end of an ejection in milliseconds since 1970. */
  readonly until: number | null;
  /** Why it has this status, such as `status 503`, `connect_refused` or `set by an operator`. */
  readonly reason: string | null;
  /** Details of the reason for a human reader. */
  readonly cause?: string;
  readonly weight: number;
  readonly effectiveWeight: number;
  /** Requests in flight, without tunnels. */
  readonly inFlight: number;
  /** The limit of requests and tunnels together. Null if there is none. */
  readonly maxInFlight: number | null;
  readonly tunnels: number;
  /** Of attempts: the ratio is that of attempts that failed because of the upstream, the latency is that of its headers. */
  readonly traffic: Traffic;
  /** Null without health checks, and before the first probe. */
  readonly lastProbe: ProbeSnapshot | null;
  /** The last failure of a request that counted against it. */
  readonly lastFailure: { readonly code: string; readonly at: number } | null;
  /** The number of ejections since the start. */
  readonly ejections: number;
}

export interface PoolOverview {
  readonly name: string;
  readonly policy: string;
  /** A new request can get a response from an upstream. */
  readonly serving: boolean;
  /** No upstream is available, and requests go to unhealthy and ejected ones. */
  readonly panic: boolean;
  /** When the panic began, to a second, in milliseconds since 1970. Null if there is none, or if this is unknown yet. */
  readonly panicSince: number | null;
  /** When the pool began to serve, or stopped, in milliseconds since 1970. Null if unknown. */
  readonly since: number | null;
  /** Upstreams that can be picked now for a new client. */
  readonly available: number;
  readonly total: number;
  readonly inFlight: number;
  readonly tunnels: number;
  readonly queueDepth: number;
  /** The limit of waiting requests. Null if unknown. */
  readonly queueMax: number | null;
  /** Connecting has failed at every upstream since the time `since`. */
  readonly outage: { readonly since: number; readonly waiting: number; readonly until: number | null } | null;
  /** Of the last ten seconds. Null before the second sample. */
  readonly retriesPerSecond: number | null;
  /** Retries that the budget did not allow, of the last ten seconds. Null before the second sample. */
  readonly budgetExhaustedPerSecond: number | null;
  /** Of requests of clients: the ratio is that of responses with a status of 500 or above, the latency is the whole duration. */
  readonly traffic: Traffic;
  readonly upstreams: readonly UpstreamOverview[];
}

/** The body of GET /api/overview. */
export interface Overview {
  /** Milliseconds since 1970. */
  readonly time: number;
  readonly version: string;
  /** Milliseconds since 1970. */
  readonly startedAt: number;
  readonly draining: boolean;
  /** What the client of this response may do. */
  readonly role: Role;
  /** Milliseconds between two samples of the history. */
  readonly sampleMs: number;
  /** Null for one process. */
  readonly workers: { readonly running: number; readonly total: number } | null;
  readonly reloads: { readonly succeeded: number; readonly failed: number; readonly lastSuccessful: boolean };
  /** Connections of clients. Null if the process does not own their listeners. */
  readonly connections: { readonly open: number; readonly limit: number } | null;
  /** Milliseconds since 1970. Null without TLS. */
  readonly certificateExpiry: number | null;
  /** The worst first, at most 100. Empty if all is well. */
  readonly problems: readonly Problem[];
  /** All requests of clients, in every pool. */
  readonly traffic: Traffic;
  readonly pools: readonly PoolOverview[];
}

/** The last minute, oldest first. All lists have the same length. Null where there were no requests, or no data yet. */
export interface Series {
  /** Requests (of a pool) or attempts (of an upstream) per second. */
  readonly rate: readonly (number | null)[];
  readonly errorRatio: readonly (number | null)[];
  readonly p50: readonly (number | null)[];
  readonly p99: readonly (number | null)[];
  readonly inFlight: readonly (number | null)[];
}

export interface PoolSeries extends Series {
  readonly queueDepth: readonly (number | null)[];
}

/** The body of GET /api/history?pool=NAME and /api/history?pool=NAME&upstream=ID. */
export interface SeriesHistory extends Series {
  readonly sampleMs: number;
  /** The time of each sample in milliseconds since 1970. */
  readonly times: readonly number[];
  /** Of a pool only. */
  readonly queueDepth?: readonly (number | null)[];
}

/** The body of GET /api/history. */
export interface History {
  readonly sampleMs: number;
  /** The time of the last sample in milliseconds since 1970. */
  readonly end: number;
  /** The time of each sample in milliseconds since 1970, oldest first. */
  readonly times: readonly number[];
  readonly pools: Readonly<Record<string, PoolSeries>>;
  /** The rates of each upstream of each pool. */
  readonly upstreams: Readonly<Record<string, Readonly<Record<string, readonly (number | null)[]>>>>;
}

/** The body of GET /api/failures: the newest first, at most 100. */
export interface Failures {
  readonly failures: readonly FailedRequest[];
}

/** The body of GET /api/session. */
export interface SessionInfo {
  /** Null if the client has to sign in. */
  readonly role: Role | null;
  /** The API has a token, so that signing in is possible. */
  readonly signIn: boolean;
}
