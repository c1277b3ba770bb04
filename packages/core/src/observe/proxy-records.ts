import type { RequestProblem } from "../forward/reporter.ts";
import type { PoolSnapshot, ProxySnapshot } from "../snapshot.ts";
import { version } from "../version.ts";
import { RecentFailures } from "./recent-failures.ts";
import { ReloadCounts } from "./reload-counts.ts";
import { RequestMetrics } from "./request-metrics.ts";

/** What a proxy has recorded since it was created, beside the records of its pools. */
export class ProxyRecords {
  readonly metrics: RequestMetrics;
  readonly reloads: ReloadCounts = new ReloadCounts();
  readonly failures: RecentFailures = new RecentFailures();
  /** Called for each problem of a request. */
  readonly problems: Set<(problem: RequestProblem) => void> = new Set();
  readonly #startedAt: number;

  /** `startedAt` and `time` are in milliseconds since 1970, the bounds of latency in seconds. */
  constructor(startedAt: number, latencyBounds: readonly number[]) {
    this.#startedAt = startedAt;
    this.metrics = new RequestMetrics(latencyBounds);
  }

  snapshot(time: number, draining: boolean, pools: readonly PoolSnapshot[]): ProxySnapshot {
    return Object.freeze({
      time,
      startedAt: this.#startedAt,
      draining,
      version,
      pools: Object.freeze(pools),
      ...this.metrics.snapshot(),
      reloads: this.reloads.snapshot(),
    });
  }
}
