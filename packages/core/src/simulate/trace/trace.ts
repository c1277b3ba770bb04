/** The input of a simulation besides the options: requests, models of upstreams, and a script of changes. */

import type { Duration, UpstreamOptions } from "../../config/options.ts";
import type { UpstreamState } from "../../events.ts";

export interface Trace {
  /** A list of requests, or the parameters to generate them. */
  readonly requests: readonly TracedRequest[] | GeneratedRequests;
  /** Models by id or "pool/id". An upstream without a model responds after 20 ms and never fails. */
  readonly upstreams?: Readonly<Record<string, UpstreamModel>>;
  /** Changes over time. */
  readonly script?: readonly ScriptStep[];
}

export interface TracedRequest {
  /** The time of arrival, from the start of the simulation; a number is milliseconds. */
  readonly at: Duration | number;
  /** The key for a hashing policy. Default: what `hashOn` reads from the request. */
  readonly key?: string;
  /** Default: "GET". */
  readonly method?: string;
  /** A path, or a URL whose host is used for routing. Default: "/". */
  readonly url?: string;
  /** The client's address. Default: "127.0.0.1". */
  readonly client?: string;
}

/** Independent requests: a Poisson process. */
export interface GeneratedRequests {
  /** Average requests per second. */
  readonly rate: number;
  readonly duration: Duration;
  /** The number of different keys, all equally frequent. Default: 1,000. */
  readonly keys?: number;
  /** Default: "GET". */
  readonly method?: string;
  /** Default: "/". */
  readonly url?: string;
}

/** Fixed, uniform, or lognormal, like most real latencies, given by two quantiles. */
export type LatencyModel =
  | Duration
  | { readonly from: Duration; readonly to: Duration }
  | { readonly p50: Duration; readonly p99: Duration };

/**
 * Shares of requests that fail, 0 to 1, by kind: `refuse` (the connection), `reset` (instead of a response), `hang` (no
 * response), or a status such as "503".
 */
export type FailureShares = Readonly<Partial<Record<"refuse" | "reset" | "hang" | `${number}`, number>>>;

export interface UpstreamModel {
  /** Time from the request to the response headers on an idle upstream. Default: "20ms". */
  readonly latency?: LatencyModel;
  /** Default: none. */
  readonly failures?: FailureShares;
  /** Requests that it handles at a time; further ones wait in the upstream. Default: no limit. */
  readonly concurrency?: number;
}

/** A change at a time. One step may change several properties of one upstream. */
export interface ScriptStep {
  readonly at: Duration;
  /** An id or "pool/id". Not needed to change the rate. */
  readonly upstream?: string;
  /** Requests per second from now on, for generated requests. */
  readonly rate?: number;
  /** The factor of its latency from now on; 1 is the latency of its model. */
  readonly slower?: number;
  /** True: it goes down and resets everything in flight. False: it is up again. */
  readonly down?: boolean;
  /** Replaces its failures from now on. */
  readonly failures?: FailureShares;
  /** As set by an operator. */
  readonly weight?: number;
  /** As set by an operator. */
  readonly state?: UpstreamState;
  /** It joins the pool, with `upstream` as its "pool/id". */
  readonly join?: Omit<UpstreamOptions, "id">;
  /** It leaves the pool, and finishes its requests in flight. */
  readonly leave?: true;
}

export interface SimulateSettings {
  /** A whole number. The same seed yields the same report. Default: 1. */
  readonly seed?: number;
  /** The number of proxies in front of the same upstreams, each with its own state, as a `workers` option. Default: 1. */
  readonly workers?: number;
  /** Called occasionally with the progress, 0 to 1. */
  readonly onProgress?: (share: number) => void;
}
