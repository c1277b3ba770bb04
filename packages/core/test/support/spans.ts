/** Spans of OpenTelemetry, recorded by its SDK in memory and drawn as trees. */

import { context, type HrTime, SpanKind, SpanStatusCode } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import { CompositePropagator, W3CBaggagePropagator, W3CTraceContextPropagator } from "@opentelemetry/core";
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  type ReadableSpan,
  type Sampler,
  SimpleSpanProcessor,
  type SpanProcessor,
} from "@opentelemetry/sdk-trace-base";
import { onTestFinished } from "vitest";
import { type InstrumentOptions, instrumentEvenkeel } from "../../src/opentelemetry/index.ts";
import { until } from "./event-loop.ts";

export interface TracingOptions extends InstrumentOptions {
  readonly sampler?: Sampler;
  readonly processors?: readonly SpanProcessor[];
}

export interface Tracing {
  readonly provider: BasicTracerProvider;
  /** Every span that has ended. */
  readonly spans: readonly ReadableSpan[];
  /** Resolves with all spans as soon as there are so many. */
  ended(count: number): Promise<readonly ReadableSpan[]>;
  stop(): void;
}

/** Sets up the SDK and traces the proxies of this process, until the test is over. */
export function startTracing({ sampler, processors = [], ...options }: TracingOptions = {}): Tracing {
  const exporter = new InMemorySpanExporter();
  const provider = new BasicTracerProvider({
    spanProcessors: [...processors, new SimpleSpanProcessor(exporter)],
    ...(sampler !== undefined && { sampler }),
  });
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  const propagator = new CompositePropagator({
    propagators: [new W3CTraceContextPropagator(), new W3CBaggagePropagator()],
  });
  const stop = instrumentEvenkeel({ tracerProvider: provider, propagator, ...options });
  onTestFinished(() => {
    stop();
    context.disable();
  });
  return {
    provider,
    stop,
    get spans() {
      return exporter.getFinishedSpans();
    },
    async ended(count) {
      await until(() => exporter.getFinishedSpans().length >= count);
      return exporter.getFinishedSpans();
    },
  };
}

/**
 * Draws spans as trees: kind, name, status or error, and upstream, then the children and the events in order of time. A parent
 * that is not among the spans is another process's.
 */
export function drawTrees(spans: readonly ReadableSpan[]): string {
  const ids = new Set(spans.map((span) => span.spanContext().spanId));
  const roots = spans.filter(({ parentSpanContext: parent }) => parent === undefined || !ids.has(parent.spanId));
  return roots
    .toSorted(byTime((span) => span.startTime))
    .map((root) => drawSpan(root, spans, ""))
    .join("");
}

function drawSpan(span: ReadableSpan, spans: readonly ReadableSpan[], indent: string): string {
  const parts = [
    ...spans
      .filter(({ parentSpanContext }) => parentSpanContext?.spanId === span.spanContext().spanId)
      .map((child) => ({ time: child.startTime, text: () => drawSpan(child, spans, `${indent}  `) })),
    ...span.events.map(({ time, name, attributes }) => {
      const reason = attributes?.["evenkeel.retry.reason"];
      return { time, text: () => `${indent}  - ${name}${reason === undefined ? "" : ` (${String(reason)})`}\n` };
    }),
  ].toSorted(byTime(({ time }) => time));
  return describe(span, indent) + parts.map(({ text }) => text()).join("");
}

function describe({ kind, name, attributes, status, parentSpanContext }: ReadableSpan, indent: string): string {
  const words = [
    SpanKind[kind],
    name,
    attributes["http.response.status_code"],
    status.code === SpanStatusCode.ERROR ? "ERROR" : undefined,
    attributes["error.type"] !== undefined && `error.type=${String(attributes["error.type"])}`,
    kind === SpanKind.CLIENT &&
      attributes["evenkeel.upstream"] !== undefined &&
      `upstream=${String(attributes["evenkeel.upstream"])}`,
    parentSpanContext?.isRemote === true && "(parent: the client's span)",
  ];
  return `${indent}${words.filter((word) => word !== undefined && word !== false).join(" ")}\n`;
}

function byTime<T>(timeOf: (item: T) => HrTime): (one: T, other: T) => number {
  return (one, other) => {
    const [seconds, nanos] = timeOf(one);
    const [otherSeconds, otherNanos] = timeOf(other);
    return seconds - otherSeconds || nanos - otherNanos;
  };
}
