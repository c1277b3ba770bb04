/**
 * A request as forward/relay.ts handles it, without its bytes: the same retry rules, the same queue, the same accounts.
 * Its body can always be sent again, and its answer is over with its headers.
 */

import type { Balancer } from "../balancer/balancer.ts";
import type { ErrorCode } from "../errors.ts";
import {
  decideAfterFailure,
  decideAfterStatus,
  type RetryDecision,
  type RetryFacts,
  retryPauseMs,
} from "../forward/retry.ts";
import type { Attempt } from "../pool/attempt.ts";
import type { Pool } from "../pool/pool.ts";
import type { Upstream } from "../pool/upstream.ts";
import type { Waiter } from "../pool/wait-queue.ts";
import type { Timer } from "../runtime/clock.ts";
import type { Runtime } from "../runtime/runtime.ts";
import type { ModelledHandler, ModelledUpstream } from "./modelled-upstream.ts";
import type { PoolRecord } from "./pool-record.ts";

export interface SimulatedRequestContext {
  readonly pool: Pool;
  readonly balancer: Balancer;
  readonly runtime: Runtime;
  readonly record: PoolRecord;
  readonly method: string;
  readonly key: string | undefined;
  modelOf(upstream: Upstream): ModelledUpstream;
  onOver(): void;
}

export class SimulatedRequest implements Waiter, ModelledHandler {
  readonly #context: SimulatedRequestContext;
  readonly #startedAt: number;
  readonly #tried: Upstream[] = [];
  readonly #deadline: number;
  readonly #deadlineTimer: Timer;
  #waitingSince: number | undefined;
  #retriesUsed = 0;
  #pauseTimer: Timer;
  #attempt: Attempt | undefined;
  #lastError: ErrorCode | undefined;

  constructor(context: SimulatedRequestContext) {
    this.#context = context;
    const { runtime, pool } = context;
    const { totalMs } = pool.options.timeouts;
    this.#startedAt = runtime.clock.now();
    this.#deadline = totalMs === 0 ? Infinity : this.#startedAt + totalMs;
    if (totalMs > 0) this.#deadlineTimer = runtime.clock.setTimeout(() => this.#fail("total_timeout"), totalMs);
  }

  start(): void {
    this.#context.pool.retryBudget.deposit();
    this.#pick();
  }

  onRoom(): void {
    this.#endWait();
    this.#pick();
  }

  onTimeout(): void {
    this.#endWait();
    this.#fail("queue_timeout");
  }

  onStatus(status: number): void {
    const attempt = this.#attempt as Attempt;
    const ms = this.#context.runtime.clock.now() - attempt.startedAt;
    attempt.answered(ms, status);
    const record = this.#context.record.of(attempt.upstream.id);
    record.latency.add(ms);
    record.outcomes.add(String(status));
    const facts = this.#retryFacts();
    const decision = decideAfterStatus(status, facts);
    this.#settle("success");
    if (decision === "give-up") this.#finish(String(status), status >= 500);
    else this.#retry(decision, String(status), facts.pauseMs);
  }

  onFailure(code: ErrorCode, sent: boolean): void {
    this.#lastError = code;
    this.#context.record.of((this.#attempt as Attempt).upstream.id).outcomes.add(code);
    const facts = this.#retryFacts();
    const decision = decideAfterFailure({ code, cause: undefined, reused: false, sent }, facts);
    this.#settle(code);
    if (decision === "give-up") this.#fail(code);
    else this.#retry(decision, code, facts.pauseMs);
  }

  #pick(): void {
    const { pool, balancer, record, key } = this.#context;
    record.offered(pool.candidatesExcept(this.#tried));
    const upstream = balancer.pick({ key, exclude: this.#tried });
    if (upstream !== undefined) return this.#send(upstream);
    if (!pool.mayFreeUp(this.#tried)) return this.#fail(this.#lastError ?? "none_available");
    if (!pool.queue.enter(this)) return this.#fail("queue_full");
    this.#waitingSince = this.#context.runtime.clock.now();
    record.queued();
  }

  #send(upstream: Upstream): void {
    const { pool, record, modelOf } = this.#context;
    const { retry, timeouts } = pool.options;
    this.#tried.push(upstream);
    this.#attempt = pool.begin(upstream);
    record.sent(upstream);
    const timeoutMs = Math.min(timeouts.headersMs, retry.perTryTimeoutMs || Infinity);
    modelOf(upstream).dispatch(this, timeoutMs);
  }

  #retryFacts(): RetryFacts {
    const { pool, runtime, method } = this.#context;
    return {
      options: pool.options.retry,
      budget: pool.retryBudget,
      method,
      retriesUsed: this.#retriesUsed,
      staleRetried: false,
      untriedLeft: pool.candidatesExcept(this.#tried).length > 0 || pool.mayFreeUp(this.#tried),
      replayable: true,
      pauseMs: retryPauseMs(runtime.random),
      leftMs: this.#deadline - runtime.clock.now(),
    };
  }

  #retry(decision: Exclude<RetryDecision, "give-up">, reason: string, pauseMs: number): void {
    const { record, runtime } = this.#context;
    record.retried(reason);
    if (decision !== "retry") return this.#pick();
    this.#retriesUsed++;
    this.#pauseTimer = runtime.clock.setTimeout(() => this.#pick(), pauseMs);
  }

  #settle(outcome: "success" | ErrorCode): void {
    const attempt = this.#attempt;
    this.#attempt = undefined;
    attempt?.settle(outcome);
  }

  #endWait(): void {
    if (this.#waitingSince === undefined) return;
    this.#context.record.waited(this.#context.runtime.clock.now() - this.#waitingSince);
    this.#waitingSince = undefined;
  }

  #fail(code: ErrorCode): void {
    const { pool, runtime, modelOf } = this.#context;
    runtime.clock.clearTimeout(this.#pauseTimer);
    pool.queue.leave(this);
    this.#endWait();
    if (this.#attempt !== undefined) modelOf(this.#attempt.upstream).forget(this);
    this.#settle(code);
    this.#finish(code, true);
  }

  #finish(outcome: string, failed: boolean): void {
    const { runtime, record, onOver } = this.#context;
    runtime.clock.clearTimeout(this.#deadlineTimer);
    record.finished(outcome, failed, runtime.clock.now() - this.#startedAt);
    onOver();
  }
}
