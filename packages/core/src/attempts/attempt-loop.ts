/**
 * The attempts of one request, one after another: proxied requests, handshakes, requests of the app's own and simulated
 * ones. Which failure leads to another attempt is decided in retry.ts, and which upstream gets it in upstream-choice.ts.
 *
 * After a connect failure the request goes on at once to every upstream that is left. When none is, it waits for the end of
 * the pool's outage. After any other failure it goes on after a pause: to an upstream that it has not tried, and when there
 * is none, to those that have failed.
 */

import createDebug from "debug";
import { type ErrorCode, isConnectFailure } from "../errors.ts";
import type { Outage, Reconnecting } from "../pool/availability/outage.ts";
import type { OpenTunnel } from "../pool/open-tunnels.ts";
import type { Outcome, Upstream } from "../pool/upstream.ts";
import type { Timer } from "../runtime/clock.ts";
import { InputTimeout } from "../runtime/input-timeout.ts";
import type { Runtime } from "../runtime/runtime.ts";
import type { ExchangeFailure } from "../transport/transport.ts";
import { type AttemptNotes, type AttemptResult, CurrentAttempt } from "./current-attempt.ts";
import { decideAfterFailure, decideAfterStatus, isStale, type RetryFacts, retryPauseMs } from "./retry-policy.ts";
import { type SelectorInput, type SelectorOwner, UpstreamSelector } from "./upstream-selector.ts";

const debug = createDebug("evenkeel:forward");

export interface LoopInput extends SelectorInput {
  readonly runtime: Runtime;
  readonly method: string;
  readonly notes: AttemptNotes;
}

/** Sends the request, and reports to the loop how that goes. */
export interface AttemptOwner {
  /** Every byte of the body that was read can be sent again. */
  readonly replayable: boolean;
  onAttempt(upstream: Upstream, freshConnection: boolean): void;
  /** There is no further attempt. */
  onGiveUp(code: ErrorCode, cause?: unknown): void;
}

export class AttemptLoop implements SelectorOwner, Reconnecting {
  readonly #in: LoopInput;
  readonly #owner: AttemptOwner;
  readonly #attempt: CurrentAttempt;
  readonly #choice: UpstreamSelector;
  /** It may have reached an upstream of this round, which failed. */
  #reached = false;
  #retriesUsed = 0;
  #staleRetried = false;
  #lastFailure: Pick<ExchangeFailure, "code" | "cause"> | undefined;
  /** When the request has waited long enough for an outage to end, on the clock. */
  #reconnectUntil: number | undefined;
  #pauseTimer: Timer;
  /** When the whole exchange has to be over, on the clock. */
  #deadline = Infinity;
  #deadlineTimer: InputTimeout | undefined;

  constructor(input: LoopInput, owner: AttemptOwner) {
    this.#in = input;
    this.#owner = owner;
    this.#attempt = new CurrentAttempt(input.notes, input.runtime.clock);
    this.#choice = new UpstreamSelector(input, this);
  }

  start(): void {
    const { pool } = this.#in.to;
    const { totalMs } = pool.options.timeouts;
    pool.retryBudget.deposit();
    if (totalMs > 0) {
      const { clock } = this.#in.runtime;
      this.#deadline = clock.now() + totalMs;
      this.#deadlineTimer = new InputTimeout(clock, () => this.#owner.onGiveUp("total_timeout"), totalMs);
    }
    this.#choice.next();
  }

  /** An attempt is in progress. */
  get open(): boolean {
    return this.#attempt.open;
  }

  /** `connectMs` is undefined on a reused connection, which proves nothing. */
  connected(connectMs: number | undefined): void {
    this.#attempt.connected(connectMs);
    if (connectMs !== undefined) this.#outage.onSuccess(this.#upstream);
    this.#outage.leave(this);
  }

  responded(status: number): void {
    this.#attempt.answered(status);
  }

  /**
   * Makes another attempt instead of passing on a response with this status, if the options say so. False when the response
   * is to be passed on.
   */
  retriedOn(status: number): boolean {
    if (!this.#in.to.pool.options.retry.onStatus.has(status)) return false;
    const facts = this.#facts();
    if (decideAfterStatus(status, facts) !== "retry") return false;
    this.#reached = true;
    this.#attempt.settle("success", { status });
    this.#retry(`${status}`, facts.pauseMs);
    return true;
  }

  /** The attempt has failed, and nothing was written to the client: goes on, or gives up. */
  failed(failure: ExchangeFailure): void {
    const { code, cause } = failure;
    this.#lastFailure = failure;
    const facts = this.#facts();
    const decision = decideAfterFailure(failure, facts);
    debug("%s failed with %s, so %s: %O", this.#upstream.id, code, decision, cause);
    if (decision === "again") return this.#again(code);
    if (decision !== "move") this.#reached = true;
    this.#attempt.settle(isStale(failure) ? "stale" : code, { error: code, cause });
    if (decision === "move") this.#moveOn(code, cause);
    else if (decision === "retry") this.#retry(code, facts.pauseMs);
    else this.#owner.onGiveUp(code, cause);
  }

  /** Ends the attempt in progress, if there is one. */
  settle(outcome: Outcome, how: AttemptResult): void {
    this.#attempt.settle(outcome, how);
  }

  /** Ends the attempt with a 101. Returns what is to be called when the tunnel has closed. */
  becomeTunnel(tunnel: OpenTunnel): () => void {
    this.stop();
    return this.#attempt.becomeTunnel(tunnel);
  }

  /** The result is decided: no further attempt is made. The attempt in progress remains the caller's to settle. */
  stop(): void {
    const { clock } = this.#in.runtime;
    this.#deadlineTimer?.clear();
    if (this.#pauseTimer !== undefined) clock.clearTimeout(this.#pauseTimer);
    this.#choice.stopWaiting();
    this.#outage.leave(this);
  }

  // Called by the choice.

  onChosen(upstream: Upstream, lastResort: boolean): void {
    this.#attempt.begin(this.#in.to.pool, upstream, lastResort);
    this.#owner.onAttempt(upstream, false);
  }

  onQueued(): void {
    this.#in.notes.flags.add("queued");
  }

  onNoneLeft(code: ErrorCode, cause?: unknown): void {
    const absent = code === "none_available" || code === "sticky_unavailable";
    // The failure of an upstream that was tried says more than that no other is left.
    if (absent && this.#lastFailure !== undefined)
      this.#owner.onGiveUp(this.#lastFailure.code, this.#lastFailure.cause);
    else this.#owner.onGiveUp(code, cause);
  }

  // Called by the outage.

  get waitsFor(): Upstream | undefined {
    return this.#in.affinity?.strict === true ? this.#in.affinity.own : undefined;
  }

  onReconnect(): void {
    this.#in.notes.retried(this.#upstream, this.#lastFailure?.code ?? "connect_failed");
    this.#startRound(true);
  }

  onWaitOver(code: ErrorCode | undefined): void {
    if (code !== undefined) this.#owner.onGiveUp(code);
    else this.onNoneLeft("none_available");
  }

  #facts(): RetryFacts {
    const { runtime, method, to } = this.#in;
    return {
      options: to.pool.options.retry,
      budget: to.pool.retryBudget,
      method,
      retriesUsed: this.#retriesUsed,
      staleRetried: this.#staleRetried,
      upstreamLeft: this.#choice.someLeft,
      replayable: this.#owner.replayable,
      pauseMs: retryPauseMs(runtime.random),
      leftMs: this.#deadline - runtime.clock.now(),
    };
  }

  #again(code: ErrorCode): void {
    const upstream = this.#upstream;
    this.#in.notes.retried(upstream, code);
    this.#staleRetried = true;
    this.#attempt.again(this.#in.to.pool, upstream, code);
    this.#owner.onAttempt(upstream, true);
  }

  #moveOn(code: ErrorCode, cause: unknown): void {
    const connectFailed = isConnectFailure(code);
    if (connectFailed) this.#choice.allowLastResort();
    if (this.#choice.untriedLeft) {
      this.#in.notes.retried(this.#upstream, code);
      return this.#choice.next();
    }
    if (this.#reached) {
      // The retry that led here has reached no upstream, and goes on to those that failed.
      this.#in.notes.retried(this.#upstream, code);
      return this.#startRound();
    }
    if (!connectFailed || !this.#awaitReconnect()) this.#owner.onGiveUp(code, cause);
  }

  #awaitReconnect(): boolean {
    const { retry, queue } = this.#in.to.pool.options;
    const waitMs = Math.min(retry.connectForMs, queue.timeoutMs);
    this.#reconnectUntil ??= this.#in.runtime.clock.now() + waitMs;
    if (!this.#outage.enter(this, this.#reconnectUntil)) return false;
    this.#in.notes.flags.add("outage");
    return true;
  }

  /** After a pause, on an upstream that was not tried, or else on any. */
  #retry(reason: ErrorCode | `${number}`, pauseMs: number): void {
    this.#in.notes.retried(this.#upstream, reason);
    this.#retriesUsed++;
    this.#pauseTimer = this.#in.runtime.clock.setTimeout(() => {
      if (this.#choice.untriedLeft) this.#choice.next();
      else this.#startRound();
    }, pauseMs);
  }

  /** Begins anew with every upstream, those that failed included. */
  #startRound(lastResort = false): void {
    this.#reached = false;
    this.#choice.startRound(lastResort);
    this.#choice.next();
  }

  get #outage(): Outage {
    return this.#in.to.pool.outage;
  }

  /** The upstream of the attempt in progress, or of the last one. */
  get #upstream(): Upstream {
    return this.#in.notes.upstream as Upstream;
  }
}
