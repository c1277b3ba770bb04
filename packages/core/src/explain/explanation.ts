/** The result of `proxy.explain()`: plain frozen data. */

import type { HashKey } from "../config/options.ts";
import type { ErrorCode } from "../errors.ts";
import type { OutageSnapshot } from "../snapshot.ts";

/** The description of a request to explain. It is not sent. */
export interface ExplainRequest {
  /** Default: "GET". */
  readonly method?: string;
  /** A path, or a URL, whose host is the Host of the request unless the headers have one. */
  readonly url: string;
  /** By name; several values as an array. Default Host: that of the URL, or "localhost". */
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
  /** The address of the client's connection. Default: "127.0.0.1". */
  readonly client?: string;
  /** The client's connection uses TLS. Default: true if the URL begins with "https:". */
  readonly secure?: boolean;
}

/** What would happen to a request now. The `onRequest` hook is not called, and may decide otherwise. */
export interface Explanation {
  /** Milliseconds since 1970. */
  readonly time: number;
  /** The request as the proxy reads it. */
  readonly request: {
    readonly method: string;
    readonly host: string;
    readonly url: string;
    /** The client's address, by the rules of `trustedProxies`. */
    readonly client: string;
  };
  /** Why the proxy would respond itself; null when it would forward the request. `code` is null for `OPTIONS *` only. */
  readonly refusal: { readonly code: ErrorCode | null; readonly status: number; readonly reason: string } | null;
  /** All routes, in order; empty when the request is refused before routing. */
  readonly routes: readonly RouteExplanation[];
  /** The index of the route taken; null when none matches. */
  readonly route: number | null;
  readonly pool: PoolExplanation | null;
  /** Of a group of workers: which of them decide alike. Absent for one process. */
  readonly workers?: WorkerExplanations;
}

/** Workers have the same configuration, but each has its own requests in flight and ejections. */
export interface WorkerExplanations {
  /** The workers that decide as explained. Texts and chances are those of the first. */
  readonly agreeing: readonly number[];
  /** The explanations of the others, each once. */
  readonly others: readonly { readonly workers: readonly number[]; readonly explanation: Explanation }[];
}

export interface RouteExplanation {
  readonly name: string;
  readonly pool: string;
  /** Host, path and method match. The first matching route is taken. */
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
  /** The hash key option and the key of this request; null for a policy that uses no key. */
  readonly hash: { readonly on: HashKey; readonly key: string | null } | null;
  /** The next step: an upstream is picked, the request waits in the queue, or it is refused. */
  readonly next: "pick" | "wait" | "refuse";
  readonly because: string;
  /** No upstream is available, and requests go to any that is not draining or disabled. */
  readonly panic: boolean;
  /** `share` is this process's share of `max`. Only where several processes share it. */
  readonly queue: { readonly depth: number; readonly max: number; readonly share?: number };
  /** The outage of the pool, during which no connection succeeds; null otherwise. */
  readonly outage: OutageSnapshot | null;
  /** The session affinity of the request; null for a pool without sticky sessions. */
  readonly sticky: StickyExplanation | null;
  readonly upstreams: readonly UpstreamExplanation[];
}

export interface StickyExplanation {
  /** The name of the cookie. */
  readonly cookie: string;
  /** The id of the bound upstream; null when the request has no valid cookie. */
  readonly upstream: string | null;
  /** Whether the bound upstream can serve the request now, later or not at all; null without a cookie. */
  readonly standing: "ready" | "later" | "gone" | null;
  /**
   * `unbound`: the policy picks, and the upstream that responds binds the client. `kept`: the bound upstream serves the
   * request. `waits`: the request waits for it. `temporary`: another upstream serves the request, and the client stays bound.
   * `rebound`: another upstream serves the client, and binds it. `refused`: the client gets an error.
   */
  readonly outcome: "unbound" | "kept" | "waits" | "temporary" | "rebound" | "refused";
  readonly because: string;
}

export interface UpstreamExplanation {
  readonly id: string;
  readonly url: string;
  /** The path with its query, and the Host, that the upstream would get. */
  readonly path: string;
  readonly host: string;
  /** The policy may pick it. */
  readonly candidate: boolean;
  /** The probability of the next pick, 0 to 1; 1 for the bound upstream of a client. */
  readonly chance: number;
  /** The reason for `chance`: that of the policy, why it is no candidate, or the binding of the client. */
  readonly because: string;
  readonly weight: number;
  readonly effectiveWeight: number;
  readonly reasons: readonly Reason[];
}

/** A reason for or against picking an upstream, or a factor of its share. */
export interface Reason {
  readonly code: ReasonCode;
  readonly speaks: "for" | "against" | "share";
  /** A sentence with the numbers. */
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
