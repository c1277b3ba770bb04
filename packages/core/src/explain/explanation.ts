/** What `proxy.explain()` returns: plain frozen data, taken at one moment. */

import type { HashKey } from "../config/options.ts";
import type { ErrorCode } from "../errors.ts";
import type { OutageSnapshot } from "../snapshot.ts";

/** A request to ask about. Nothing of it is sent anywhere. */
export interface ExplainRequest {
  /** Default: "GET". */
  readonly method?: string;
  /** A path, or a whole URL: its host is then the request's Host, unless the headers have one. */
  readonly url: string;
  /** By name, several values in an array. Without a Host that of the URL is taken, or else "localhost". */
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
  /** The address that the request comes from. Default: "127.0.0.1". */
  readonly client?: string;
  /** It comes over TLS. Default: when the URL begins with "https:". */
  readonly secure?: boolean;
}

/** What would become of a request that came in now. An app's own `onRequest` hook is not asked, and may decide otherwise. */
export interface Explanation {
  /** Milliseconds since 1970. */
  readonly time: number;
  /** The request as it was understood. */
  readonly request: {
    readonly method: string;
    readonly host: string;
    readonly url: string;
    /** The client's address, as far as it can be believed. */
    readonly client: string;
  };
  /** Why the proxy would answer itself; null when it would forward the request. `OPTIONS *` alone has no code. */
  readonly refusal: { readonly code: ErrorCode | null; readonly status: number; readonly reason: string } | null;
  /** Every route, in order; empty when the request is not even routed. */
  readonly routes: readonly RouteExplanation[];
  /** The place of the route that is taken among them; null when none is. */
  readonly route: number | null;
  readonly pool: PoolExplanation | null;
}

export interface RouteExplanation {
  readonly name: string;
  readonly pool: string;
  /** All of the three below match. The first route that does is taken. */
  readonly matches: boolean;
  readonly host: Match;
  readonly path: Match;
  readonly method: Match;
}

export interface Match {
  readonly matches: boolean;
  readonly because: string;
}

export interface PoolExplanation {
  readonly name: string;
  readonly policy: string;
  /** What is hashed, and what of it this request has; null for a policy that has no use for a key. */
  readonly hash: { readonly on: HashKey; readonly key: string | null } | null;
  /** What would happen at once: an upstream is picked, the request waits in the queue, or it is refused. */
  readonly next: "pick" | "wait" | "refuse";
  readonly because: string;
  /** Nothing is available, and requests go to whatever is not draining or disabled. */
  readonly panic: boolean;
  readonly queue: { readonly depth: number; readonly max: number };
  /** Connections have failed, and none has succeeded since; null otherwise. */
  readonly outage: OutageSnapshot | null;
  /** Whom the request's cookie binds its client to; null for a pool without sticky sessions. */
  readonly sticky: StickyExplanation | null;
  readonly upstreams: readonly UpstreamExplanation[];
}

export interface StickyExplanation {
  /** The cookie's name. */
  readonly cookie: string;
  /** The id of the client's own upstream; null when the request has no cookie, or none that holds. */
  readonly upstream: string | null;
  /** Whether that can be had now, later or not at all; null without a cookie. */
  readonly standing: "ready" | "later" | "gone" | null;
  /**
   * `kept` by its own upstream; it `waits` for it; another serves it, as a `temporary` for this once, or `rebound` to that one;
   * it is `refused`; or it was `unbound`, and is balanced.
   */
  readonly outcome: "unbound" | "kept" | "waits" | "temporary" | "rebound" | "refused";
  readonly because: string;
}

export interface UpstreamExplanation {
  readonly id: string;
  readonly url: string;
  /** The path, with its query, and the Host that it would get. */
  readonly path: string;
  readonly host: string;
  /** The policy may pick it. */
  readonly candidate: boolean;
  /** Of being picked next, 0 to 1; 1 for a bound client's own upstream, which no policy is asked about. */
  readonly chance: number;
  /** Why the chance is what it is: the policy's own reason, what keeps it from being a candidate, or the client's being bound. */
  readonly because: string;
  readonly weight: number;
  readonly effectiveWeight: number;
  readonly reasons: readonly Reason[];
}

/** Something that speaks for an upstream, against it, or changes its share. */
export interface Reason {
  readonly code: ReasonCode;
  readonly speaks: "for" | "against" | "share";
  /** In words, with the figures. */
  readonly text: string;
}

/** Stable. */
export type ReasonCode =
  | "active"
  | "draining"
  | "disabled"
  | "healthy"
  | "unhealthy"
  | "unchecked"
  | "held"
  | "ejected"
  | "on-trial"
  | "has-room"
  | "full"
  | "weight-zero"
  | "backup"
  | "panic"
  | "slow-start"
  | "feedback"
  | "announced";
