/** OpenTelemetry for the proxies of this process: `evenkeel/opentelemetry`. Needs `@opentelemetry/api`. */

import * as api from "@opentelemetry/api";
import { type InstrumentOptions, instrument } from "./instrument.ts";

export type { InstrumentOptions };

/**
 * Traces the requests of all proxies and pools of this process, until the returned function is called. Replaces what an
 * earlier call, or `createProxy`, has switched on.
 *
 * @example
 * new NodeSDK({ traceExporter: new OTLPTraceExporter() }).start();
 * const stop = instrumentEvenkeel({ probes: true });
 */
export function instrumentEvenkeel(options: InstrumentOptions = {}): () => void {
  return instrument(api, options);
}
