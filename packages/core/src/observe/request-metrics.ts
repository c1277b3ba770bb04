import type { RequestCountLabels } from "../forward/engine.ts";
import { Histogram } from "../pool/histogram.ts";
import type { RequestCount, RequestDurations } from "../snapshot.ts";

/** Methods that get a label of their own; anything else a client may think up is `other`. */
const methods: ReadonlySet<string> = new Set(["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "QUERY"]);

interface Series {
  readonly route: string;
  readonly pool: string;
  readonly histogram: Histogram;
  /** By method, then by status. */
  readonly counts: Map<string, Map<number, number>>;
}

/** Counts finished requests where they happen, to be read when somebody asks. The number of series is bounded by the options. */
export class RequestMetrics {
  readonly #series = new Map<string, Series>();

  count(labels: RequestCountLabels, durationMs: number): void {
    const { route = "", pool = "", status } = labels;
    const method = methods.has(labels.method) ? labels.method : "other";
    const series = this.#seriesOf(route, pool);
    series.histogram.record(durationMs);
    const byStatus = series.counts.get(method) ?? new Map<number, number>();
    series.counts.set(method, byStatus);
    byStatus.set(status, (byStatus.get(status) ?? 0) + 1);
  }

  requests(): readonly RequestCount[] {
    const series = [...this.#series.values()];
    const requests = series.flatMap(({ route, pool, counts }) =>
      [...counts].flatMap(([method, byStatus]) =>
        [...byStatus].map(([code, count]) => Object.freeze({ route, pool, method, code, count })),
      ),
    );
    return Object.freeze(requests);
  }

  durations(): readonly RequestDurations[] {
    const durations = [...this.#series.values()].map(({ route, pool, histogram }) =>
      Object.freeze({ route, pool, histogram: histogram.snapshot() }),
    );
    return Object.freeze(durations);
  }

  #seriesOf(route: string, pool: string): Series {
    // Neither a route's name nor a pool's has a line break.
    const key = `${route}\n${pool}`;
    let series = this.#series.get(key);
    if (series === undefined) {
      series = { route, pool, histogram: new Histogram(), counts: new Map() };
      this.#series.set(key, series);
    }
    return series;
  }
}
