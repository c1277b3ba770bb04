import type { Span, Tracer } from "@opentelemetry/api";
import type { ProbeTrace } from "../tracing/messages.ts";
import { methodName, probeAttributes } from "./attributes.ts";
import type { Api } from "./instrument.ts";
import { suppressed } from "./suppressed.ts";

/** Keeps an instrumentation of Node's HTTP client from tracing probes. A CLIENT span for each probe, if the options say so. */
export class ProbeSpans {
  readonly #api: Api;
  readonly #tracer: Tracer;
  readonly #traced: boolean;
  readonly #spans = new WeakMap<ProbeTrace, Span>();

  constructor(api: Api, tracer: Tracer, traced: boolean) {
    this.#api = api;
    this.#tracer = tracer;
    this.#traced = traced;
  }

  start(probe: ProbeTrace): void {
    const { context, ROOT_CONTEXT, SpanKind } = this.#api;
    probe.run ??= (code) => context.with(suppressed(this.#api, ROOT_CONTEXT), code);
    if (!this.#traced) return;
    const name = probe.type === "http" ? methodName(probe.method) : `${probe.type} probe`;
    const options = { kind: SpanKind.CLIENT, root: true, attributes: probeAttributes(probe) };
    this.#spans.set(probe, this.#tracer.startSpan(name, options, ROOT_CONTEXT));
  }

  end(probe: ProbeTrace): void {
    const span = this.#spans.get(probe);
    if (span === undefined) return;
    this.#spans.delete(probe);
    const { ok, reason, cause } = probe;
    const status = /^status (\d{3})$/.exec(reason)?.[1];
    span.setAttribute("evenkeel.probe.result", reason);
    if (status !== undefined) span.setAttribute("http.response.status_code", Number(status));
    if (!ok) {
      span.setAttribute("error.type", status ?? reason);
      span.setStatus({ code: this.#api.SpanStatusCode.ERROR, ...(cause !== undefined && { message: cause }) });
    }
    span.end();
  }
}
