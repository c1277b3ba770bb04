/**
 * A proxied request without its bytes, with the same attempt loop, retry rules and queue. Its body can always be replayed, and
 * its response ends with the headers.
 */

import { type AttemptHandler, AttemptLoop } from "../attempts/attempt-loop.ts";
import type { Balancer, PickOptions } from "../balancer/balancer.ts";
import type { ErrorCode } from "../errors.ts";
import type { RequestFlag } from "../events.ts";
import type { Pool } from "../pool/pool.ts";
import type { Upstream } from "../pool/upstream.ts";
import type { Runtime } from "../runtime/runtime.ts";
import type { ModelledHandler, ModelledUpstream } from "./modelled-upstream.ts";
import type { PoolRecord } from "./report/pool-record.ts";

export interface SimulatedRequestContext {
  readonly pool: Pool;
  readonly balancer: Balancer;
  readonly runtime: Runtime;
  readonly record: PoolRecord;
  readonly method: string;
  readonly key: string | undefined;
  modelOf(upstream: Upstream): ModelledUpstream;
  onEnded(): void;
}

export class SimulatedRequest implements AttemptHandler, ModelledHandler {
  readonly replayable = true;
  /** The upstream of the attempt in flight, or of the last one. */
  upstream: Upstream | undefined;
  readonly flags: { add(flag: RequestFlag): void } = { add: (flag) => this.#onFlag(flag) };
  readonly #context: SimulatedRequestContext;
  readonly #attempts: AttemptLoop;
  readonly #startedAt: number;
  #attemptAt = 0;
  #waitingSince: number | undefined;

  constructor(context: SimulatedRequestContext) {
    this.#context = context;
    const { runtime, pool, method, key } = context;
    this.#startedAt = runtime.clock.now();
    const to = { pool, balancer: { pick: (options?: PickOptions) => this.#pick(options) } };
    this.#attempts = new AttemptLoop({ to, runtime, method, key, affinity: undefined, notes: this }, this);
  }

  start(): void {
    this.#attempts.start();
  }

  onAttempt(upstream: Upstream): void {
    const { pool, record, runtime, modelOf } = this.#context;
    const { retry, timeouts } = pool.options;
    this.#endWait();
    this.#attemptAt = runtime.clock.now();
    record.sent(upstream);
    modelOf(upstream).dispatch(this, Math.min(timeouts.headersMs, retry.perTryTimeoutMs || Infinity));
  }

  onStatus(status: number): void {
    const { runtime, record } = this.#context;
    this.#attempts.responded(status);
    const { outcomes, latency } = record.of((this.upstream as Upstream).id);
    latency.add(runtime.clock.now() - this.#attemptAt);
    outcomes.add(String(status));
    if (this.#attempts.retriedOn(status)) return;
    this.#attempts.settle("success", { status });
    this.#finish(String(status), status >= 500);
  }

  onFailure(code: ErrorCode, sent: boolean): void {
    this.#context.record.of((this.upstream as Upstream).id).outcomes.add(code);
    this.#attempts.failed({ code, cause: undefined, reused: false, sent });
  }

  onGiveUp(code: ErrorCode): void {
    if (this.#attempts.inFlight) this.#context.modelOf(this.upstream as Upstream).forget(this);
    this.#attempts.settle(code, { error: code });
    this.#finish(code, true);
  }

  attemptEnded(): void {}

  retried(_failed: Upstream, reason: ErrorCode | `${number}`): void {
    this.#context.record.retried(reason);
  }

  #pick(options: PickOptions = {}): Upstream | undefined {
    const { pool, balancer, record } = this.#context;
    const { exclude = [], lastResort } = options;
    record.offered(lastResort === true ? pool.lastResort(exclude) : pool.candidatesExcept(exclude));
    return balancer.pick(options);
  }

  #onFlag(flag: RequestFlag): void {
    if (flag !== "queued") return;
    this.#waitingSince = this.#context.runtime.clock.now();
    this.#context.record.queued();
  }

  #endWait(): void {
    if (this.#waitingSince === undefined) return;
    this.#context.record.waited(this.#context.runtime.clock.now() - this.#waitingSince);
    this.#waitingSince = undefined;
  }

  #finish(outcome: string, failed: boolean): void {
    const { runtime, record, onEnded } = this.#context;
    this.#endWait();
    this.#attempts.stop();
    record.finished(outcome, failed, runtime.clock.now() - this.#startedAt);
    onEnded();
  }
}
