import type { ErrorCode } from "../errors.ts";
import type { AttemptRecord, RequestFlag } from "../events.ts";
import type { Attempt } from "../pool/attempt.ts";
import type { OpenTunnel } from "../pool/open-tunnels.ts";
import type { Pool } from "../pool/pool.ts";
import type { Outcome, Upstream } from "../pool/upstream.ts";
import type { Clock } from "../runtime/clock.ts";
import { causeToReport } from "../transport/failure-cause.ts";

/** Where attempts and retries of a request are recorded. */
export interface AttemptNotes {
  /** The upstream of the latest attempt. */
  upstream: Upstream | undefined;
  readonly flags: { add(flag: RequestFlag): void };
  attemptEnded(startedAt: number, attempt: AttemptRecord): void;
  retried(failed: Upstream, reason: ErrorCode | `${number}`): void;
}

export interface AttemptResult {
  readonly status?: number;
  readonly error?: ErrorCode;
  /** What the error came from. */
  readonly cause?: unknown;
}

/** The attempt that a request has under way, if any: begun with the pool, settled with it, and noted in the record. */
export class CurrentAttempt {
  readonly #record: AttemptNotes;
  readonly #clock: Clock;
  #attempt: Attempt | undefined;
  #connectMs: number | undefined;
  #headersMs: number | undefined;

  constructor(record: AttemptNotes, clock: Clock) {
    this.#record = record;
    this.#clock = clock;
  }

  /** There is one under way. */
  get open(): boolean {
    return this.#attempt !== undefined;
  }

  /** `lastResort`: nothing available could be connected, and the upstream is not available. */
  begin(pool: Pool, upstream: Upstream, lastResort: boolean): void {
    this.#record.upstream = upstream;
    if (lastResort || pool.panic) this.#record.flags.add("panic");
    this.#attempt = pool.begin(upstream, undefined, lastResort);
    this.#connectMs = undefined;
    this.#headersMs = undefined;
  }

  /**
   * Begins anew on the same upstream, and only then ends the attempt before, so that nobody else gets its place between
   * the two and an upstream that has left its pool is still held.
   */
  again(pool: Pool, upstream: Upstream, error: ErrorCode): void {
    const next = pool.begin(upstream, this.#attempt, this.#attempt?.lastResort);
    this.settle("stale", { error });
    this.#attempt = next;
    this.#connectMs = undefined;
    this.#headersMs = undefined;
  }

  /** `connectMs` is undefined on a reused connection. */
  connected(connectMs: number | undefined): void {
    this.#connectMs = connectMs;
  }

  /** The response headers are here. */
  answered(status: number): void {
    if (this.#attempt === undefined) return;
    this.#headersMs = this.#clock.now() - this.#attempt.startedAt;
    this.#attempt.answered(this.#headersMs, status);
  }

  /** Ends it, and notes how it went. Nothing happens when there is none. */
  settle(outcome: Outcome, how: AttemptResult): void {
    this.#end(how)?.settle(outcome);
  }

  /** Ends it with a 101, and leaves its place to the tunnel. Returns what is to be called when that has closed. */
  becomeTunnel(tunnel: OpenTunnel): () => void {
    return this.#end({ status: 101 })?.becomeTunnel(tunnel) ?? (() => {});
  }

  /** Notes how it went. Whoever asks for that settles it. */
  #end(how: AttemptResult): Attempt | undefined {
    const attempt = this.#attempt;
    if (attempt === undefined) return undefined;
    this.#attempt = undefined;
    const told: { -readonly [Key in keyof AttemptRecord]: AttemptRecord[Key] } = { upstream: attempt.upstream.id };
    if (how.status !== undefined) told.status = how.status;
    if (how.error !== undefined) told.error = how.error;
    const cause = causeToReport(how.error, how.cause);
    if (cause !== undefined) told.cause = cause;
    if (this.#connectMs !== undefined) told.connectMs = this.#connectMs;
    if (this.#headersMs !== undefined) told.headersMs = this.#headersMs;
    this.#record.attemptEnded(attempt.startedAt, told);
    return attempt;
  }
}
