/**
 * One request on its way through the proxy.
 *
 *     client ── 1 arrive ── 2 pick ── 3 attempt ──────────> upstream
 *     client <─ 6 finish ── 5 pass on ── 4 judge ────────── upstream
 *
 *   1. arrive   read and check the head, find the route; refuse what is not to be forwarded
 *   2. pick     choose an upstream that was not tried before, or wait in the queue while all are full
 *   3. attempt  send head and body, with the upstream's pace
 *   4. judge    an answer, a failure: pass it on, try again, or answer ourselves
 *   5. pass on  head and body to the client, with the client's pace
 *   6. finish   one record, one count, whatever happened
 *
 * Every path ends in step 6 exactly once, and every attempt is settled exactly once. Until the response's head has been
 * written ("committed") anything can still be mended; after that an answer that breaks off is cut off, so that it cannot
 * pass for complete.
 */

import createDebug from "debug";
import { type ErrorCode, errorKind } from "../errors.ts";
import type { Outcome, Upstream } from "../pool/upstream.ts";
import type { Timer } from "../runtime/clock.ts";
import type { Exchange, ExchangeFailure, ExchangeHandler } from "../wire/transport.ts";
import type { Active } from "./active-set.ts";
import { heedLoad, withoutLoad } from "./announced-load.ts";
import { type ClientPace, ClientResponse } from "./client-response.ts";
import { CurrentAttempt } from "./current-attempt.ts";
import { runResponseHook } from "./hooks.ts";
import { onceOver } from "./once-over.ts";
import { type RelayInput, requestBody } from "./relay-input.ts";
import { isSettled } from "./reply.ts";
import type { Body, BodyOwner } from "./request-body.ts";
import { clientHeaders } from "./response-head.ts";
import {
  decideAfterFailure,
  decideAfterStatus,
  isStale,
  type RetryDecision,
  type RetryFacts,
  retryPauseMs,
} from "./retry.ts";
import { type ChoiceOwner, UpstreamChoice } from "./upstream-choice.ts";
import { upstreamHeaders, upstreamPath } from "./upstream-request.ts";

const debug = createDebug("evenkeel:forward");

export class Relay implements ExchangeHandler, BodyOwner, ClientPace, ChoiceOwner, Active {
  readonly #in: RelayInput;
  readonly #body: Body;
  readonly #response: ClientResponse;
  readonly #attempt: CurrentAttempt;
  readonly #choice: UpstreamChoice;
  /** The headers of its answer, as they came. */
  #upstreamHead: readonly string[] = [];
  #retriesUsed = 0;
  #staleRetried = false;
  #exchange: Exchange | undefined;
  #pauseTimer: Timer;
  /** When the whole exchange has to be over, on the clock. */
  #deadline = Infinity;
  #deadlineTimer: Timer;
  /** An answer has been decided on; nothing more is tried. */
  #over = false;

  constructor(input: RelayInput) {
    const { req, res, arrival, record } = input;
    this.#in = input;
    this.#attempt = new CurrentAttempt(record, input.engine.runtime.clock);
    this.#choice = new UpstreamChoice(arrival, record, this);
    this.#response = new ClientResponse(req, res, record, input.engine);
    this.#body = requestBody(input, this);
  }

  start(): void {
    const { pool, options } = this.#in.arrival.route;
    const { totalMs } = pool.options.timeouts;
    const { clock } = this.#in.engine.runtime;
    this.#in.engine.active.add(this);
    onceOver(this.#in.req, this.#in.res, () => this.#onClientClose());
    pool.retryBudget.deposit();
    if (this.#body.length > options.maxBodyBytes) return this.#giveUp("body_too_large");
    if (totalMs > 0) {
      this.#deadline = clock.now() + totalMs;
      this.#deadlineTimer = clock.setTimeout(() => this.#giveUp("total_timeout"), totalMs);
    }
    this.#choice.next();
  }

  /** `close` has run out of patience: an answer that has not begun is 503, one that has is cut off. */
  destroy(): void {
    if (this.#over) this.#in.res.destroy();
    else this.#giveUp("closed");
  }

  // Step 2: pick.

  onNoneLeft(code: ErrorCode): void {
    this.#giveUp(code);
  }

  // Step 3: attempt.

  onChosen(upstream: Upstream): void {
    this.#attempt.begin(this.#in.arrival.route.pool, upstream);
    this.#dispatch(upstream, false);
  }

  #dispatch(upstream: Upstream, freshConnection: boolean): void {
    const { route, head, facts, target } = this.#in.arrival;
    const { pool } = route;
    this.#exchange = pool.transport(upstream).dispatch(
      {
        method: this.#in.req.method ?? "GET",
        path: upstreamPath(target, route.options, upstream.address),
        headers: upstreamHeaders(head, facts, route.options, upstream.address, {
          forwarded: this.#in.routing.forwarded,
          mountPath: this.#in.mountPath,
        }),
        bodyLength: this.#body.length,
        headersTimeoutMs: pool.options.retry.perTryTimeoutMs,
        freshConnection,
      },
      this,
    );
  }

  onConnected(exchange: Exchange, connectMs: number | undefined): void {
    this.#attempt.connected(connectMs);
    this.#body.attach(exchange);
  }

  onDrain(): void {
    this.#body.onDrain();
  }

  onBodyFault(code: ErrorCode): void {
    this.#giveUp(code);
  }

  // Step 4: judge.

  onInformation(status: number, headers: readonly string[]): void {
    this.#response.inform(status, withoutLoad(this.#in.record, headers));
  }

  onResponse(status: number, statusText: string, raw: readonly string[]): void {
    this.#attempt.answered(status);
    const headers = heedLoad(this.#in.record, raw);
    if (this.#retriedOn(status)) return;
    this.#upstreamHead = headers;
    const passed = this.#responseHeaders(headers, status);
    if (passed === undefined) {
      this.#attempt.settle("success", { status });
      return this.#giveUp("response_hook_failed");
    }
    this.#response.begin(status, statusText, passed, !this.#body.complete);
  }

  /** Whether another attempt is made instead of passing an answer on. */
  #retriedOn(status: number): boolean {
    if (!this.#in.arrival.route.pool.options.retry.onStatus.has(status)) return false;
    const facts = this.#retryFacts();
    if (decideAfterStatus(status, facts) !== "retry") return false;
    this.#exchange?.abort();
    this.#body.detach();
    this.#attempt.settle("success", { status });
    this.#retry("retry", `${status}`, facts.pauseMs);
    return true;
  }

  onFailure(failure: ExchangeFailure): void {
    const { code } = failure;
    this.#body.detach();
    this.#in.record.failed(code, failure.cause);
    if (this.#response.committed) {
      this.#attempt.settle(code, { status: this.#in.record.status, error: code });
      return this.#response.cutOff();
    }
    const facts = this.#retryFacts();
    const decision = decideAfterFailure(failure, facts);
    debug("%s failed with %s, so %s: %O", this.#in.record.upstream?.id, code, decision, failure.cause);
    if (decision !== "again")
      this.#attempt.settle(isStale(failure) ? "stale" : code, { error: code, cause: failure.cause });
    if (decision === "give-up") this.#giveUp(code);
    else this.#retry(decision, code, facts.pauseMs);
  }

  #retryFacts(): RetryFacts {
    const { pool } = this.#in.arrival.route;
    const { clock, random } = this.#in.engine.runtime;
    return {
      options: pool.options.retry,
      budget: pool.retryBudget,
      method: this.#in.req.method ?? "GET",
      retriesUsed: this.#retriesUsed,
      staleRetried: this.#staleRetried,
      untriedLeft: this.#choice.someLeft,
      replayable: this.#body.replayable,
      pauseMs: retryPauseMs(random),
      leftMs: this.#deadline - clock.now(),
    };
  }

  #retry(decision: Exclude<RetryDecision, "give-up">, reason: ErrorCode | `${number}`, pauseMs: number): void {
    const failed = this.#in.record.upstream as Upstream;
    this.#in.record.retried(failed, reason);
    if (decision === "again") {
      this.#staleRetried = true;
      this.#attempt.again(this.#in.arrival.route.pool, failed, "reset");
      this.#dispatch(failed, true);
    } else if (decision === "move") {
      this.#choice.next();
    } else {
      this.#retriesUsed++;
      this.#pauseTimer = this.#in.engine.runtime.clock.setTimeout(() => this.#choice.next(), pauseMs);
    }
  }

  // Step 5: pass on.

  /** Undefined when the app's hook failed. */
  #responseHeaders(raw: readonly string[], status: number): string[] | undefined {
    const { engine, record, arrival } = this.#in;
    const passed = this.#choice.bind(clientHeaders(raw, arrival.route.options.responseHeaders, status));
    const headers =
      engine.hooks.onResponse === undefined
        ? passed
        : runResponseHook(engine.hooks, { ...record.names(), req: record.appRequest, status }, passed, record);
    // An upstream that answers before it has read the body leaves bytes behind that may not become the next request.
    if (!this.#body.complete) record.flags.add("early");
    if (!this.#body.complete || engine.draining) headers?.push("Connection", "close");
    return headers;
  }

  onData(chunk: Buffer): boolean {
    return this.#response.write(chunk, this);
  }

  onClientDrain(): void {
    this.#exchange?.resume();
  }

  onClientStalled(): void {
    this.#giveUp("send_timeout");
  }

  onFlush(): void {
    this.#response.flush();
  }

  onComplete(trailers: readonly string[]): void {
    this.#attempt.settle("success", { status: this.#in.record.status });
    this.#exchange = undefined;
    this.#body.discard();
    this.#response.end(withoutLoad(this.#in.record, trailers), this.#upstreamHead);
  }

  /** Answers in the proxy's own name, or cuts the answer off when one has begun. */
  #giveUp(code: ErrorCode): void {
    if (this.#over) return;
    this.#stop(errorKind(code).source === "client" ? "aborted" : code, code);
    this.#in.record.error = code;
    if (this.#response.committed) return this.#response.cutOff();
    this.#response.reply(code, code !== "body_too_large" && isSettled(this.#in.req, this.#body.length));
    this.#body.discard();
  }

  // Step 6: finish.

  /** The response has gone out whole, or the client has left, or we have cut it off. */
  #onClientClose(): void {
    const record = this.#in.record;
    if (!this.#in.res.writableFinished && !record.flags.has("truncated")) {
      record.status = errorKind("client_aborted").status;
      record.error = "client_aborted";
    }
    this.#stop("aborted", "client_aborted");
    this.#body.release();
    this.#response.release();
    record.bytesIn = this.#body.bytesRead;
    this.#in.engine.active.delete(this);
    record.finish();
  }

  /** Ends whatever is under way or waited for. */
  #stop(outcome: Outcome, error: ErrorCode): void {
    const { clock } = this.#in.engine.runtime;
    this.#over = true;
    if (this.#pauseTimer !== undefined) clock.clearTimeout(this.#pauseTimer);
    if (this.#deadlineTimer !== undefined) clock.clearTimeout(this.#deadlineTimer);
    this.#choice.stopWaiting();
    this.#body.detach();
    this.#exchange?.abort();
    this.#exchange = undefined;
    if (!this.#attempt.open) return;
    const { status } = this.#in.record;
    this.#attempt.settle(outcome, this.#response.committed ? { status, error } : { error });
  }
}
