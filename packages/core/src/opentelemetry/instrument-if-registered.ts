import { createRequire } from "node:module";
import type { ProxyTracerProvider, TracerProvider } from "@opentelemetry/api";
import { type Api, instrument, isDecided } from "./instrument.ts";

const require = createRequire(import.meta.url);

/** False: `@opentelemetry/api` is not installed. */
let installed = true;

/** Switches tracing on, unless that was decided before, if an SDK of OpenTelemetry is registered. */
export function instrumentIfRegistered(): void {
  if (!installed || isDecided()) return;
  const api = loadApi();
  if (api === undefined) installed = false;
  else if (isRegistered(api.trace.getTracerProvider())) instrument(api, {});
}

/** Synchronously, since `createProxy` is not async. The state of the API is shared by all copies of it. */
function loadApi(): Api | undefined {
  try {
    return require("@opentelemetry/api") as Api;
  } catch {
    return undefined;
  }
}

/** Without an SDK the global provider is a proxy without a delegate. The proxy may be that of another copy of the API. */
function isRegistered(provider: TracerProvider): boolean {
  const proxy = provider as Partial<ProxyTracerProvider>;
  return proxy.getDelegateTracer === undefined || proxy.getDelegateTracer("evenkeel") !== undefined;
}
