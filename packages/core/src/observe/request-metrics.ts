import { type ErrorCode, errorKind } from "../errors.ts";
import type { RequestCountLabels } from "../forward/reporter.ts";
import { grpcStatusNames } from "../grpc/status.ts";
import { Histogram } from "../pool/statistics/histogram.ts";
import type { GrpcCallCount, ProxySnapshot, RequestCount, RequestDurations, RequestErrorCount } from "../snapshot.ts";

/** Methods with a label of their own. The label of any other method is `other`, which bounds the number of series. */
const methods: ReadonlySet<string> = new Set(["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "QUERY"]);

interface Series {
  readonly route: string;
  readonly pool: string;
  readonly histogram: Histogram;
  /** By method, then by status. */
  readonly counts: Map<string, Map<number, number>>;
  /** Of gRPC calls, by status. */
  readonly grpcCounts: Map<number, number>;
  /** By error code, then by status. */
  readonly errorCounts: Map<ErrorCode, Map<number, number>>;
}

/** Counts finished requests. The number of series is bounded by the options. */
export class RequestMetrics {
  /** By route, then by pool. */
  readonly #series = new Map<string, Map<string, Series>>();
  #latencyBounds: readonly number[];

  /** The bounds of the buckets in seconds. */
  constructor(latencyBounds: readonly number[]) {
    this.#latencyBounds = latencyBounds;
  }

  /** Those of a reload. */
  setLatencyBounds(bounds: readonly number[]): void {
    this.#latencyBounds = bounds;
    for (const { histogram } of this.#all()) histogram.setBounds(bounds);
  }

  count(labels: RequestCountLabels, durationMs: number): void {
    const { route = "", pool = "", status } = labels;
    const method = methods.has(labels.method) ? labels.method : "other";
    const series = this.#seriesOf(route, pool);
    // How long a tunnel is open says nothing about how fast responses are.
    if (labels.tunnel !== true) series.histogram.record(durationMs);
    countStatus(series.counts, method, status);
    const { grpcStatus, error } = labels;
    if (grpcStatus !== undefined) series.grpcCounts.set(grpcStatus, (series.grpcCounts.get(grpcStatus) ?? 0) + 1);
    if (error !== undefined) countStatus(series.errorCounts, error, status);
  }

  snapshot(): Pick<ProxySnapshot, "requests" | "grpcCalls" | "errors" | "durations"> {
    return {
      requests: this.requests(),
      grpcCalls: this.grpcCalls(),
      errors: this.errors(),
      durations: this.durations(),
    };
  }

  requests(): readonly RequestCount[] {
    const requests = this.#all().flatMap(({ route, pool, counts }) =>
      [...counts].flatMap(([method, byStatus]) =>
        [...byStatus].map(([code, count]) => Object.freeze({ route, pool, method, code, count })),
      ),
    );
    return Object.freeze(requests);
  }

  grpcCalls(): readonly GrpcCallCount[] {
    const calls = this.#all().flatMap(({ route, pool, grpcCounts }) =>
      [...grpcCounts].map(([code, count]) =>
        Object.freeze({ route, pool, status: grpcStatusNames[code] ?? "UNKNOWN", count }),
      ),
    );
    return Object.freeze(calls);
  }

  errors(): readonly RequestErrorCount[] {
    const errors = this.#all().flatMap(({ route, pool, errorCounts }) =>
      [...errorCounts].flatMap(([error, byStatus]) =>
        [...byStatus].map(([code, count]) =>
          Object.freeze({ route, pool, code, error, source: errorKind(error).source, count }),
        ),
      ),
    );
    return Object.freeze(errors);
  }

  durations(): readonly RequestDurations[] {
    const durations = this.#all().map(({ route, pool, histogram }) =>
      Object.freeze({ route, pool, histogram: histogram.snapshot() }),
    );
    return Object.freeze(durations);
  }

  #all(): Series[] {
    return [...this.#series.values()].flatMap((byPool) => [...byPool.values()]);
  }

  #seriesOf(route: string, pool: string): Series {
    const byPool = this.#series.get(route) ?? new Map<string, Series>();
    this.#series.set(route, byPool);
    const known = byPool.get(pool);
    if (known !== undefined) return known;
    const series = {
      route,
      pool,
      histogram: new Histogram(this.#latencyBounds),
      counts: new Map(),
      grpcCounts: new Map(),
      errorCounts: new Map(),
    };
    byPool.set(pool, series);
    return series;
  }
}

function countStatus<Key>(counts: Map<Key, Map<number, number>>, key: Key, status: number): void {
  const byStatus = counts.get(key) ?? new Map<number, number>();
  counts.set(key, byStatus);
  byStatus.set(status, (byStatus.get(status) ?? 0) + 1);
}
