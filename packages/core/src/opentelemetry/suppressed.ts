import type { Context } from "@opentelemetry/api";
import type { Api } from "./instrument.ts";

/**
 * A context in which the SDK records and propagates nothing. As `suppressTracing` of `@opentelemetry/core`, which no
 * instrumentation needs beside the API: keys of contexts are symbols of the global registry.
 */
export function suppressed({ createContextKey }: Api, context: Context): Context {
  return context.setValue(createContextKey("OpenTelemetry SDK Context Key SUPPRESS_TRACING"), true);
}
