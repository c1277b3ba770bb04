import type { Span, TextMapPropagator, TextMapSetter, Tracer } from "@opentelemetry/api";
import { errorKind } from "../errors.ts";
import type { AttemptTrace } from "../tracing/messages.ts";
import { attemptAttributes, grpcStatusText, methodName } from "./attributes.ts";
import type { Api } from "./instrument.ts";
import type { RequestSpans } from "./request-spans.ts";
import { suppressed } from "./suppressed.ts";

const setter: TextMapSetter<AttemptTrace> = {
  set: (attempt, name, value) => attempt.setHeader(name, value),
};

/** A CLIENT span for each attempt. Its context is sent to the upstream in place of the client's. */
export class AttemptSpans {
  readonly #api: Api;
  readonly #tracer: Tracer;
  readonly #propagator: TextMapPropagator;
  readonly #requests: RequestSpans;
  readonly #spans = new WeakMap<AttemptTrace, Span>();

  constructor(api: Api, tracer: Tracer, propagator: TextMapPropagator, requests: RequestSpans) {
    this.#api = api;
    this.#tracer = tracer;
    this.#propagator = propagator;
    this.#requests = requests;
  }

  start(attempt: AttemptTrace): void {
    const parent = this.#requests.contextOf(attempt.request);
    if (parent === undefined) return;
    const { SpanKind, trace, context } = this.#api;
    const attributes = attemptAttributes(attempt);
    const span = this.#tracer.startSpan(methodName(attempt.method), { kind: SpanKind.CLIENT, attributes }, parent);
    this.#spans.set(attempt, span);
    const own = trace.setSpan(parent, span);
    // What the client has sent is part of the context, or was malformed.
    for (const name of this.#propagator.fields()) attempt.removeHeader(name);
    this.#propagator.inject(own, attempt, setter);
    // An instrumentation of Node's HTTP client would make a second span of a handshake.
    attempt.run = (code) => context.with(suppressed(this.#api, own), code);
  }

  end(attempt: AttemptTrace): void {
    const span = this.#spans.get(attempt);
    if (span === undefined) return;
    this.#spans.delete(attempt);
    const { status, error, cause, connectMs } = attempt;
    if (status !== undefined) {
      span.setAttribute("http.response.status_code", status);
      span.setAttribute("evenkeel.connection.reused", connectMs === undefined);
    }
    if (connectMs !== undefined) span.setAttribute("evenkeel.connect_ms", connectMs);
    const grpcStatus = grpcStatusText(attempt.grpcStatus);
    if (grpcStatus !== undefined) span.setAttribute("rpc.response.status_code", grpcStatus);
    const failed = (status ?? 0) >= 400 || (error !== undefined && errorKind(error).source !== "client");
    if (failed || error !== undefined) span.setAttribute("error.type", error ?? String(status));
    if (failed) {
      span.setStatus({ code: this.#api.SpanStatusCode.ERROR, ...(cause !== undefined && { message: cause }) });
    }
    span.end();
  }
}
