/**
 * A request of the app's own to a pool. Its attempts follow the same loop as those of a proxied request. Until the head of
 * the response has been handed over another attempt is possible; after that a response that breaks off is an error, and
 * never looks complete.
 */

import createDebug from "debug";
import { errors } from "undici";
import { type AttemptHandler, AttemptLoop } from "../attempts/attempt-loop.ts";
import type { AttemptNotes } from "../attempts/current-attempt.ts";
import { takeLoadReport, withoutLoadReport } from "../attempts/load-report.ts";
import type { BalancedPool } from "../attempts/upstream-selector.ts";
import { type ErrorCode, errorKind, ProxyError } from "../errors.ts";
import type { Outcome, Upstream } from "../pool/upstream.ts";
import { keyReaderOf } from "../request/hash-key.ts";
import type { IndexedSetMember } from "../runtime/indexed-set.ts";
import type { Runtime } from "../runtime/runtime.ts";
import type { Exchange, ExchangeFailure, ExchangeHandler } from "../transport/transport.ts";
import type { Caller, Steering } from "./handler-adapter.ts";
import { type BodyOwner, OutboundBody } from "./outbound-body.ts";
import { keySourceOf, type OutboundHead, requestTo } from "./outbound-head.ts";
import { Delivery } from "./paused-delivery.ts";

const debug = createDebug("evenkeel:outbound");

interface AnswerHead {
  readonly status: number;
  readonly statusText: string;
  readonly headers: readonly string[];
}

export class OutboundRequest implements ExchangeHandler, BodyOwner, AttemptHandler, Steering, IndexedSetMember {
  index?: number;
  readonly #to: BalancedPool;
  readonly #head: OutboundHead;
  readonly #body: OutboundBody;
  readonly #caller: Caller;
  readonly #delivery: Delivery;
  readonly #onOver: (request: OutboundRequest) => void;
  readonly #notes: AttemptNotes;
  readonly #attempts: AttemptLoop;
  #answer: AnswerHead | undefined;
  #committed = false;
  #exchange: Exchange | undefined;
  #over = false;

  /** Throws a `ProxyError` for a body that is none. `onOver` is called once, when nothing of it is left. */
  constructor(
    to: BalancedPool,
    runtime: Runtime,
    head: OutboundHead,
    body: unknown,
    caller: Caller,
    onOver: (request: OutboundRequest) => void,
  ) {
    this.#to = to;
    this.#head = head;
    this.#body = new OutboundBody(body, head.contentLength, to.pool.options.retry.bodyBufferBytes, this);
    this.#caller = caller;
    this.#delivery = new Delivery(caller, () => this.#exchange?.resume());
    this.#onOver = onOver;
    this.#notes = {
      upstream: undefined,
      flags: new Set(),
      attemptEnded: () => {},
      retried: (_failed, reason) => to.pool.traffic.countRetry(reason),
    };
    const key = keyReaderOf(to.pool.options)?.(keySourceOf(head));
    const input = { to, runtime, method: head.method, key, affinity: undefined, notes: this.#notes };
    this.#attempts = new AttemptLoop(input, this);
  }

  start(): void {
    this.#tell(() => this.#caller.start(this));
    if (!this.#over) this.#attempts.start();
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
    this.onGiveUp("closed");
  }

  onBodyFault(error: Error): void {
    this.#fail("aborted", "client_aborted", error);
  }

  // The attempts.

  get replayable(): boolean {
    return this.#body.replayable;
  }

  onAttempt(upstream: Upstream, freshConnection: boolean): void {
    const { pool } = this.#to;
    const { perTryTimeoutMs } = pool.options.retry;
    const head = requestTo(upstream.address, this.#head, this.#body.length, { perTryTimeoutMs, freshConnection });
    this.#exchange = pool.transport(upstream).dispatch(head, this);
  }

  onConnected(exchange: Exchange, connectMs: number | undefined): void {
    this.#attempts.connected(connectMs);
    this.#body.attach(exchange);
  }

  onDrain(): void {
    this.#body.onDrain();
  }

  onInformation(status: number, headers: readonly string[]): void {
    const passed = withoutLoadReport({ route: this.#to }, headers);
    this.#tell(() => this.#caller.inform(status, passed));
  }

  onResponse(status: number, statusText: string, raw: readonly string[]): void {
    this.#attempts.responded(status);
    const headers = takeLoadReport({ route: this.#to, upstream: this.#notes.upstream }, raw);
    if (this.#attempts.retriedOn(status)) {
      this.#exchange?.abort();
      return this.#body.detach();
    }
    this.#answer = { status, statusText, headers };
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
    const passed = withoutLoadReport({ route: this.#to }, trailers);
    this.#tell(() => this.#delivery.end(passed));
    this.#onOver(this);
  }

  onFailure(failure: ExchangeFailure): void {
    this.#body.detach();
    if (this.#committed) return this.onGiveUp(failure.code, failure.cause);
    this.#answer = undefined;
    this.#attempts.failed(failure);
  }

  // The end.

  #commit(): void {
    const answer = this.#answer;
    if (this.#committed || answer === undefined) return;
    this.#committed = true;
    this.#tell(() => this.#delivery.begin(answer.status, answer.statusText, answer.headers));
  }

  onGiveUp(code: ErrorCode, cause?: unknown): void {
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

  /** Ends the attempt in progress, and every wait for another. */
  #stop(outcome: Outcome, error?: ErrorCode): void {
    this.#over = true;
    this.#attempts.stop();
    this.#body.detach();
    this.#to.pool.traffic.bytesIn += this.#body.bytesRead;
    if (outcome !== "success") this.#exchange?.abort();
    this.#exchange = undefined;
    this.#attempts.settle(outcome, { ...(error !== undefined && { error }) });
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
