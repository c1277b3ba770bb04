/** Spans of OpenTelemetry, recorded by its SDK in memory and drawn as trees. */

import { readFileSync } from "node:fs";
import { context, SpanKind, SpanStatusCode } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import { CompositePropagator, W3CBaggagePropagator, W3CTraceContextPropagator } from "@opentelemetry/core";
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  type ReadableSpan,
  type Sampler,
  SimpleSpanProcessor,
  type Span,
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

/**
 * The order in which spans have started and events were added. Their times do not tell: the SDK starts a span at a whole
 * millisecond, and adds events to it at fractions of it.
 */
class Order implements SpanProcessor {
  readonly spans = new WeakMap<object, number>();
  readonly events = new WeakMap<object, number[]>();
  #count = 0;

  onStart(span: Span): void {
    this.spans.set(span, this.#count++);
    const events: number[] = [];
    this.events.set(span, events);
    const addEvent = span.addEvent.bind(span);
    span.addEvent = (...event) => {
      events.push(this.#count++);
      return addEvent(...event);
    };
  }

  onEnd(): void {}
  async forceFlush(): Promise<void> {}
  async shutdown(): Promise<void> {}
}

const order = new Order();

/** Sets up the SDK and traces the proxies of this process, until the test is over. */
export function startTracing({ sampler, processors = [], ...options }: TracingOptions = {}): Tracing {
  const exporter = new InMemorySpanExporter();
  const provider = new BasicTracerProvider({
    spanProcessors: [...processors, order, new SimpleSpanProcessor(exporter)],
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

const page = readFileSync(new URL("../../../../docs/observability.md", import.meta.url), "utf8");

/** The trees below a sentence of docs/observability.md that begins with this title in bold. */
export function documentedTrees(title: string): string {
  const [, block] = page.split(`\n**${title}**`)[1]?.split("\n\n") ?? [];
  if (block === undefined) throw new Error(`the page has no trees with the title "${title}"`);
  return `${block.replace(/^ {4}/gm, "")}\n`;
}

/**
 * Draws spans as trees: kind, name, status or error, and upstream, then its children and events in their order. A parent
 * that is not among the spans is another process's.
 */
export function drawTrees(spans: readonly ReadableSpan[]): string {
  const ids = new Set(spans.map((span) => span.spanContext().spanId));
  const roots = spans.filter(({ parentSpanContext: parent }) => parent === undefined || !ids.has(parent.spanId));
  return roots
    .toSorted((one, other) => startOf(one) - startOf(other))
    .map((root) => drawSpan(root, spans, ""))
    .join("");
}

function drawSpan(span: ReadableSpan, spans: readonly ReadableSpan[], indent: string): string {
  const children = spans.filter(({ parentSpanContext }) => parentSpanContext?.spanId === span.spanContext().spanId);
  const parts = [
    ...children.map((child) => ({ at: startOf(child), text: () => drawSpan(child, spans, `${indent}  `) })),
    ...span.events.map(({ name, attributes }, index) => {
      const reason = attributes?.["evenkeel.retry.reason"];
      const text = () => `${indent}  - ${name}${reason === undefined ? "" : ` (${String(reason)})`}\n`;
      return { at: order.events.get(span)?.[index] ?? 0, text };
    }),
  ].toSorted((one, other) => one.at - other.at);
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

function startOf(span: ReadableSpan): number {
  return order.spans.get(span) ?? 0;
}
