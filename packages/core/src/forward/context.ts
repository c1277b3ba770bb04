import type { InFlightSet } from "../attempts/in-flight.ts";
import type { Routing } from "../request/routing.ts";
import type { Runtime } from "../runtime/runtime.ts";
import type { Hooks } from "./hooks.ts";
import type { Reporter } from "./reporter.ts";

/** What forwarding needs of the proxy. */
export interface ForwardContext {
  readonly runtime: Runtime;
  readonly reporter: Reporter;
  readonly hooks: Hooks;
  /** The routing in force. A request keeps the one that it began with. */
  readonly routing: Routing;
  /** `close` has been called. */
  readonly draining: boolean;
  readonly inFlight: InFlightSet;
  /** False: requests are published on no diagnostics channel. */
  readonly tracing: boolean;
}

/** The routing in force and whether `close` has been called are read anew for each request. */
export function createForwardContext(
  parts: Omit<ForwardContext, "routing" | "draining">,
  now: { readonly routing: () => Routing; readonly draining: () => boolean },
): ForwardContext {
  return {
    ...parts,
    get routing() {
      return now.routing();
    },
    get draining() {
      return now.draining();
    },
  };
}
