import type { TrustedProxies } from "./client-address.ts";
import type { Destination, Route } from "./route-match.ts";

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
