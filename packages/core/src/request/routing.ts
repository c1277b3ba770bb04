import type { TrustedProxies } from "./client-address.ts";
import type { Destination, Route } from "./route-match.ts";

/** The options in force, as requests need them. Frozen: a reload replaces the object, and a request keeps the one it began with. */
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
  /** A route or an upstream has a path: a `..` segment in a request could leave it. */
  readonly pathsMatter: boolean;
}
