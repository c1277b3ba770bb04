import type { Context, Span, TextMapGetter, TextMapPropagator, Tracer } from "@opentelemetry/api";
import { errorKind } from "../errors.ts";
import type { RequestTrace, RequestTraceEvent } from "../tracing/messages.ts";
import { endAttributes, methodName, serverAttributes } from "./attributes.ts";
import { contextInFront } from "./context-in-front.ts";
import type { Api } from "./instrument.ts";

/** How a request is traced. */
interface TracedSpan {
  /** The parent of its attempts. */
  readonly context: Context;
  /** The span of the request, if it is ours to end. */
  readonly own: Span | undefined;
  /** The span that gets the events: ours, or the one that was active. */
  readonly shown: Span | undefined;
}

const getter: TextMapGetter<RequestTrace> = {
  get: (request, key) => request.header(key.toLowerCase()),
  keys: ({ headers }) => headers.filter((_, index) => index % 2 === 0).map((name) => name.toLowerCase()),
};

/**
 * A SERVER span for each request of a client, unless a span is active already: that of an instrumentation in front. A request
 * of the app itself has no span of its own; its attempts are children of the span that is active at the call.
 */
export class RequestSpans {
  readonly #api: Api;
  readonly #tracer: Tracer;
  readonly #propagator: TextMapPropagator;
  readonly #spans = new WeakMap<RequestTrace, TracedSpan>();

  constructor(api: Api, tracer: Tracer, propagator: TextMapPropagator) {
    this.#api = api;
    this.#tracer = tracer;
    this.#propagator = propagator;
  }

  /** The context of a request. Undefined if it is not traced here. */
  contextOf(request: RequestTrace): Context | undefined {
    return this.#spans.get(request)?.context;
  }

  start(request: RequestTrace): void {
    // Another subscriber, such as that of a second copy of this package, traces it.
    if (request.span !== undefined) return;
    const traced = this.#begin(request);
    this.#spans.set(request, traced);
    const { own, shown, context } = traced;
    if (own !== undefined) request.run = (code) => this.#api.context.with(context, code);
    const ids = shown?.spanContext();
    if (ids === undefined || !this.#api.isSpanContextValid(ids)) return;
    const { traceId, spanId, traceFlags } = ids;
    request.span = { traceId, spanId, sampled: (traceFlags & this.#api.TraceFlags.SAMPLED) !== 0 };
  }

  addEvent(event: RequestTraceEvent): void {
    const shown = this.#spans.get(event.request)?.shown;
    if (event.type === "retry") {
      const { upstream, reason } = event;
      shown?.addEvent("evenkeel.retry", { "evenkeel.upstream": upstream, "evenkeel.retry.reason": reason });
    } else shown?.addEvent(`evenkeel.${event.for}`, { "evenkeel.wait_ms": event.waitedMs });
  }

  end(request: RequestTrace): void {
    const span = this.#spans.get(request)?.own;
    if (span === undefined) return;
    this.#spans.delete(request);
    const { status = 0, error } = request;
    span.setAttributes(endAttributes(request));
    // Nothing was sent to a client that has left.
    if (status > 0 && error !== "client_aborted") span.setAttribute("http.response.status_code", status);
    const brokenOff = status < 400 && error !== undefined && errorKind(error).source !== "client";
    const failed = status >= 500 || brokenOff;
    if (failed || error !== undefined) span.setAttribute("error.type", error ?? String(status));
    if (failed) span.setStatus({ code: this.#api.SpanStatusCode.ERROR });
    span.end();
  }

  #begin(request: RequestTrace): TracedSpan {
    const { trace, context, SpanKind } = this.#api;
    const active = context.active();
    const front = request.kind === "outbound" ? active : request.behindApp && contextInFront(this.#api, active);
    if (front) return { context: front, own: undefined, shown: trace.getSpan(front) };
    // Otherwise an active span is that of the code which has opened the server, and no parent of its requests.
    const parent = this.#propagator.extract(trace.deleteSpan(active), request, getter);
    const attributes = serverAttributes(request);
    const name =
      request.route === undefined ? methodName(request.method) : `${methodName(request.method)} ${request.route}`;
    const span = this.#tracer.startSpan(name, { kind: SpanKind.SERVER, attributes }, parent);
    return { context: trace.setSpan(parent, span), own: span, shown: span };
  }
}
