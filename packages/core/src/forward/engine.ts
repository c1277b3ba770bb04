/** What forwarding needs of the proxy around it. */

import type { AttemptEvent, ExceptionEvent, RequestEvent, RetryEvent, TunnelEvent } from "../events.ts";
import type { Runtime } from "../runtime/runtime.ts";
import type { ActiveSet } from "./active-set.ts";
import type { TrustedProxies } from "./client-address.ts";
import type { Departures } from "./departures.ts";
import type { Hooks } from "./hooks.ts";
import type { Destination, Route } from "./routes.ts";

/** What the options in force mean for a request. Frozen; a reload replaces it whole, and a request keeps the one it began with. */
export interface Routing {
  readonly routes: readonly Route[];
  /** Every pool by its name, for hooks that choose another. */
  readonly pools: ReadonlyMap<string, Destination>;
  readonly trustedProxies: TrustedProxies;
  readonly forwarded: boolean;
  readonly maxHeaders: number;
  /** 0 is none, here and in the two below. */
  readonly requestBodyTimeoutMs: number;
  readonly requestBodyMinRate: number;
  readonly sendTimeoutMs: number;
  /** Some route or upstream has a path of its own: a `..` in a request could climb out of it. */
  readonly pathsMatter: boolean;
}

/** Where finished things are told. */
export interface Reporter {
  /** Counts a finished request. Always called, once for each. */
  count(request: RequestCountLabels, durationMs: number): void;
  /** Whether somebody listens, and the event is worth building. */
  wants(event: "request" | "attempt" | "retry" | "tunnel"): boolean;
  request(event: RequestEvent): void;
  attempt(event: AttemptEvent): void;
  retry(event: RetryEvent): void;
  tunnel(event: TunnelEvent): void;
  exception(event: ExceptionEvent): void;
}

export interface RequestCountLabels {
  readonly route: string | undefined;
  readonly pool: string | undefined;
  readonly method: string;
  readonly status: number;
}

export interface Engine {
  readonly runtime: Runtime;
  readonly reporter: Reporter;
  readonly hooks: Hooks;
  readonly routing: Routing;
  /** `close` has been called. */
  readonly draining: boolean;
  readonly active: ActiveSet;
  readonly departures: Departures;
}
