import type { ErrorCode } from "../errors.ts";
import type { AttemptRecord, RequestFlag, RetryReason } from "../events.ts";
import type { Attempt } from "../pool/attempt.ts";
import type { OpenTunnel } from "../pool/open-tunnels.ts";
import type { Pool } from "../pool/pool.ts";
import type { Outcome, Upstream } from "../pool/upstream.ts";
import type { TracedAttempt } from "../tracing/traced-attempt.ts";
import type { TracedRequest } from "../tracing/traced-request.ts";
import { causeToReport } from "../transport/failure-cause.ts";

/** Records the attempts and retries of a request. */
export interface AttemptNotes {
  /** The upstream of the latest attempt. */
  upstream: Upstream | undefined;
  readonly flags: { add(flag: RequestFlag): void };
  /** Undefined unless the request is traced. */
  readonly trace?: TracedRequest | undefined;
  attemptEnded(startedAt: number, attempt: AttemptRecord): void;
  retried(failed: Upstream, reason: RetryReason): void;
}

export interface AttemptResult {
  readonly status?: number;
  readonly grpcStatus?: number;
  /** The status by which the attempt is judged. Default: `status`. */
  readonly countsAs?: number;
  readonly error?: ErrorCode;
  /** The exception or socket error behind `error`. */
  readonly cause?: unknown;
}

/** The attempt of a request that is in flight, if any. Adds to the pool's attempt what the request's notes record of it. */
export class CurrentAttempt {
  readonly #notes: AttemptNotes;
  #attempt: Attempt | undefined;
  #trace: TracedAttempt | undefined;

  constructor(notes: AttemptNotes) {
    this.#notes = notes;
  }

  get inFlight(): boolean {
    return this.#attempt !== undefined;
  }

  /** `lastResort`: no available upstream could be connected, and this one is not available. */
  begin(pool: Pool, upstream: Upstream, lastResort: boolean, trace: TracedAttempt | undefined): void {
    this.#notes.upstream = upstream;
    if (lastResort || pool.panic) this.#notes.flags.add("panic");
    this.#attempt = pool.begin(upstream, undefined, lastResort);
    this.#trace = trace;
  }

  /**
   * Begins another attempt on the same upstream, then ends the stale one. In this order no waiting request takes the place
   * between the two, and an upstream that has left its pool is not released.
   */
  replaceStale(pool: Pool, upstream: Upstream, error: ErrorCode, trace: TracedAttempt | undefined): void {
    const next = pool.begin(upstream, this.#attempt, this.#attempt?.lastResort);
    this.settle("stale", { error });
    this.#attempt = next;
    this.#trace = trace;
  }

  /** `connectMs` is undefined on a reused connection. */
  connected(connectMs: number | undefined): void {
    if (this.#attempt !== undefined) this.#attempt.connectMs = connectMs;
  }

  /** The response headers have arrived. `now` is on the monotonic clock. */
  responded(status: number, now: number): void {
    this.#attempt?.responded(now - this.#attempt.startedAt, status);
  }

  /** Ends the attempt and records its result. Does nothing when there is none. */
  settle(outcome: Outcome, result: AttemptResult): void {
    this.#end(result)?.settle(outcome);
  }

  /** Ends the attempt with a 101; the tunnel keeps its place. Returns the function to call when the tunnel has closed. */
  becomeTunnel(tunnel: OpenTunnel): () => void {
    return this.#end({ status: 101 })?.becomeTunnel(tunnel) ?? (() => {});
  }

  /** Records the result. The caller settles the returned attempt. */
  #end({ status, grpcStatus, countsAs, error, cause: thrown }: AttemptResult): Attempt | undefined {
    const attempt = this.#attempt;
    if (attempt === undefined) return undefined;
    this.#attempt = undefined;
    if (countsAs !== undefined) attempt.status = countsAs;
    const { startedAt, connectMs, headersMs } = attempt;
    const record: { -readonly [Key in keyof AttemptRecord]: AttemptRecord[Key] } = { upstream: attempt.upstream.id };
    if (status !== undefined) record.status = status;
    if (grpcStatus !== undefined) record.grpcStatus = grpcStatus;
    if (error !== undefined) record.error = error;
    const cause = causeToReport(error, thrown);
    if (cause !== undefined) record.cause = cause;
    if (connectMs !== undefined) record.connectMs = connectMs;
    if (headersMs !== undefined) record.headersMs = headersMs;
    this.#notes.attemptEnded(startedAt, record);
    this.#trace?.end({ status, grpcStatus, error, cause, connectMs, headersMs });
    this.#trace = undefined;
    return attempt;
  }
}
