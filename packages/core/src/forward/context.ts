/** What forwarding needs of the proxy around it. */

import type { InFlightSet } from "../attempts/in-flight.ts";
import type { ResponseBatch } from "../client/node/response-batch.ts";
import type { Routing } from "../request/routing.ts";
import type { Runtime } from "../runtime/runtime.ts";
import type { Hooks } from "./hooks.ts";
import type { Reporter } from "./reporter.ts";

export interface ForwardContext {
  readonly runtime: Runtime;
  readonly reporter: Reporter;
  readonly hooks: Hooks;
  readonly routing: Routing;
  /** `close` has been called. */
  readonly draining: boolean;
  readonly active: InFlightSet;
  readonly departures: ResponseBatch;
}
