import type { AttemptEvent, ExceptionEvent, RequestEvent, RetryEvent, TunnelEvent } from "../events.ts";

/** Where finished things are told. */
export interface Reporter {
  /** Counts a finished request. Always called, once for each. */
  count(request: RequestCountLabels, durationMs: number): void;
  /** Whether somebody listens, and the event is worth building. */
  wants(event: "request" | "attempt" | "retry" | "tunnel"): boolean;
  request(event: RequestEvent): void;
  attempt(event: AttemptEvent): void;
  retry(event: RetryEvent): void;
  tunnel(event: TunnelEvent): void;
  exception(event: ExceptionEvent): void;
}

export interface RequestCountLabels {
  readonly route: string | undefined;
  readonly pool: string | undefined;
  readonly method: string;
  readonly status: number;
}
