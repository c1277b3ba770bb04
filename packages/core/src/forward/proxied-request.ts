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

import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import { type AttemptHandler, AttemptLoop } from "../attempts/attempt-loop.ts";
import type { InFlight } from "../attempts/in-flight.ts";
import { takeLoadReport, withoutLoadReport } from "../attempts/load-report.ts";
import { SessionAffinity } from "../attempts/session-affinity.ts";
import { onResponseClosed } from "../client/node/response-closed.ts";
import { type ErrorCode, errorKind } from "../errors.ts";
import type { Outcome, Upstream } from "../pool/upstream.ts";
import type { Exchange, ExchangeFailure, ExchangeHandler } from "../transport/transport.ts";
import { type ClientPace, ClientResponse } from "./client-response.ts";
import { isSettled } from "./error-response.ts";
import { clientHeaders } from "./headers/client-headers.ts";
import { upstreamHeaders, upstreamPath } from "./headers/upstream-headers.ts";
import { runResponseHook } from "./hooks.ts";
import { type ProxiedRequestInput, requestBody } from "./proxied-request-input.ts";
import type { Body, BodyOwner } from "./request-body.ts";

export class ProxiedRequest implements ExchangeHandler, BodyOwner, ClientPace, AttemptHandler, InFlight {
  readonly #in: ProxiedRequestInput;
  readonly #body: Body;
  readonly #response: ClientResponse;
  readonly #affinity: SessionAffinity | undefined;
  readonly #attempts: AttemptLoop;
  /** The headers of its answer, as they came. */
  #upstreamHead: readonly string[] = [];
  #exchange: Exchange | undefined;
  /** An answer has been decided on; nothing more is tried. */
  #over = false;

  constructor(input: ProxiedRequestInput) {
    const { req, res, arrival, record } = input;
    this.#in = input;
    const { route } = arrival;
    this.#affinity = route.sticky && new SessionAffinity(route.sticky, arrival, record);
    this.#attempts = new AttemptLoop(
      {
        to: route,
        runtime: input.engine.runtime,
        method: req.method ?? "GET",
        key: route.keyOf?.(arrival),
        affinity: this.#affinity,
        client: clientConnection(req),
        notes: record,
      },
      this,
    );
    this.#response = new ClientResponse(req, res, record, input.engine);
    this.#body = requestBody(input, this);
  }

  start(): void {
    this.#in.engine.active.add(this);
    onResponseClosed(this.#in.req, this.#in.res, () => this.#onClientClose());
    if (this.#body.length > this.#in.arrival.route.options.maxBodyBytes) return this.onGiveUp("body_too_large");
    this.#attempts.start();
  }

  /** `close` has run out of patience: an answer that has not begun is 503, one that has is cut off. */
  destroy(): void {
    if (this.#over) this.#in.res.destroy();
    else this.onGiveUp("closed");
  }

  /** The app answers after all: the upstream's request ends, and `res` is left alone. */
  leaveToApp(): void {
    if (!this.#over) this.#stop("aborted", "client_aborted");
    this.#body.discard();
  }

  // Steps 2 and 3: pick and attempt.

  get replayable(): boolean {
    return this.#body.replayable;
  }

  onAttempt(upstream: Upstream, freshConnection: boolean): void {
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
        client: clientConnection(this.#in.req),
      },
      this,
    );
  }

  onConnected(exchange: Exchange, connectMs: number | undefined): void {
    this.#attempts.connected(connectMs);
    this.#body.attach(exchange);
  }

  onDrain(): void {
    this.#body.onDrain();
  }

  onBodyFault(code: ErrorCode): void {
    this.onGiveUp(code);
  }

  // Step 4: judge.

  onInformation(status: number, headers: readonly string[]): void {
    this.#response.inform(status, withoutLoadReport(this.#in.record, headers));
  }

  onResponse(status: number, statusText: string, raw: readonly string[]): void {
    this.#attempts.responded(status);
    const headers = takeLoadReport(this.#in.record, raw);
    if (this.#attempts.retriedOn(status)) {
      this.#exchange?.abort();
      return this.#body.detach();
    }
    this.#upstreamHead = headers;
    const passed = this.#responseHeaders(headers, status);
    if (passed === undefined) {
      this.#attempts.settle("success", { status });
      return this.onGiveUp("response_hook_failed");
    }
    this.#response.begin(status, statusText, passed, !this.#body.complete);
  }

  onFailure(failure: ExchangeFailure): void {
    const { code } = failure;
    this.#body.detach();
    this.#in.record.failed(code, failure.cause);
    if (!this.#response.committed) return this.#attempts.failed(failure);
    this.#attempts.settle(code, { status: this.#in.record.status, error: code });
    this.#response.cutOff();
  }

  // Step 5: pass on.

  /** Undefined when the app's hook failed. */
  #responseHeaders(raw: readonly string[], status: number): string[] | undefined {
    const { engine, record, arrival } = this.#in;
    const own = clientHeaders(raw, arrival.route.options.responseHeaders, status);
    const passed = this.#affinity === undefined ? own : this.#affinity.bind(own, record.upstream);
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
    this.onGiveUp("send_timeout");
  }

  onFlush(): void {
    this.#response.flush();
  }

  onComplete(trailers: readonly string[]): void {
    this.#attempts.settle("success", { status: this.#in.record.status });
    this.#exchange = undefined;
    this.#body.discard();
    this.#response.end(withoutLoadReport(this.#in.record, trailers), this.#upstreamHead);
  }

  /** Sends an error response, or cuts off a response that has begun. */
  onGiveUp(code: ErrorCode, cause?: unknown): void {
    if (this.#over) return;
    if (code === "policy_failed") this.#in.record.threw("policy", cause, code);
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
    // A proxy that closes ends a pipeline with the response to its first request.
    const sent = this.#in.res.writableFinished || record.error === "closed";
    if (!sent && !record.flags.has("truncated")) {
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

  /** Ends the attempt in progress, and every wait for another. */
  #stop(outcome: Outcome, error: ErrorCode): void {
    this.#over = true;
    this.#attempts.stop();
    this.#body.detach();
    this.#exchange?.abort();
    this.#exchange = undefined;
    if (!this.#attempts.inFlight) return;
    const { status } = this.#in.record;
    this.#attempts.settle(outcome, this.#response.committed ? { status, error } : { error });
  }
}

/** A connection of HTTP/2 may be shared, and knows no authentication of connections. */
function clientConnection({ httpVersionMajor, socket }: IncomingMessage): Socket | undefined {
  return httpVersionMajor === 1 ? socket : undefined;
}
