/**
 * The attempts of one request, in sequence: of proxied requests, handshakes, outbound requests and simulated requests.
 * retry-policy.ts decides whether a failure leads to another attempt, upstream-selector.ts picks its upstream.
 *
 * After a connect failure the request goes on at once to each upstream that is left. When none is left, it waits for the end
 * of the pool's outage. After any other failure it retries after a pause: on an upstream that it has not tried, and when
 * there is none, on those that have failed.
 */

import createDebug from "debug";
import { limits } from "../config/defaults.ts";
import { type ErrorCode, isConnectFailure } from "../errors.ts";
import type { RetryReason } from "../events.ts";
import type { Outage, OutageWaiter } from "../pool/availability/outage.ts";
import type { OpenTunnel } from "../pool/open-tunnels.ts";
import type { Outcome, Upstream } from "../pool/upstream.ts";
import type { Timer } from "../runtime/clock.ts";
import { InputTimeout } from "../runtime/input-timeout.ts";
import type { Runtime } from "../runtime/runtime.ts";
import type { PickedBy } from "../tracing/messages.ts";
import type { TracedAttempt } from "../tracing/traced-attempt.ts";
import type { ExchangeFailure } from "../transport/transport.ts";
import { type AttemptNotes, type AttemptResult, CurrentAttempt } from "./current-attempt.ts";
import {
  decideAfterFailure,
  decideAfterStatus,
  decideAfterUnavailable,
  isStale,
  type RetryFacts,
  retryPauseMs,
} from "./retry-policy.ts";
import { traceAttempt } from "./trace-attempt.ts";
import { type SelectionHandler, type SelectionInput, UpstreamSelector } from "./upstream-selector.ts";

const debug = createDebug("evenkeel:forward");

export interface AttemptLoopInput extends SelectionInput {
  readonly runtime: Runtime;
  /** The method of the request, which decides whether a retry is safe. */
  readonly method: string;
  /** Receives each attempt and each retry, for events, logs and metrics. */
  readonly notes: AttemptNotes;
  /** Milliseconds that the client gives the request. `timeouts.total` applies as well. */
  readonly timeoutMs?: number | undefined;
}

/** Makes each attempt, and reports its progress to the loop. */
export interface AttemptHandler {
  /** Every byte of the body that was read can be sent again. */
  readonly replayable: boolean;
  /** `trace` is to be started with what is sent. Undefined unless the request is traced. */
  onAttempt(upstream: Upstream, freshConnection: boolean, trace: TracedAttempt | undefined): void;
  /** There is no further attempt. */
  onGiveUp(code: ErrorCode, cause?: unknown): void;
}

export class AttemptLoop implements SelectionHandler, OutageWaiter {
  readonly #in: AttemptLoopInput;
  readonly #handler: AttemptHandler;
  readonly #attempt: CurrentAttempt;
  readonly #selector: UpstreamSelector;
  /** A failed attempt of this round may have reached its upstream. */
  #reached = false;
  #retriesUsed = 0;
  #staleRetried = false;
  #lastFailure: Pick<ExchangeFailure, "code" | "cause"> | undefined;
  /** On the monotonic clock: the request waits no longer for the end of an outage. */
  #reconnectUntil: number | undefined;
  #pauseTimer: Timer;
  /** On the monotonic clock: the end of `timeouts.total`, or of the client's own timeout. */
  #deadline = Infinity;
  #deadlineTimer: InputTimeout | undefined;

  constructor(input: AttemptLoopInput, handler: AttemptHandler) {
    this.#in = input;
    this.#handler = handler;
    this.#attempt = new CurrentAttempt(input.notes);
    this.#selector = new UpstreamSelector(input, this);
  }

  start(): void {
    const { pool } = this.#in.to;
    const { totalMs: optionMs } = pool.options.timeouts;
    const totalMs = Math.min(optionMs === 0 ? Infinity : optionMs, this.#in.timeoutMs ?? Infinity);
    pool.retryBudget.deposit();
    if (totalMs !== Infinity) {
      const { clock } = this.#in.runtime;
      this.#deadline = clock.now() + totalMs;
      this.#deadlineTimer = new InputTimeout(clock, () => this.#handler.onGiveUp("total_timeout"), totalMs);
    }
    this.#selector.next();
  }

  /** An attempt is in flight. */
  get inFlight(): boolean {
    return this.#attempt.inFlight;
  }

  /** `connectMs` is undefined on a reused connection, which proves nothing. */
  connected(connectMs: number | undefined): void {
    this.#attempt.connected(connectMs);
    if (connectMs !== undefined) this.#outage.onSuccess(this.#upstream);
    this.#outage.leave(this);
  }

  /** The response headers have arrived. */
  responded(status: number): void {
    this.#attempt.responded(status, this.#in.runtime.clock.now());
  }

  /** Retries on a response with this status, if the options say so. False: the response is to be passed on. */
  retriedOn(status: number): boolean {
    if (!this.#in.to.pool.options.retry.onStatus.has(status)) return false;
    const facts = this.#facts();
    if (decideAfterStatus(status, facts) !== "retry") return false;
    this.#reached = true;
    this.#attempt.settle("success", { status });
    this.#retry(`${status}`, facts.pauseMs);
    return true;
  }

  /**
   * Retries a gRPC call that the upstream has ended with UNAVAILABLE before any message, if the options say so. False: the
   * response is to be passed on. `pushbackMs` is the pause that the upstream asks for; Infinity is no retry.
   */
  retriedOnUnavailable(result: AttemptResult, pushbackMs = 0): boolean {
    if (pushbackMs > limits.retryPushbackMs) return false;
    const facts = this.#facts();
    const pauseMs = Math.max(facts.pauseMs, pushbackMs);
    if (decideAfterUnavailable({ ...facts, pauseMs }) !== "retry") return false;
    this.#reached = true;
    this.#attempt.settle("success", result);
    this.#retry("grpc_unavailable", pauseMs);
    return true;
  }

  /** The attempt has failed before anything was written to the client. Makes another attempt or gives up. */
  failed(failure: ExchangeFailure): void {
    const { code, cause } = failure;
    this.#lastFailure = failure;
    const facts = this.#facts();
    const decision = decideAfterFailure(failure, facts);
    debug("attempt on %s failed with %s, decision: %s: %O", this.#upstream.id, code, decision, cause);
    if (decision === "again") return this.#retryStale(code);
    if (decision !== "move") this.#reached = true;
    this.#attempt.settle(isStale(failure) ? "stale" : code, { error: code, cause });
    if (decision === "move") this.#moveOn(code, cause);
    else if (decision === "retry") this.#retry(code, facts.pauseMs);
    else this.#handler.onGiveUp(code, cause);
  }

  /** Ends the attempt in flight, if there is one. */
  settle(outcome: Outcome, result: AttemptResult): void {
    this.#attempt.settle(outcome, result);
  }

  /** Ends the attempt with a 101. Returns the function to call when the tunnel has closed. */
  becomeTunnel(tunnel: OpenTunnel): () => void {
    this.stop();
    return this.#attempt.becomeTunnel(tunnel);
  }

  /** Makes no further attempt. The caller still settles the attempt in flight. */
  stop(): void {
    const { clock } = this.#in.runtime;
    this.#deadlineTimer?.clear();
    if (this.#pauseTimer !== undefined) clock.clearTimeout(this.#pauseTimer);
    this.#selector.stopWaiting();
    this.#outage.leave(this);
    this.#in.notes.trace?.waited(clock.now());
  }

  // Called by the selector.

  onSelected(upstream: Upstream, lastResort: boolean, by: PickedBy): void {
    const trace = this.#traceOf(upstream, lastResort, by);
    this.#attempt.begin(this.#in.to.pool, upstream, lastResort, trace);
    this.#handler.onAttempt(upstream, false, trace);
  }

  onQueued(): void {
    const { notes, runtime } = this.#in;
    notes.flags.add("queued");
    notes.trace?.waits("queue", runtime.clock.now());
  }

  onNoUpstream(code: ErrorCode, cause?: unknown): void {
    const absent = code === "none_available" || code === "sticky_unavailable";
    // The failure of an attempt says more than that no other upstream is left.
    if (absent && this.#lastFailure !== undefined)
      this.#handler.onGiveUp(this.#lastFailure.code, this.#lastFailure.cause);
    else this.#handler.onGiveUp(code, cause);
  }

  // Called by the outage.

  get waitsFor(): Upstream | undefined {
    return this.#in.affinity?.strict === true ? this.#in.affinity.bound : undefined;
  }

  onReconnect(): void {
    this.#noteRetry(this.#lastFailure?.code ?? "connect_failed");
    this.#startRound(true);
  }

  onWaitOver(code: ErrorCode | undefined): void {
    if (code !== undefined) this.#handler.onGiveUp(code);
    else this.onNoUpstream("none_available");
  }

  #facts(): RetryFacts {
    const { runtime, method, to } = this.#in;
    return {
      options: to.pool.options.retry,
      budget: to.pool.retryBudget,
      method,
      retriesUsed: this.#retriesUsed,
      staleRetried: this.#staleRetried,
      upstreamLeft: this.#selector.hasUpstream,
      replayable: this.#handler.replayable,
      pauseMs: retryPauseMs(runtime.random),
      leftMs: this.#deadline - runtime.clock.now(),
    };
  }

  /** Retries on the same upstream with a fresh connection. */
  #retryStale(code: ErrorCode): void {
    const upstream = this.#upstream;
    this.#noteRetry(code);
    this.#staleRetried = true;
    const trace = this.#traceOf(upstream, false, "stale");
    this.#attempt.replaceStale(this.#in.to.pool, upstream, code, trace);
    this.#handler.onAttempt(upstream, true, trace);
  }

  #moveOn(code: ErrorCode, cause: unknown): void {
    const connectFailed = isConnectFailure(code);
    if (connectFailed) this.#selector.allowLastResort();
    if (this.#selector.hasUntried) {
      this.#noteRetry(code);
      return this.#selector.next();
    }
    if (this.#reached) {
      // An earlier attempt of this request has reached an upstream: the retry goes on to the upstreams that failed.
      this.#noteRetry(code);
      return this.#startRound();
    }
    if (!connectFailed || !this.#awaitReconnect()) this.#handler.onGiveUp(code, cause);
  }

  #awaitReconnect(): boolean {
    const { retry, queue } = this.#in.to.pool.options;
    const waitMs = Math.min(retry.connectForMs, queue.timeoutMs);
    this.#reconnectUntil ??= this.#in.runtime.clock.now() + waitMs;
    if (!this.#outage.enter(this, this.#reconnectUntil)) return false;
    this.#in.notes.flags.add("outage");
    this.#in.notes.trace?.waits("outage", this.#in.runtime.clock.now());
    return true;
  }

  /** Retries after a pause: on an untried upstream, or in a new round. */
  #retry(reason: RetryReason, pauseMs: number): void {
    this.#noteRetry(reason);
    this.#retriesUsed++;
    this.#pauseTimer = this.#in.runtime.clock.setTimeout(() => {
      if (this.#selector.hasUntried) this.#selector.next();
      else this.#startRound();
    }, pauseMs);
  }

  #noteRetry(reason: RetryReason): void {
    const { notes, runtime } = this.#in;
    notes.trace?.waited(runtime.clock.now());
    notes.retried(this.#upstream, reason);
    notes.trace?.retried(this.#upstream.id, reason);
  }

  #traceOf(upstream: Upstream, lastResort: boolean, by: PickedBy): TracedAttempt | undefined {
    const { notes, to, runtime } = this.#in;
    if (notes.trace === undefined) return undefined;
    notes.trace.waited(runtime.clock.now());
    return traceAttempt(notes.trace, to, upstream, { by, lastResort, tried: this.#selector.triedBefore });
  }

  /** Allows every upstream again, those that failed included. */
  #startRound(lastResort = false): void {
    this.#reached = false;
    this.#selector.startRound(lastResort);
    this.#selector.next();
  }

  get #outage(): Outage {
    return this.#in.to.pool.outage;
  }

  /** The upstream of the attempt in flight, or of the last one. */
  get #upstream(): Upstream {
    return this.#in.notes.upstream as Upstream;
  }
}
