/** The counts of a snapshot that the history follows. */

import {
  type HistogramSnapshot,
  isUpstreamFailure,
  type Outcome,
  type PoolSnapshot,
  type ProxySnapshot,
  type UpstreamSnapshot,
} from "evenkeel";

/** Cumulative counts, and what there is at that moment. */
export interface Counts {
  /** Requests of clients, or attempts of an upstream. */
  readonly requests: number;
  readonly errors: number;
  readonly retries: number;
  readonly budgetExhausted: number;
  /** Upper bounds in seconds, ascending. */
  readonly bounds: readonly number[];
  /** For each bound the number of durations up to it, and last the number of all. */
  readonly buckets: readonly number[];
  readonly inFlight: number;
  readonly queueDepth: number;
}

/** Of clients' requests: all of them, and those of each pool. A request without a pool counts for all only. */
export interface RequestTotals {
  readonly all: Counts;
  readonly pools: ReadonlyMap<string, Counts>;
}

/**
 * An attempt fails by a fault of the upstream or by a response with a status of 500 or above; one that does both counts twice, and
 * is bounded by the number of attempts. A connection that the upstream had closed before (`stale`) is no attempt.
 */
export function countsOfUpstream({ outcomes, serverErrors, latency, inFlight }: UpstreamSnapshot): Counts {
  const counts = new Totals();
  counts.errors = serverErrors;
  for (const [outcome, count] of Object.entries(outcomes)) {
    if (outcome === "stale") continue;
    counts.requests += count;
    if (isUpstreamFailure(outcome as Outcome)) counts.errors += count;
  }
  counts.inFlight = inFlight;
  counts.add(latency);
  return counts;
}

export function countsOfRequests({ requests, durations, pools }: ProxySnapshot): RequestTotals {
  const all = new Totals();
  const byPool = new Map<string, Totals>();
  for (const pool of pools) {
    const totals = new Totals();
    totals.observe(pool);
    all.observe(pool);
    byPool.set(pool.name, totals);
  }
  for (const { pool, code, count } of requests) {
    all.count(code, count);
    byPool.get(pool)?.count(code, count);
  }
  for (const { pool, histogram } of durations) {
    all.add(histogram);
    byPool.get(pool)?.add(histogram);
  }
  return { all, pools: byPool };
}

class Totals implements Counts {
  requests = 0;
  errors = 0;
  retries = 0;
  budgetExhausted = 0;
  bounds: readonly number[] = [];
  buckets: number[] = [];
  inFlight = 0;
  queueDepth = 0;

  count(status: number, count: number): void {
    this.requests += count;
    if (status >= 500) this.errors += count;
  }

  observe({ inFlight, queueDepth, retries, retryBudgetExhausted }: PoolSnapshot): void {
    this.inFlight += inFlight;
    this.queueDepth += queueDepth;
    for (const count of Object.values(retries)) this.retries += count;
    this.budgetExhausted += retryBudgetExhausted;
  }

  /** All histograms of one snapshot have the same bounds. One that has others does not count. */
  add({ bounds, counts, count }: HistogramSnapshot): void {
    if (this.buckets.length === 0) {
      this.bounds = bounds;
      this.buckets = [...counts, count];
    } else if (bounds.length === this.bounds.length) {
      for (const [index, cumulative] of counts.entries()) (this.buckets[index] as number) += cumulative;
      (this.buckets[counts.length] as number) += count;
    }
  }
}
