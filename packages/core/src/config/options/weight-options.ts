import type { Duration } from "../options.ts";

/** Slow start: an upstream that is readmitted or joins the pool gets its share of requests gradually. */
export interface SlowStartOptions {
  /** The time until the upstream gets its full share. Default: "30s". */
  readonly window?: Duration;
  /** The share at the start, in percent of the full share. Default: 10. */
  readonly minWeightPercent?: number;
}

/** Dynamic weights: the effective weights follow the performance or the load of the upstreams. */
export interface DynamicWeightOptions {
  /**
   * "feedback" lowers the weight of an upstream with more failures or a higher latency than its pool, and applies announced
   * loads. "announced" only applies announced loads. Default: "feedback".
   */
  readonly mode?: "feedback" | "announced";
  /** The time between two ratings. Default: "10s". */
  readonly interval?: Duration;
  /** The response header in which an upstream announces its load, 0 to 1. Clients do not receive it. Default: "x-evenkeel-load". */
  readonly header?: string;
}
