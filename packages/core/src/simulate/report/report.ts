/** The result of a simulation: plain frozen data. Times are milliseconds from the start, durations milliseconds. */

import type { PoolEvents } from "../../events.ts";

export interface SimulationReport {
  readonly seed: number;
  /** Until the end of the last request. */
  readonly durationMs: number;
  readonly requests: number;
  /** Requests refused before they reached a pool, by error code. */
  readonly refused: Readonly<Record<string, number>>;
  readonly pools: readonly PoolReport[];
  /** The events of upstreams, in order: at most the first 10,000. */
  readonly events: readonly SimulationEvent[];
  readonly eventsLeftOut: number;
}

export interface PoolReport {
  readonly name: string;
  readonly policy: string;
  readonly requests: number;
  /** Number of requests by status or error code. */
  readonly outcomes: Readonly<Record<string, number>>;
  /** Requests with a status of 500 or above, from an upstream or from the proxy. */
  readonly failed: number;
  /** From arrival to response, including waits and retries, of requests with a status below 500. */
  readonly latency: Distribution;
  readonly queue: {
    readonly waited: number;
    readonly wait: Distribution;
    readonly deepest: number;
    /** Refused because the queue was full. */
    readonly overflowed: number;
    /** Refused because they had waited too long. */
    readonly timedOut: number;
  };
  /** Number of retries by their reason, an error code or a status. */
  readonly retries: Readonly<Record<string, number>>;
  readonly retryBudgetExhausted: number;
  readonly upstreams: readonly UpstreamReport[];
  /** For plotting: each slot covers the time from `at` to the next slot. */
  readonly timeline: readonly TimelineSlot[];
}

export interface UpstreamReport {
  readonly id: string;
  /** At the end of the simulation. */
  readonly weight: number;
  /** Requests sent to it, retries included. */
  readonly requests: number;
  /** Share of all requests sent in its pool, 0 to 1. */
  readonly share: number;
  /** The share that its effective weight was worth among the candidates of each pick, 0 to 1. */
  readonly due: number;
  readonly outcomes: Readonly<Record<string, number>>;
  /** Time to response headers. */
  readonly latency: Distribution;
  readonly mostInFlight: number;
  readonly ejections: number;
  /** Number of changes of its health. */
  readonly healthChanges: number;
}

/** Null when `count` is 0. */
export interface Distribution {
  readonly count: number;
  readonly mean: number | null;
  readonly p50: number | null;
  readonly p90: number | null;
  readonly p99: number | null;
  readonly max: number | null;
}

export interface SimulationEvent {
  readonly at: number;
  /** Empty for events that concern no upstream. */
  readonly pool: string;
  readonly upstream: string;
  /** The number of the proxy, from 1, whose pool has it; only with several proxies, and not for steps of the script. */
  readonly worker?: number;
  /** `script` is a step of the script; the others are events of the pools. There are no DNS lookups. */
  readonly event: "script" | Exclude<keyof PoolEvents, "discovery">;
  readonly text: string;
}

export interface TimelineSlot {
  readonly at: number;
  /** Requests that ended in this slot. */
  readonly requests: number;
  readonly failed: number;
  readonly retries: number;
  /** Maximum number of waiting requests. */
  readonly queued: number;
  readonly p50: number | null;
  readonly p99: number | null;
  /** Requests sent to each upstream. */
  readonly upstreams: Readonly<Record<string, number>>;
}
