/** What a simulation finds: plain frozen data. Times are milliseconds from the start, durations milliseconds. */

import type { PoolEvents } from "../../events.ts";

export interface SimulationReport {
  readonly seed: number;
  /** Until the last request was over. */
  readonly durationMs: number;
  readonly requests: number;
  /** Requests that never got as far as a pool, by code. */
  readonly refused: Readonly<Record<string, number>>;
  readonly pools: readonly PoolReport[];
  /** What happened to upstreams, in order: at most the first 10,000. */
  readonly events: readonly SimulationEvent[];
  readonly eventsLeftOut: number;
}

export interface PoolReport {
  readonly name: string;
  readonly policy: string;
  readonly requests: number;
  /** How they ended: a status, or an error code. */
  readonly outcomes: Readonly<Record<string, number>>;
  /** Answered with 500 or above, by an upstream or by the proxy. */
  readonly failed: number;
  /** From arrival to answer, waiting and retries included, of those that were answered below 500. */
  readonly latency: Distribution;
  readonly queue: {
    readonly waited: number;
    readonly wait: Distribution;
    readonly deepest: number;
    /** Turned away because the queue was full. */
    readonly overflowed: number;
    /** Turned away because they had waited for too long. */
    readonly timedOut: number;
  };
  /** By what they were made for: a code or a status. */
  readonly retries: Readonly<Record<string, number>>;
  readonly retryBudgetExhausted: number;
  readonly upstreams: readonly UpstreamReport[];
  /** For plotting: the pool from `at` until the next slot's. */
  readonly timeline: readonly TimelineSlot[];
}

export interface UpstreamReport {
  readonly id: string;
  /** At the end. */
  readonly weight: number;
  /** Requests sent to it, retries included. */
  readonly requests: number;
  /** Of all that were sent in its pool, 0 to 1. */
  readonly share: number;
  /** What its effective weight was worth, beside those of whoever else could be picked each time. */
  readonly due: number;
  readonly outcomes: Readonly<Record<string, number>>;
  /** Time to response headers. */
  readonly latency: Distribution;
  readonly mostInFlight: number;
  readonly ejections: number;
  /** How many verdicts of probes have changed. */
  readonly healthChanges: number;
}

/** Null where there was nothing. */
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
  /** Empty for what concerns no upstream. */
  readonly pool: string;
  readonly upstream: string;
  /** `script` is a step of the script, the others are what has come of it. A simulation looks up no names. */
  readonly event: "script" | Exclude<keyof PoolEvents, "discovery">;
  readonly text: string;
}

export interface TimelineSlot {
  readonly at: number;
  /** Over in this slot. */
  readonly requests: number;
  readonly failed: number;
  readonly retries: number;
  /** The most that waited at a time. */
  readonly queued: number;
  readonly p50: number | null;
  readonly p99: number | null;
  /** Requests sent to each upstream. */
  readonly upstreams: Readonly<Record<string, number>>;
}
