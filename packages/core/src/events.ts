import type { ErrorCode, ProxyError } from "./errors.ts";

/** The administrative state of an upstream. */
export type UpstreamState = "active" | "draining" | "disabled";

/** The result of active health checks alone. `unknown` until the first verdict. */
export type Health = "unknown" | "healthy" | "unhealthy";

/** One attempt, as in logs and events. */
export interface AttemptRecord {
  /** The id of the upstream that was tried. */
  readonly upstream: string;
  /** The status of its response. Absent without a response. */
  readonly status?: number;
  /** The status with which the upstream has ended a gRPC call. Absent for other requests and without a status. */
  readonly grpcStatus?: number;
  /** Why the attempt failed. Absent if it has not failed. */
  readonly error?: ErrorCode;
  /**
   * Details of `dns_failed`, `connect_failed` or `tls_failed` for a human reader: the message and the code of the system,
   * the resolver or OpenSSL, such as `certificate has expired (CERT_HAS_EXPIRED)`. At most 256 characters. Absent if unknown.
   */
  readonly cause?: string;
  /** Milliseconds until the connection was usable, TLS included. Absent for a reused connection. */
  readonly connectMs?: number;
  /** Milliseconds from the start of the attempt to the response headers. */
  readonly headersMs?: number;
}

/**
 * Facts about a request: `panic` (no upstream was available, and an ejected or unhealthy one was used), `retried`, `queued`,
 * `outage` (connecting failed at every upstream, and the request waited to connect again), `rebound` (the upstream of the
 * client's session was unavailable, and the client was bound to another), `truncated` (the connection was closed before the
 * end of the response), `early` (the response was sent before the request's body was read).
 */
export type RequestFlag = "panic" | "retried" | "queued" | "outage" | "rebound" | "truncated" | "early";

/** A finished request. Emitted exactly once for each request that a route matched or that got a locally generated response. */
export interface RequestEvent {
  /** When the request was received, in milliseconds since 1970. */
  readonly time: number;
  readonly requestId: string;
  /** The client's address: the right-most address that is not of a trusted proxy. */
  readonly client: string;
  readonly method: string;
  readonly host: string;
  /** The request target as received. */
  readonly url: string;
  /** Such as `HTTP/1.1`. */
  readonly protocol: string;
  /** The status of the response; 499 if the client closed the connection first. */
  readonly status: number;
  /**
   * The status of a gRPC call, 0 to 16: the upstream's, that of a locally generated response, or 1 (CANCELLED) if the client
   * closed the call. Absent for other requests, and if the response is not one of gRPC.
   */
  readonly grpcStatus?: number;
  /** Bytes received of the request's body. */
  readonly bytesIn: number;
  /** Bytes of the response's body that were written to the client's socket. */
  readonly bytesOut: number;
  readonly durationMs: number;
  readonly route: string | undefined;
  readonly pool: string | undefined;
  /** The id of the upstream whose response the client got, or else of the last one tried. */
  readonly upstream: string | undefined;
  readonly attempts: readonly AttemptRecord[];
  readonly error: ErrorCode | undefined;
  /** The cause of `error`, such as the exception of a hook. Absent if unknown. */
  readonly cause?: unknown;
  readonly flags: readonly RequestFlag[];
  readonly traceparent: string | undefined;
  /** The trace and the span of the request, in lower-case hexadecimal. Absent if no tracing has set them. */
  readonly traceId?: string;
  readonly spanId?: string;
  readonly userAgent: string | undefined;
  readonly referer: string | undefined;
}

export interface AttemptEvent extends AttemptRecord {
  readonly pool: string;
  readonly requestId: string;
  readonly durationMs: number;
}

/** Why a request is retried: an error code, a status that the retry options list, or UNAVAILABLE as the status of a gRPC call. */
export type RetryReason = ErrorCode | `${number}` | "grpc_unavailable";

export interface RetryEvent {
  readonly pool: string;
  readonly requestId: string;
  /** The upstream that failed. */
  readonly upstream: string;
  /** Why it failed. */
  readonly reason: RetryReason;
}

export interface HealthEvent {
  readonly pool: string;
  readonly upstream: string;
  readonly from: Health;
  readonly to: Health;
  /** The result of the deciding probe, such as `status 503` or `connect_refused`. */
  readonly reason: string;
  /** Why the probe's connection failed, such as `certificate has expired (CERT_HAS_EXPIRED)`. Absent if unknown. */
  readonly cause?: string;
}

/**
 * A change of an upstream's effective weight: its weight multiplied by the factors of slow start, feedback and announced
 * load. For a slow start the event is emitted at its start and at its end only. A change that time alone causes is emitted
 * with the next pick.
 */
export interface WeightEvent {
  readonly pool: string;
  readonly upstream: string;
  /** The effective weight before the change; in a slow start, that of the last pick. */
  readonly from: number;
  /** The effective weight after the change. */
  readonly to: number;
  /**
   * The cause: `operator` (setWeight, the admin API), `config` (a reload), `discovery` (an SRV record), `feedback` (failures
   * and latency relative to the other upstreams of the pool), `announced` (a load that the upstream has announced),
   * `slow-start`.
   */
  readonly reason: "operator" | "config" | "discovery" | "feedback" | "announced" | "slow-start";
  /** The figures that led to the change, for a human reader. */
  readonly detail?: string;
}

/** Why an upstream was ejected: consecutive failures, the failure ratio within the window, or a failed trial request. */
export type EjectionReason = "consecutive-failures" | "failure-ratio" | "trial-failed";

/** Why an upstream was readmitted: a trial request or a probe succeeded, or outlier detection was switched off. */
export type ReadmissionReason = "trial" | "probe" | "off";

export interface EjectEvent {
  readonly pool: string;
  readonly upstream: string;
  readonly reason: EjectionReason;
  /** Milliseconds until the upstream is half-open and gets a trial request. */
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

/** An upstream was added to a pool, removed from it (and drains), or has finished draining. */
export interface MemberEvent {
  readonly pool: string;
  readonly upstream: string;
  readonly change: "added" | "removed" | "drained";
}

/** DNS lookups of a pool's members have begun to succeed, or to fail. Emitted only when this changes. */
export interface DiscoveryEvent {
  readonly pool: string;
  /** The name that is looked up. */
  readonly name: string;
  readonly ok: boolean;
  /** Why the lookup has failed, such as `SERVFAIL` or `timeout`. */
  readonly error?: string;
  /** The number of members found in DNS that the pool has now. */
  readonly members: number;
}

/** The names of what a reload has changed. */
export interface ReloadChanges {
  readonly pools: {
    readonly added: readonly string[];
    readonly removed: readonly string[];
    readonly changed: readonly string[];
  };
  /** As `pool/id`. */
  readonly upstreams: { readonly added: readonly string[]; readonly removed: readonly string[] };
  /** The number of routes after the reload. */
  readonly routes: number;
}

/** A reload has taken effect, or was rejected and has changed nothing. */
export type ReloadEvent =
  | { readonly ok: true; readonly changes: ReloadChanges }
  | { readonly ok: false; readonly error: ProxyError };

export interface TunnelEvent {
  readonly pool: string;
  readonly upstream: string;
  readonly requestId: string;
  readonly change: "opened" | "closed";
  /** 0 for `opened`. */
  readonly durationMs: number;
  /** Bytes from the client through the tunnel. */
  readonly bytesIn: number;
  /** Bytes to the client through the tunnel. */
  readonly bytesOut: number;
}

/**
 * Code of the app has thrown: a hook, a policy, or the error handler that `passErrors` calls. Without a listener for this
 * event, a process warning is emitted instead.
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

/** The type makes this list complete: it does not compile while an event of `PoolEvents` is missing. */
const poolEvents: Readonly<Record<keyof PoolEvents, true>> = {
  health: true,
  eject: true,
  readmit: true,
  weight: true,
  state: true,
  member: true,
  discovery: true,
};

/** The names of the events of a pool. Its proxy emits them too. */
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
