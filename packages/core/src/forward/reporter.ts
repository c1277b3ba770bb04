import type { ErrorCode } from "../errors.ts";
import type { AttemptEvent, AttemptRecord, ExceptionEvent, RequestEvent, RetryEvent, TunnelEvent } from "../events.ts";
import type { Pool } from "../pool/pool.ts";

/** Receives finished requests, attempts and tunnels, for metrics and events. */
export interface Reporter {
  /** Counts a finished request. Always called, once for each. */
  count(request: RequestCountLabels, durationMs: number): void;
  /** Whether the event has a listener; without one it is not built. */
  wants(event: "request" | "attempt" | "retry" | "tunnel"): boolean;
  request(event: RequestEvent): void;
  /** A request has failed; see `FailedRequest`. Called before `request`. */
  failed(event: RequestEvent): void;
  attempt(event: AttemptEvent): void;
  retry(event: RetryEvent): void;
  tunnel(event: TunnelEvent): void;
  /** A request that has failed, or of which an attempt has failed. */
  problem(problem: RequestProblem): void;
  exception(event: ExceptionEvent): void;
}

/** A finished request that has failed, or of which an attempt has failed. */
export interface RequestProblem {
  readonly pool: Pool | undefined;
  readonly error: ErrorCode | undefined;
  readonly attempts: readonly AttemptRecord[];
}

export interface RequestCountLabels {
  readonly route: string | undefined;
  readonly pool: string | undefined;
  readonly method: string;
  readonly status: number;
  readonly grpcStatus?: number | undefined;
  readonly error?: ErrorCode | undefined;
  /** The request has ended as a tunnel. */
  readonly tunnel?: boolean;
}
