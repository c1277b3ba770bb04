/**
 * A request of the app's own on its way to a pool. It goes the way of a proxied one (see forward/relay.ts) by the same
 * rules: pick, or wait in the queue; attempt; judge; pass on. Until the answer's head has been handed over anything can
 * still be mended; after that an answer that breaks off is an error, and never looks complete.
 */

import createDebug from "debug";
import { errors } from "undici";
import { type ErrorCode, errorKind, ProxyError } from "../errors.ts";
import { heedLoad } from "../forward/announced-load.ts";
import { type AttemptNotes, CurrentAttempt } from "../forward/current-attempt.ts";
import { keyReaderOf } from "../forward/hash-key.ts";
import {
  decideAfterFailure,
  decideAfterStatus,
  isStale,
  type RetryDecision,
  type RetryFacts,
  retryPauseMs,
} from "../forward/retry.ts";
import type { Outcome, Upstream } from "../pool/upstream.ts";
import type { Timer } from "../runtime/clock.ts";
import type { Listed } from "../runtime/roster.ts";
import type { Runtime } from "../runtime/runtime.ts";
import type { Exchange, ExchangeFailure, ExchangeHandler } from "../wire/transport.ts";
import type { Caller, Steering } from "./caller.ts";
import { Choice, type ChoiceOwner, type OutboundPool } from "./choice.ts";
import { Delivery } from "./delivery.ts";
import { type BodyOwner, OutboundBody } from "./outbound-body.ts";
import { keySourceOf, type OutboundHead, requestTo } from "./outbound-head.ts";

const debug = createDebug("evenkeel:outbound");

interface AnswerHead {
  readonly status: number;
  readonly statusText: string;
  readonly headers: readonly string[];
}

export class OutboundRequest implements ExchangeHandler, BodyOwner, ChoiceOwner, Steering, Listed {
  place?: number;
  readonly #to: OutboundPool;
  readonly #runtime: Runtime;
  readonly #head: OutboundHead;
  readonly #body: OutboundBody;
  readonly #caller: Caller;
  readonly #delivery: Delivery;
  readonly #onOver: (request: OutboundRequest) => void;
  readonly #notes: AttemptNotes = { upstream: undefined, flags: new Set(), attemptEnded: () => {} };
  readonly #attempt: CurrentAttempt;
  readonly #choice: Choice;
  #lastFailure: ExchangeFailure | undefined;
  #answer: AnswerHead | undefined;
  #committed = false;
  #retriesUsed = 0;
  #staleRetried = false;
  #exchange: Exchange | undefined;
  #pauseTimer: Timer;
  #deadline = Infinity;
  #deadlineTimer: Timer;
  #over = false;

  /** Throws a `ProxyError` for a body that is none. `onOver` is called once, when nothing of it is left. */
  constructor(
    to: OutboundPool,
    runtime: Runtime,
    head: OutboundHead,
    body: unknown,
    caller: Caller,
    onOver: (request: OutboundRequest) => void,
  ) {
    this.#to = to;
    this.#runtime = runtime;
    this.#head = head;
    this.#body = new OutboundBody(body, head.contentLength, to.pool.options.retry.bodyBufferBytes, this);
    this.#caller = caller;
    this.#delivery = new Delivery(caller, () => this.#exchange?.resume());
    this.#onOver = onOver;
    this.#attempt = new CurrentAttempt(this.#notes, runtime.clock);
    this.#choice = new Choice(to, keyReaderOf(to.pool.options)?.(keySourceOf(head)), this);
  }

  start(): void {
    const { pool } = this.#to;
    const { clock } = this.#runtime;
    const { totalMs } = pool.options.timeouts;
    this.#tell(() => this.#caller.start(this));
    if (this.#over) return;
    pool.retryBudget.deposit();
    if (totalMs > 0) {
      this.#deadline = clock.now() + totalMs;
      this.#deadlineTimer = clock.setTimeout(() => this.#giveUp("total_timeout"), totalMs);
    }
    this.#choice.next();
  }

  // The caller's side.

  abort(reason: unknown): void {
    const error = reason instanceof Error ? reason : new errors.RequestAbortedError();
    if (!this.#over) this.#fail("aborted", "client_aborted", error);
    else if (this.#delivery.pending) this.#report(error);
  }

  resume(): void {
    this.#tell(() => this.#delivery.resume());
  }

  /** Ends it, since what it belongs to is closed. */
  destroy(): void {
    this.#giveUp("closed");
  }

  onBodyFault(error: Error): void {
    this.#fail("aborted", "client_aborted", error);
  }

  // Choosing.

  onChosen(upstream: Upstream): void {
    this.#attempt.begin(this.#to.pool, upstream);
    this.#dispatch(upstream, false);
  }

  onNoneLeft(code: ErrorCode, cause?: unknown): void {
    // Those that were tried have said more than that there is nobody else.
    if (code === "none_available" && this.#lastFailure !== undefined) {
      this.#giveUp(this.#lastFailure.code, this.#lastFailure.cause);
    } else {
      this.#giveUp(code, cause);
    }
  }

  // The upstream's side.

  #dispatch(upstream: Upstream, freshConnection: boolean): void {
    const { pool } = this.#to;
    const { perTryTimeoutMs } = pool.options.retry;
    const head = requestTo(upstream.address, this.#head, this.#body.length, { perTryTimeoutMs, freshConnection });
    this.#exchange = pool.transport(upstream).dispatch(head, this);
  }

  onConnected(exchange: Exchange, connectMs: number | undefined): void {
    this.#attempt.connected(connectMs);
    this.#body.attach(exchange);
  }

  onDrain(): void {
    this.#body.onDrain();
  }

  onInformation(status: number, headers: readonly string[]): void {
    this.#tell(() => this.#caller.inform(status, headers));
  }

  onResponse(status: number, statusText: string, raw: readonly string[]): void {
    this.#attempt.answered(status);
    const headers = heedLoad({ route: this.#to, upstream: this.#notes.upstream }, raw);
    if (!this.#retriedOn(status)) this.#answer = { status, statusText, headers };
  }

  onData(chunk: Buffer): boolean {
    this.#commit();
    if (this.#over) return true;
    this.#to.pool.traffic.bytesOut += chunk.length;
    // Its caller may keep it.
    const bytes = Buffer.from(chunk);
    return this.#tell(() => this.#delivery.data(bytes)) !== false;
  }

  onFlush(): void {
    this.#commit();
  }

  onComplete(trailers: readonly string[]): void {
    this.#commit();
    if (this.#over) return;
    this.#stop("success");
    this.#body.release();
    this.#tell(() => this.#delivery.end(trailers));
    this.#onOver(this);
  }

  onFailure(failure: ExchangeFailure): void {
    const { code, cause } = failure;
    this.#body.detach();
    if (this.#committed) return this.#giveUp(code, cause);
    this.#lastFailure = failure;
    this.#answer = undefined;
    const facts = this.#retryFacts();
    const decision = decideAfterFailure(failure, facts);
    debug("%s failed with %s, so %s: %O", this.#notes.upstream?.id, code, decision, cause);
    if (decision !== "again") this.#attempt.settle(isStale(failure) ? "stale" : code, { error: code });
    if (decision === "give-up") this.#giveUp(code, cause);
    else this.#retry(decision, code, facts.pauseMs);
  }

  /** Whether another attempt is made instead of passing an answer on. */
  #retriedOn(status: number): boolean {
    if (!this.#to.pool.options.retry.onStatus.has(status)) return false;
    const facts = this.#retryFacts();
    if (decideAfterStatus(status, facts) !== "retry") return false;
    this.#exchange?.abort();
    this.#body.detach();
    this.#attempt.settle("success", { status });
    this.#retry("retry", `${status}`, facts.pauseMs);
    return true;
  }

  #retryFacts(): RetryFacts {
    const { pool } = this.#to;
    return {
      options: pool.options.retry,
      budget: pool.retryBudget,
      method: this.#head.method,
      retriesUsed: this.#retriesUsed,
      staleRetried: this.#staleRetried,
      untriedLeft: this.#choice.someLeft,
      replayable: this.#body.replayable,
      pauseMs: retryPauseMs(this.#runtime.random),
      leftMs: this.#deadline - this.#runtime.clock.now(),
    };
  }

  #retry(decision: Exclude<RetryDecision, "give-up">, reason: ErrorCode | `${number}`, pauseMs: number): void {
    const { pool } = this.#to;
    const failed = this.#notes.upstream as Upstream;
    pool.traffic.countRetry(reason);
    if (decision === "again") {
      this.#staleRetried = true;
      this.#attempt.again(pool, failed, "reset");
      this.#dispatch(failed, true);
    } else if (decision === "move") {
      this.#choice.next();
    } else {
      this.#retriesUsed++;
      this.#pauseTimer = this.#runtime.clock.setTimeout(() => this.#choice.next(), pauseMs);
    }
  }

  // The end.

  #commit(): void {
    const answer = this.#answer;
    if (this.#committed || answer === undefined) return;
    this.#committed = true;
    this.#tell(() => this.#delivery.begin(answer.status, answer.statusText, answer.headers));
  }

  #giveUp(code: ErrorCode, cause?: unknown): void {
    const { pool } = this.#to;
    const upstream = this.#notes.upstream === undefined ? "" : `, upstream "${this.#notes.upstream.id}"`;
    const error = new ProxyError(code, `pool "${pool.name}"${upstream}: ${code}`, { cause });
    this.#fail(errorKind(code).source === "client" ? "aborted" : code, code, error);
  }

  #fail(outcome: Outcome, code: ErrorCode, error: Error): void {
    if (this.#over) return;
    this.#stop(outcome, code);
    this.#body.release(error);
    this.#onOver(this);
    this.#report(error);
  }

  /** The last that its caller hears. */
  #report(error: Error): void {
    this.#delivery.drop();
    // A caller that fails to take its own failure has nobody left to tell.
    try {
      this.#caller.fail(error);
    } catch (thrown) {
      debug("the handler of a dispatch threw: %O", thrown);
    }
  }

  /** Ends whatever is under way or waited for. */
  #stop(outcome: Outcome, error?: ErrorCode): void {
    const { clock } = this.#runtime;
    const { pool } = this.#to;
    this.#over = true;
    clock.clearTimeout(this.#pauseTimer);
    clock.clearTimeout(this.#deadlineTimer);
    this.#choice.stopWaiting();
    this.#body.detach();
    pool.traffic.bytesIn += this.#body.bytesRead;
    if (outcome !== "success") this.#exchange?.abort();
    this.#exchange = undefined;
    this.#attempt.settle(outcome, { ...(error !== undefined && { error }) });
  }

  /** Calls the caller, whose exceptions end its own request and nothing else. */
  #tell<T>(call: () => T): T | undefined {
    try {
      return call();
    } catch (thrown) {
      this.abort(thrown);
      return undefined;
    }
  }
}
