import type { ErrorCode, ProxyError } from "./errors.ts";

/** What an operator wants of an upstream. */
export type UpstreamState = "active" | "draining" | "disabled";

/** The verdict of active checks alone; `unknown` until the first one. */
export type Health = "unknown" | "healthy" | "unhealthy";

/** One attempt as logs and events tell it. */
export interface AttemptRecord {
  /** The id of the upstream that was tried. */
  readonly upstream: string;
  /** The status it answered with; absent when it never did. */
  readonly status?: number;
  /** Why the attempt failed; absent when it did not. */
  readonly error?: ErrorCode;
  /**
   * Why `dns_failed`, `connect_failed` or `tls_failed`, for people: the message of the system, the resolver or OpenSSL with
   * its code, as in `certificate has expired (CERT_HAS_EXPIRED)`. At most 256 characters; absent when nothing is known.
   */
  readonly cause?: string;
  /** Milliseconds to a usable connection; absent when one was reused. */
  readonly connectMs?: number;
  /** Milliseconds from the attempt's start to the response headers. */
  readonly headersMs?: number;
}

/**
 * Remarkable facts about a request: `panic` (no available upstream could be used, and an ejected or unhealthy one was),
 * `retried`, `queued`, `outage` (no upstream could be connected, and it waited to connect again), `rebound` (the client's own
 * upstream could not be had, and it was bound to another), `truncated` (the client was cut off before the end), `early`
 * (answered before the body was read).
 */
export type RequestFlag = "panic" | "retried" | "queued" | "outage" | "rebound" | "truncated" | "early";

/** A finished request. Exactly one of these is emitted for each request that a route matched or that got an answer of the proxy's own. */
export interface RequestEvent {
  /** When the request came in, milliseconds since 1970. */
  readonly time: number;
  readonly requestId: string;
  /** The client's address: the right-most that no trusted proxy vouches for. */
  readonly client: string;
  readonly method: string;
  readonly host: string;
  /** The request target as it came. */
  readonly url: string;
  /** As in `HTTP/1.1`. */
  readonly protocol: string;
  /** 499 when the client left first. */
  readonly status: number;
  /** Bytes of the request's body. */
  readonly bytesIn: number;
  /** Bytes of the response's body that were handed to the client's socket. */
  readonly bytesOut: number;
  readonly durationMs: number;
  readonly route: string | undefined;
  readonly pool: string | undefined;
  /** The id of the upstream whose answer the client got, or that was tried last. */
  readonly upstream: string | undefined;
  readonly attempts: readonly AttemptRecord[];
  readonly error: ErrorCode | undefined;
  /** What was thrown or failed underneath `error`, such as the exception of a hook. Absent when nothing more is known. */
  readonly cause?: unknown;
  readonly flags: readonly RequestFlag[];
  readonly traceparent: string | undefined;
  readonly userAgent: string | undefined;
  readonly referer: string | undefined;
}

export interface AttemptEvent extends AttemptRecord {
  readonly pool: string;
  readonly requestId: string;
  readonly durationMs: number;
}

export interface RetryEvent {
  readonly pool: string;
  readonly requestId: string;
  /** The upstream that failed. */
  readonly upstream: string;
  /** Why it failed: a code, or the status that the retry options name. */
  readonly reason: ErrorCode | `${number}`;
}

export interface HealthEvent {
  readonly pool: string;
  readonly upstream: string;
  readonly from: Health;
  readonly to: Health;
  /** What the deciding probe saw, as in `status 503` or `connect_refused`. */
  readonly reason: string;
  /** Why the probe's connection failed, as in `certificate has expired (CERT_HAS_EXPIRED)`; absent when nothing is known. */
  readonly cause?: string;
}

/**
 * A change of an upstream's effective weight: its weight times slow start, feedback and announced load. A slow start is told
 * at its beginning and at its end, and what time alone ends is told with the next pick.
 */
export interface WeightEvent {
  readonly pool: string;
  readonly upstream: string;
  /** The effective weight before; in a slow start, that of the last pick. */
  readonly from: number;
  /** The effective weight from now on. */
  readonly to: number;
  /**
   * Who changed it: `operator` (setWeight, the admin API), `config` (a reload), `discovery` (an SRV record),
   * `feedback` (it fares worse or better than its fellows), `announced` (its own word), `slow-start`.
   */
  readonly reason: "operator" | "config" | "discovery" | "feedback" | "announced" | "slow-start";
  /** The figures behind it, for people. */
  readonly detail?: string;
}

/** Why an upstream was taken out: failures in a row, too many within the window, or a failed trial. */
export type EjectionReason = "consecutive-failures" | "failure-ratio" | "trial-failed";

/** What brought it back: a request on trial, a probe, or the end of outlier detection. */
export type ReadmissionReason = "trial" | "probe" | "off";

export interface EjectEvent {
  readonly pool: string;
  readonly upstream: string;
  readonly reason: EjectionReason;
  /** Milliseconds until it is given a trial. */
  readonly forMs: number;
}

export interface ReadmitEvent {
  readonly pool: string;
  readonly upstream: string;
  readonly reason: ReadmissionReason;
}

export interface StateEvent {
  readonly pool: string;
  readonly upstream: string;
  readonly from: UpstreamState;
  readonly to: UpstreamState;
}

/** An upstream joined a pool, left it (and drains), or has finished draining and is gone. */
export interface MemberEvent {
  readonly pool: string;
  readonly upstream: string;
  readonly change: "added" | "removed" | "drained";
}

/** Look-ups of a pool's members have begun to go well, or to fail. While it stays so, nothing more is told. */
export interface DiscoveryEvent {
  readonly pool: string;
  /** What is looked up. */
  readonly name: string;
  readonly ok: boolean;
  /** Why it fails, as in `SERVFAIL` or `timeout`. */
  readonly error?: string;
  /** How many members found in DNS the pool has now. */
  readonly members: number;
}

/** What a reload changed, by name. */
export interface ReloadChanges {
  readonly pools: {
    readonly added: readonly string[];
    readonly removed: readonly string[];
    readonly changed: readonly string[];
  };
  /** As `pool/id`. */
  readonly upstreams: { readonly added: readonly string[]; readonly removed: readonly string[] };
  /** The number of routes now in force. */
  readonly routes: number;
}

/** A reload that took effect, or was refused and changed nothing. */
export type ReloadEvent =
  | { readonly ok: true; readonly changes: ReloadChanges }
  | { readonly ok: false; readonly error: ProxyError };

export interface TunnelEvent {
  readonly pool: string;
  readonly upstream: string;
  readonly requestId: string;
  readonly change: "opened" | "closed";
  /** 0 when opened. */
  readonly durationMs: number;
  /** Bytes that the client has sent through the tunnel. */
  readonly bytesIn: number;
  /** Bytes that the client has received through the tunnel. */
  readonly bytesOut: number;
}

/**
 * Code of the app's own has thrown: a hook, a policy, or what is to answer in place of the proxy (`passErrors`). A `warning`
 * of the process takes its place while nothing listens to it.
 */
export interface ExceptionEvent {
  readonly where: "onRequest" | "onResponse" | "onError" | "policy" | "passErrors";
  readonly requestId: string;
  readonly pool: string | undefined;
  /** What was thrown. */
  readonly error: unknown;
}

/** The events of a pool, with their arguments. */
export interface PoolEvents {
  health: [HealthEvent];
  eject: [EjectEvent];
  readmit: [ReadmitEvent];
  weight: [WeightEvent];
  state: [StateEvent];
  member: [MemberEvent];
  discovery: [DiscoveryEvent];
}

/** Complete by its type: an event of `PoolEvents` that is missing here does not compile. */
const poolEvents: Readonly<Record<keyof PoolEvents, true>> = {
  health: true,
  eject: true,
  readmit: true,
  weight: true,
  state: true,
  member: true,
  discovery: true,
};

/** The names of the events of a pool, which its proxy emits as well. */
export const poolEventNames: readonly (keyof PoolEvents)[] = Object.freeze(
  Object.keys(poolEvents) as (keyof PoolEvents)[],
);

/** The events of a proxy, with their arguments. */
export interface ProxyEvents extends PoolEvents {
  request: [RequestEvent];
  attempt: [AttemptEvent];
  retry: [RetryEvent];
  reload: [ReloadEvent];
  tunnel: [TunnelEvent];
  exception: [ExceptionEvent];
}
