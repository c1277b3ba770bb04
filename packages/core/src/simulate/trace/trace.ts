/** What a simulation is told beside a proxy's options: who asks, how the upstreams answer, and what happens meanwhile. */

import type { Duration, UpstreamOptions } from "../../config/options.ts";
import type { UpstreamState } from "../../events.ts";

export interface Trace {
  /** Every request, or how they are to be made up. */
  readonly requests: readonly TracedRequest[] | GeneratedRequests;
  /** How upstreams answer, by their ids, or as "pool/id". Who is not named answers after 20 ms and never fails. */
  readonly upstreams?: Readonly<Record<string, UpstreamModel>>;
  /** What happens at which time. */
  readonly script?: readonly ScriptStep[];
}

export interface TracedRequest {
  /** When it comes, from the start of the simulation; a number is milliseconds. */
  readonly at: Duration | number;
  /** What a hashing policy hashes, in place of what `hashOn` takes from a request. */
  readonly key?: string;
  /** Default: "GET". */
  readonly method?: string;
  /** A path, or a URL with the host to route by. Default: "/". */
  readonly url?: string;
  /** The client's address. Default: "127.0.0.1". */
  readonly client?: string;
}

/** Requests that come independently of each other: a Poisson process. */
export interface GeneratedRequests {
  /** Requests a second, on average. */
  readonly rate: number;
  readonly duration: Duration;
  /** How many different keys they have, each as often as the others. Default: 1,000. */
  readonly keys?: number;
  /** Default: "GET". */
  readonly method?: string;
  /** Default: "/". */
  readonly url?: string;
}

/** Always the same; evenly spread; or lognormal, which is how latencies are mostly spread, by two of its quantiles. */
export type LatencyModel =
  | Duration
  | { readonly from: Duration; readonly to: Duration }
  | { readonly p50: Duration; readonly p99: Duration };

/**
 * Shares of requests that fail, 0 to 1, by how: `refuse` (the connection), `reset` (in place of an answer), `hang` (no answer
 * at all), or a status such as "503".
 */
export type FailureShares = Readonly<Partial<Record<"refuse" | "reset" | "hang" | `${number}`, number>>>;

export interface UpstreamModel {
  /** From the request to the response headers, on an upstream that has nothing else to do. Default: "20ms". */
  readonly latency?: LatencyModel;
  /** Default: none. */
  readonly failures?: FailureShares;
  /** Requests that it works on at a time; more wait within it, and are slower for that. Default: no limit. */
  readonly concurrency?: number;
}

/** Something that happens. One step may change several things of one upstream. */
export interface ScriptStep {
  readonly at: Duration;
  /** An id, or "pool/id". Not needed to change the rate. */
  readonly upstream?: string;
  /** Requests a second from now on, when requests are made up. */
  readonly rate?: number;
  /** Multiplies its latency from now on; 1 is as it was. */
  readonly slower?: number;
  /** It dies, with all that it has in flight, or comes back. */
  readonly down?: boolean;
  /** Its failures from now on. */
  readonly failures?: FailureShares;
  /** As an operator would set it. */
  readonly weight?: number;
  /** As an operator would set it. */
  readonly state?: UpstreamState;
  /** It joins: `upstream` is the "pool/id" that it gets. */
  readonly join?: Omit<UpstreamOptions, "id">;
  /** It leaves the pool, and finishes what it has. */
  readonly leave?: true;
}

export interface SimulateSettings {
  /** A whole number. The same seed gives the same report. Default: 1. */
  readonly seed?: number;
  /** Told now and then which share of the time has passed, 0 to 1. */
  readonly onProgress?: (share: number) => void;
}
