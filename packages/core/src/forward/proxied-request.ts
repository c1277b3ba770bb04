/**
 * One proxied request.
 *
 *     client ── 1 receive ── 2 select ── 3 attempt ───────> upstream
 *     client <─ 6 finish ─── 5 relay ─── 4 decide ───────── upstream
 *
 *   1. receive  read and check the head, find the route; refuse what is not to be forwarded (handle-request.ts)
 *   2. select   pick an upstream that was not tried before, or wait in the queue while all are full
 *   3. attempt  send head and body, with the upstream's backpressure
 *   4. decide   relay a response or a failure, retry, or send an error response
 *   5. relay    send head and body to the client, with the client's backpressure
 *   6. finish   one record and one count, whatever happened
 *
 * Every path ends in step 6 exactly once, and every attempt is settled exactly once. Until the head of the response has been
 * written ("committed") another response can replace it; after that a response that breaks off is cut off, so that the client
 * cannot take it for complete.
 */

import { type AttemptHandler, AttemptLoop } from "../attempts/attempt-loop.ts";
import type { InFlight } from "../attempts/in-flight.ts";
import { takeLoadReport, withoutLoadReport } from "../attempts/load-report.ts";
import { SessionAffinity } from "../attempts/session-affinity.ts";
import type { ClientExchange, ClientHandler } from "../client/client-exchange.ts";
import { type ErrorCode, errorKind } from "../errors.ts";
import type { Outcome, Upstream } from "../pool/upstream.ts";
import type { RoutedRequest } from "../request/routed-request.ts";
import type { Routing } from "../request/routing.ts";
import type { TracedAttempt } from "../tracing/traced-attempt.ts";
import type { Exchange, ExchangeFailure, ExchangeHandler } from "../transport/transport.ts";
import { ClientResponse, type SendTimeoutHandler } from "./client-response.ts";
import type { ForwardContext } from "./context.ts";
import { createRequestBody } from "./create-request-body.ts";
import { isSettled } from "./error-response.ts";
import { GrpcCall } from "./grpc-call.ts";
import { clientHeaders } from "./headers/client-headers.ts";
import { upstreamHeaders, upstreamPath } from "./headers/upstream-headers.ts";
import { runResponseHook } from "./hooks.ts";
import type { Body, BodyFaultHandler } from "./request-body.ts";
import type { RequestRecord } from "./request-record.ts";

/** A routed request, with everything known of it. */
export interface ProxiedRequestInput {
  readonly context: ForwardContext;
  /** The routing that the request was read under. */
  readonly routing: Routing;
  readonly client: ClientExchange;
  readonly received: RoutedRequest;
  readonly record: RequestRecord;
  /** The path that a framework has taken off the front of the target. */
  readonly mountPath: string;
  /** The body, if a parser in front of the proxy has read it. */
  readonly parsedBody: Uint8Array | undefined;
}

export class ProxiedRequest
  implements ClientHandler, ExchangeHandler, AttemptHandler, BodyFaultHandler, SendTimeoutHandler, InFlight
{
  readonly #in: ProxiedRequestInput;
  readonly #body: Body;
  readonly #response: ClientResponse;
  readonly #affinity: SessionAffinity | undefined;
  readonly #attempts: AttemptLoop;
  readonly #grpc: GrpcCall | undefined;
  /** The headers of the upstream's response, as received. */
  #upstreamHead: readonly string[] = [];
  /** The exchange of the attempt in progress. */
  #exchange: Exchange | undefined;
  /** The response is decided: no further attempt is made. */
  #decided = false;

  constructor(input: ProxiedRequestInput) {
    const { client, received, record, context } = input;
    this.#in = input;
    const { route } = received;
    this.#affinity = route.sticky && new SessionAffinity(route.sticky, received, record);
    this.#grpc = received.head.grpc ? new GrpcCall(received.head.passed, context.runtime.clock.now()) : undefined;
    this.#attempts = new AttemptLoop(
      {
        to: route,
        runtime: context.runtime,
        method: client.method,
        key: route.keyOf?.(received),
        affinity: this.#affinity,
        client: client.connection,
        notes: record,
        timeoutMs: this.#grpc?.timeoutMs,
      },
      this,
    );
    this.#response = new ClientResponse(client, record, context);
    this.#body = createRequestBody(input, context.runtime.clock, this);
  }

  start(): void {
    this.#in.context.inFlight.add(this);
    this.#in.client.start(this);
    if (this.#body.length > this.#in.received.route.options.maxBodyBytes) return this.onGiveUp("body_too_large");
    this.#attempts.start();
  }

  /** `close` has timed out: a response that has not begun is 503, one that has is cut off. */
  destroy(): void {
    if (this.#decided) this.#in.client.cutOff();
    else this.onGiveUp("closed");
  }

  /** The app responds after all: the attempt ends, and the proxy sends nothing. */
  leaveToApp(): void {
    if (!this.#decided) this.#stop("aborted", "client_aborted");
    this.#body.discard();
  }

  // Called by the attempts: steps 2 and 3.

  get replayable(): boolean {
    return this.#body.replayable;
  }

  onAttempt(upstream: Upstream, freshConnection: boolean, trace: TracedAttempt | undefined): void {
    const { client, received, routing, mountPath } = this.#in;
    const { route, head, facts, target } = received;
    const { pool } = route;
    const path = upstreamPath(target, route.options, upstream.address);
    const own = upstreamHeaders(head, facts, route.options, upstream.address, {
      forwarded: routing.forwarded,
      mountPath,
    });
    const headers = this.#grpc?.withTimeLeft(own, this.#in.context.runtime.clock.now()) ?? own;
    this.#exchange = pool.transport(upstream).dispatch(
      {
        method: client.method,
        path,
        headers: trace?.start(path, headers) ?? headers,
        bodyLength: this.#body.length,
        headersTimeoutMs: pool.options.retry.perTryTimeoutMs,
        freshConnection,
        client: client.connection,
      },
      this,
    );
  }

  /** Sends an error response, or cuts off a response that has begun. */
  onGiveUp(code: ErrorCode, cause?: unknown): void {
    if (this.#decided) return;
    if (code === "policy_failed") this.#in.record.threw("policy", cause, code);
    this.#stop(errorKind(code).source === "client" ? "aborted" : code, code);
    this.#in.record.error = code;
    if (this.#response.committed) return this.#response.cutOff();
    this.#response.fail(code, code !== "body_too_large" && isSettled(this.#in.client, this.#body.length));
    this.#body.discard();
  }

  // Called by the client.

  onBody(chunk: Buffer): void {
    this.#body.onChunk(chunk);
  }

  onBodyEnd(): void {
    this.#body.onEnd();
  }

  onFault(code: ErrorCode): void {
    this.#body.detach();
    this.onGiveUp(code);
  }

  onBodyFault(code: ErrorCode): void {
    this.onGiveUp(code);
  }

  onWritable(): void {
    this.#response.onWritable();
    this.#exchange?.resume();
  }

  onSendTimeout(): void {
    this.onGiveUp("send_timeout");
  }

  /** Step 6: the response was sent, or the client has left, or the response was cut off. */
  onClosed(finished: boolean): void {
    const { record, context } = this.#in;
    // A proxy that closes ends a pipeline with the response to its first request.
    const sent = finished || record.error === "closed";
    if (!sent && !record.flags.has("truncated")) record.clientAborted();
    this.#stop("aborted", "client_aborted");
    this.#body.release();
    this.#response.release();
    record.bytesIn = this.#body.bytesRead;
    context.inFlight.delete(this);
    record.finish(finished);
  }

  // Called by the upstream: steps 3 to 5.

  onConnected(exchange: Exchange, connectMs: number | undefined): void {
    this.#attempts.connected(connectMs);
    this.#body.attach(exchange);
  }

  onDrain(): void {
    this.#body.onDrain();
  }

  onInformation(status: number, headers: readonly string[]): void {
    this.#response.inform(status, withoutLoadReport(this.#in.record, headers));
  }

  onResponse(status: number, statusText: string, raw: readonly string[], length: number): void {
    this.#grpc?.onHead(status, raw, length === 0);
    this.#attempts.responded(this.#grpc?.result().countsAs ?? status);
    const headers = takeLoadReport(this.#in.record, raw);
    if (this.#retriedOn(status)) {
      this.#exchange?.abort();
      return this.#body.detach();
    }
    this.#upstreamHead = headers;
    const passed = this.#responseHeaders(headers, status);
    if (passed === undefined) {
      this.#attempts.settle("success", this.#grpc?.result() ?? { status });
      return this.onGiveUp("response_hook_failed");
    }
    this.#response.begin(status, statusText, passed, this.#isLast);
  }

  #retriedOn(status: number): boolean {
    if (this.#attempts.retriedOn(status)) return true;
    const grpc = this.#grpc;
    return grpc?.isUnavailable === true && this.#attempts.retriedOnUnavailable(grpc.result(), grpc.pushbackMs);
  }

  /** The rest of a body that the upstream did not wait for must not be read as the next request of the connection. */
  get #isLast(): boolean {
    return !this.#body.complete && this.#in.client.connection !== undefined;
  }

  onData(chunk: Buffer): boolean {
    return this.#response.write(chunk, this);
  }

  onFlush(): void {
    this.#response.flush();
  }

  onComplete(trailers: readonly string[]): void {
    const { record } = this.#in;
    this.#grpc?.onEnd(trailers);
    record.grpcStatus = this.#grpc?.status;
    this.#attempts.settle("success", this.#grpc?.result() ?? { status: record.status });
    this.#exchange = undefined;
    this.#body.discard();
    this.#response.end(withoutLoadReport(record, trailers), this.#upstreamHead);
  }

  onFailure(failure: ExchangeFailure): void {
    const { code } = failure;
    // A server ends a call at the client's deadline too. That is no failure of the server.
    if (this.#grpc?.isOver(this.#in.context.runtime.clock.now())) return this.onGiveUp("total_timeout");
    this.#body.detach();
    this.#in.record.failed(code, failure.cause);
    if (!this.#response.committed) return this.#attempts.failed(failure);
    this.#attempts.settle(code, { status: this.#in.record.status, error: code });
    this.#response.cutOff();
  }

  /** Undefined when the app's hook failed. */
  #responseHeaders(raw: readonly string[], status: number): string[] | undefined {
    const { context, record, received } = this.#in;
    const own = clientHeaders(raw, received.route.options.responseHeaders, status);
    const passed = this.#affinity === undefined ? own : this.#affinity.bind(own, record.upstream);
    const headers =
      context.hooks.onResponse === undefined
        ? passed
        : runResponseHook(context.hooks, { ...record.names(), req: record.appRequest, status }, passed, record);
    if (this.#isLast) record.flags.add("early");
    if (this.#isLast || context.draining) headers?.push("Connection", "close");
    return headers;
  }

  /** Ends the attempt in progress, and every wait for another. */
  #stop(outcome: Outcome, error: ErrorCode): void {
    this.#decided = true;
    this.#attempts.stop();
    this.#body.detach();
    this.#exchange?.abort();
    this.#exchange = undefined;
    if (!this.#attempts.inFlight) return;
    const { status } = this.#in.record;
    this.#attempts.settle(outcome, this.#response.committed ? { status, error } : { error });
  }
}
