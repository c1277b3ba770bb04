/**
 * A request of the app to a pool. It uses the same attempt loop as a proxied request. It can be retried until the response
 * head has been passed to the handler. After that a truncated response is an error, and never looks complete.
 */

import createDebug from "debug";
import { errors } from "undici";
import { type AttemptHandler, AttemptLoop } from "../attempts/attempt-loop.ts";
import type { AttemptNotes } from "../attempts/current-attempt.ts";
import { takeLoadReport, withoutLoadReport } from "../attempts/load-report.ts";
import type { BalancedPool } from "../attempts/upstream-selector.ts";
import { type ErrorCode, errorKind, ProxyError } from "../errors.ts";
import type { RequestFlag } from "../events.ts";
import type { Outcome, Upstream } from "../pool/upstream.ts";
import { keyReaderOf } from "../request/hash-key.ts";
import type { IndexedSetMember } from "../runtime/indexed-set.ts";
import type { Runtime } from "../runtime/runtime.ts";
import type { TracedAttempt } from "../tracing/traced-attempt.ts";
import type { TracedRequest } from "../tracing/traced-request.ts";
import type { Exchange, ExchangeFailure, ExchangeHandler } from "../transport/transport.ts";
import type { HandlerAdapter, RequestControl } from "./handler-adapter.ts";
import { type BodyErrorHandler, OutboundBody } from "./outbound-body.ts";
import { keySourceOf, type OutboundHead, upstreamRequest } from "./outbound-head.ts";
import { PausedDelivery } from "./paused-delivery.ts";

const debug = createDebug("evenkeel:outbound");

interface ResponseHead {
  readonly status: number;
  readonly statusText: string;
  readonly headers: readonly string[];
}

export class OutboundRequest
  implements ExchangeHandler, BodyErrorHandler, AttemptHandler, RequestControl, IndexedSetMember
{
  index?: number;
  readonly #to: BalancedPool;
  readonly #head: OutboundHead;
  readonly #body: OutboundBody;
  readonly #handler: HandlerAdapter;
  readonly #delivery: PausedDelivery;
  readonly #onEnded: (request: OutboundRequest) => void;
  readonly #notes: AttemptNotes;
  readonly #flags = new Set<RequestFlag>();
  readonly #attempts: AttemptLoop;
  #responseHead: ResponseHead | undefined;
  #committed = false;
  #exchange: Exchange | undefined;
  #ended = false;

  /** Throws a `ProxyError` for an invalid body. `onEnded` is called once, when the request has ended. */
  constructor(
    to: BalancedPool,
    runtime: Runtime,
    head: OutboundHead,
    body: unknown,
    handler: HandlerAdapter,
    onEnded: (request: OutboundRequest) => void,
    trace?: TracedRequest,
  ) {
    this.#to = to;
    this.#head = head;
    this.#body = new OutboundBody(body, head.contentLength, to.pool.options.retry.bodyBufferBytes, this);
    this.#handler = handler;
    this.#delivery = new PausedDelivery(handler, () => this.#exchange?.resume());
    this.#onEnded = onEnded;
    this.#notes = {
      upstream: undefined,
      flags: this.#flags,
      trace,
      attemptEnded: () => {},
      retried: (_failed, reason) => to.pool.traffic.countRetry(reason),
    };
    const key = keyReaderOf(to.pool.options)?.(keySourceOf(head));
    const input = { to, runtime, method: head.method, key, affinity: undefined, notes: this.#notes };
    this.#attempts = new AttemptLoop(input, this);
  }

  start(): void {
    const { trace } = this.#notes;
    if (trace === undefined) this.#begin();
    else trace.start(() => this.#begin());
  }

  #begin(): void {
    this.#callHandler(() => this.#handler.start(this));
    if (!this.#ended) this.#attempts.start();
  }

  // Called by the handler.

  abort(reason: unknown): void {
    const error = reason instanceof Error ? reason : new errors.RequestAbortedError();
    if (!this.#ended) this.#fail("aborted", "client_aborted", error);
    else if (this.#delivery.pending) this.#report(error);
  }

  resume(): void {
    this.#callHandler(() => this.#delivery.resume());
  }

  /** Ends the request, since its proxy or dispatcher is closed. */
  destroy(): void {
    this.onGiveUp("closed");
  }

  onBodyError(error: Error): void {
    this.#fail("aborted", "client_aborted", error);
  }

  // Called by the attempt loop and the exchange.

  get replayable(): boolean {
    return this.#body.replayable;
  }

  onAttempt(upstream: Upstream, freshConnection: boolean, trace: TracedAttempt | undefined): void {
    const { pool } = this.#to;
    const { perTryTimeoutMs } = pool.options.retry;
    const head = upstreamRequest(upstream.address, this.#head, this.#body.length, { perTryTimeoutMs, freshConnection });
    const traced = trace === undefined ? head : { ...head, headers: trace.start(head.path, [...head.headers]) };
    this.#exchange = pool.transport(upstream).dispatch(traced, this);
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
    this.#callHandler(() => this.#handler.inform(status, passed));
  }

  onResponse(status: number, statusText: string, raw: readonly string[]): void {
    this.#attempts.responded(status);
    const headers = takeLoadReport({ route: this.#to, upstream: this.#notes.upstream }, raw);
    if (this.#attempts.retriedOn(status)) {
      this.#exchange?.abort();
      return this.#body.detach();
    }
    this.#responseHead = { status, statusText, headers };
  }

  onData(chunk: Buffer): boolean {
    this.#commit();
    if (this.#ended) return true;
    this.#to.pool.traffic.bytesOut += chunk.length;
    // The transport reuses the buffer of `chunk`, and the handler may keep what it gets.
    const bytes = Buffer.from(chunk);
    return this.#callHandler(() => this.#delivery.data(bytes)) !== false;
  }

  onFlush(): void {
    this.#commit();
  }

  onComplete(trailers: readonly string[]): void {
    this.#commit();
    if (this.#ended) return;
    this.#stop("success");
    this.#body.release();
    const passed = withoutLoadReport({ route: this.#to }, trailers);
    this.#callHandler(() => this.#delivery.end(passed));
    this.#onEnded(this);
  }

  onFailure(failure: ExchangeFailure): void {
    this.#body.detach();
    if (this.#committed) return this.onGiveUp(failure.code, failure.cause);
    this.#responseHead = undefined;
    this.#attempts.failed(failure);
  }

  // The end.

  #commit(): void {
    const head = this.#responseHead;
    if (this.#committed || head === undefined) return;
    this.#committed = true;
    this.#callHandler(() => this.#delivery.begin(head.status, head.statusText, head.headers));
  }

  onGiveUp(code: ErrorCode, cause?: unknown): void {
    const { pool } = this.#to;
    const upstream = this.#notes.upstream === undefined ? "" : `, upstream "${this.#notes.upstream.id}"`;
    const error = new ProxyError(code, `pool "${pool.name}"${upstream}: ${code}`, { cause });
    this.#fail(errorKind(code).source === "client" ? "aborted" : code, code, error);
  }

  #fail(outcome: Outcome, code: ErrorCode, error: Error): void {
    if (this.#ended) return;
    this.#stop(outcome, code);
    this.#body.release(error);
    this.#onEnded(this);
    this.#report(error);
  }

  /** The last call of the handler. */
  #report(error: Error): void {
    this.#delivery.drop();
    // The handler has failed in its error callback: the exception can only be logged.
    try {
      this.#handler.fail(error);
    } catch (thrown) {
      debug("the error callback of a dispatch handler threw: %O", thrown);
    }
  }

  /** Ends the attempt in flight, and makes no further one. */
  #stop(outcome: Outcome, error?: ErrorCode): void {
    this.#ended = true;
    this.#attempts.stop();
    this.#body.detach();
    this.#to.pool.traffic.bytesIn += this.#body.bytesRead;
    if (outcome !== "success") this.#exchange?.abort();
    this.#exchange = undefined;
    const status = this.#responseHead?.status;
    this.#attempts.settle(outcome, { ...(status !== undefined && { status }), ...(error !== undefined && { error }) });
    this.#endTrace(status, error);
  }

  #endTrace(status: number | undefined, error: ErrorCode | undefined): void {
    this.#notes.trace?.end({
      status,
      grpcStatus: undefined,
      error,
      cause: undefined,
      route: undefined,
      pool: this.#to.pool.name,
      upstream: this.#notes.upstream?.id,
      flags: [...this.#flags],
      bytesIn: this.#body.bytesRead,
      bytesOut: 0,
    });
  }

  /** Calls the handler. An exception in it ends this request only. */
  #callHandler<T>(call: () => T): T | undefined {
    try {
      return call();
    } catch (thrown) {
      this.abort(thrown);
      return undefined;
    }
  }
}
