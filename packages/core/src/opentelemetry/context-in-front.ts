import type { Context, Span } from "@opentelemetry/api";
import type { Api } from "./instrument.ts";

/**
 * Returns the context whose span stands for a request in front of the proxy: that of an instrumentation, or one inside of it. An
 * active span that has ended is that of a middleware which has called the next one in it, or of the code which has opened the
 * server. The key is that of `setRPCMetadata` of `@opentelemetry/core`, by which instrumentation-http names its span.
 */
export function contextInFront({ trace, createContextKey }: Api, active: Context): Context | undefined {
  const span = trace.getSpan(active);
  if (span === undefined || !hasEnded(span)) return span && active;
  const metadata = active.getValue(createContextKey("OpenTelemetry SDK Context Key RPC_METADATA"));
  const server = (metadata as { readonly span?: Span } | undefined)?.span;
  return server === undefined || hasEnded(server) ? undefined : trace.setSpan(active, server);
}

/** `ended` is a property of the SDK's spans. */
function hasEnded(span: Span & { readonly ended?: unknown }): boolean {
  return span.ended === true;
}
