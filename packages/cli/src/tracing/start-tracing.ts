/** OpenTelemetry traces of this process, sent by OTLP over HTTP. Its packages are loaded only where `[tracing]` is used. */

import { setTimeout as wait } from "node:timers/promises";
import type { TracingConfig } from "@evenkeel/config";
import type { TextMapPropagator } from "@opentelemetry/api";
import { RepeatedProblem, systemClock, version } from "evenkeel";
import type { Logger } from "pino";
import { Failure, messageOf } from "../failure.ts";
import { limits } from "../limits.ts";

export interface Tracing {
  /** Sends the spans that wait, for at most `limits.tracingFlushMs`. */
  stop(): Promise<void>;
}

const defaultEndpoint = "http://127.0.0.1:4318/v1/traces";

/** Throws a `Failure` for an exporter that cannot be created. An endpoint that cannot be reached is one warning, repeated seldom. */
export async function startTracing(config: TracingConfig, logger: Logger): Promise<Tracing> {
  const [{ instrumentEvenkeel }, core, trace, resources, { OTLPTraceExporter }] = await Promise.all([
    import("evenkeel/opentelemetry"),
    import("@opentelemetry/core"),
    import("@opentelemetry/sdk-trace-base"),
    import("@opentelemetry/resources"),
    import("@opentelemetry/exporter-trace-otlp-http"),
  ]);
  const { headers, sampleRatio, serviceName, probes } = config;
  const { W3CTraceContextPropagator, W3CBaggagePropagator, CompositePropagator } = core;
  const fromEnvironment = resources.detectResources({ detectors: [resources.envDetector] });
  const resource = resources
    .defaultResource()
    .merge(resources.resourceFromAttributes({ "service.name": "evenkeel", "service.version": version }))
    .merge(fromEnvironment)
    .merge(
      resources.resourceFromAttributes({
        "process.pid": process.pid,
        ...(serviceName !== undefined && { "service.name": serviceName }),
      }),
    );
  const exporter = createExporter();
  const problem = new Warnings(logger);
  const provider = new trace.BasicTracerProvider({
    resource,
    sampler: new trace.ParentBasedSampler({ root: new trace.TraceIdRatioBasedSampler(sampleRatio) }),
    spanProcessors: [
      // Its queue is bounded: spans beyond it are dropped.
      new trace.BatchSpanProcessor({
        export(spans, done) {
          exporter.export(spans, (result) => {
            if (result.code !== core.ExportResultCode.SUCCESS) problem.add(result.error);
            done(result);
          });
        },
        shutdown: () => exporter.shutdown(),
        forceFlush: () => exporter.forceFlush(),
      }),
    ],
  });
  const propagator: TextMapPropagator = new CompositePropagator({
    propagators: [new W3CTraceContextPropagator(), new W3CBaggagePropagator()],
  });
  const stopSpans = instrumentEvenkeel({ tracerProvider: provider, propagator, probes });
  return {
    async stop() {
      stopSpans();
      const flushed = provider.shutdown().catch((error: unknown) => problem.add(error));
      const tooLate = wait(limits.tracingFlushMs, new Error("the last spans were not accepted in time"), {
        ref: false,
      });
      const error = await Promise.race([flushed, tooLate]);
      if (error !== undefined) problem.add(error);
      problem.close();
    },
  };

  function createExporter() {
    const { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT, OTEL_EXPORTER_OTLP_ENDPOINT } = process.env;
    const url =
      config.endpoint ??
      (OTEL_EXPORTER_OTLP_TRACES_ENDPOINT || OTEL_EXPORTER_OTLP_ENDPOINT ? undefined : defaultEndpoint);
    try {
      return new OTLPTraceExporter({ headers: { ...headers }, ...(url !== undefined && { url }) });
    } catch (error) {
      throw new Failure(`tracing cannot start: ${messageOf(error)}`);
    }
  }
}

/** Warns about spans that cannot be sent. */
class Warnings {
  readonly #repeated: RepeatedProblem;
  #lastError: unknown;

  constructor(logger: Logger) {
    this.#repeated = new RepeatedProblem(systemClock, (times) =>
      logger.warn(
        { times },
        `traces cannot be sent: ${this.#lastError === undefined ? "no reason given" : messageOf(this.#lastError)}`,
      ),
    );
  }

  add(error: unknown): void {
    this.#lastError = error;
    this.#repeated.add();
  }

  close(): void {
    this.#repeated.close();
  }
}
