/** The counts of snapshots, in a form in which they can be added, compared and kept. */

import type { HistogramSnapshot, PoolSnapshot, ProxySnapshot, UpstreamSnapshot } from "../snapshot.ts";

/** Numbers that only grow while a process runs, by name. */
export interface Counts {
  readonly [name: string]: number | HistogramSnapshot | Counts;
}

/** The counts of processes that have ended, or of what a reload has removed. Each is under the key of what it counts. */
export interface SnapshotCounts {
  /** Of pools, of upstreams, and of reloads. */
  readonly members: Map<string, Counts>;
  /** Of requests, by their labels. */
  readonly series: Map<string, Counts>;
}

/** No name of a pool and no id has the separator. */
export const keys = {
  reloads: (): string => "reloads",
  pool: (pool: string): string => `pool\0${pool}`,
  discovery: (pool: string): string => `discovery\0${pool}`,
  upstream: (pool: string, id: string): string => `upstream\0${pool}\0${id}`,
} as const;

export function countsOf(snapshot: ProxySnapshot): SnapshotCounts {
  const members = new Map<string, Counts>();
  for (const pool of snapshot.pools) {
    members.set(keys.pool(pool.name), countsOfPool(pool));
    if (pool.discovery !== null) members.set(keys.discovery(pool.name), { lookups: pool.discovery.lookups });
    for (const upstream of pool.upstreams) {
      members.set(keys.upstream(pool.name, upstream.id), countsOfUpstream(upstream));
    }
  }
  members.set(keys.reloads(), countsOfReloads(snapshot));
  return { members, series: addSeries([snapshot], []) };
}

export function countsOfReloads({ reloads: { succeeded, failed } }: ProxySnapshot): Counts {
  return { succeeded, failed };
}

export function countsOfPool({ retries, retryBudgetExhausted, bytesIn, bytesOut }: PoolSnapshot): Counts {
  return { retries, retryBudgetExhausted, bytesIn, bytesOut } as unknown as Counts;
}

export function countsOfUpstream(upstream: UpstreamSnapshot): Counts {
  const { ejections, outcomes, probes, latency } = upstream;
  // Absent in the snapshot of a process of an earlier version that this one replaces.
  const { serverErrors = 0 } = upstream as Partial<UpstreamSnapshot>;
  return { ejections, outcomes, serverErrors, probes, latency } as unknown as Counts;
}

/** The snapshot of a process that this one replaces, which may be of an earlier version. */
type MaybeEarlier = Omit<ProxySnapshot, "errors"> & Partial<Pick<ProxySnapshot, "errors">>;

/** The sums of the series of snapshots and of series that were kept. */
export function addSeries(
  snapshots: readonly ProxySnapshot[],
  kept: readonly ReadonlyMap<string, Counts>[],
): Map<string, Counts> {
  const total = new Map<string, Record<string, Counts[string]>>();
  const add = (key: string, counts: Counts) => {
    const known = total.get(key);
    if (known === undefined) total.set(key, sumOf([counts]));
    else addInto(known, counts);
  };
  for (const { requests, grpcCalls, errors = [], durations } of snapshots as readonly MaybeEarlier[]) {
    for (const { route, pool, method, code, count } of requests) {
      add(`requests\0${route}\0${pool}\0${method}\0${code}`, { count });
    }
    for (const { route, pool, status, count } of grpcCalls) add(`grpcCalls\0${route}\0${pool}\0${status}`, { count });
    for (const { route, pool, code, error, source, count } of errors) {
      add(`errors\0${route}\0${pool}\0${error}\0${code}\0${source}`, { count });
    }
    for (const { route, pool, histogram } of durations) add(`durations\0${route}\0${pool}`, { histogram });
  }
  for (const map of kept) for (const [key, counts] of map) add(key, counts);
  return total;
}

/** Converts series to the form of a snapshot. */
export function toSeries(
  all: ReadonlyMap<string, Counts>,
): Pick<ProxySnapshot, "requests" | "grpcCalls" | "errors" | "durations"> {
  const requests: unknown[] = [];
  const grpcCalls: unknown[] = [];
  const errors: unknown[] = [];
  const durations: unknown[] = [];
  for (const [key, counts] of all) {
    const [kind, route, pool, third, code, source] = key.split("\0");
    if (kind === "requests") requests.push({ route, pool, method: third, code: Number(code), ...counts });
    else if (kind === "grpcCalls") grpcCalls.push({ route, pool, status: third, ...counts });
    else if (kind === "errors") errors.push({ route, pool, code: Number(code), error: third, source, ...counts });
    else durations.push({ route, pool, ...counts });
  }
  return { requests, grpcCalls, errors, durations } as unknown as ReturnType<typeof toSeries>;
}

export function sumOf(all: readonly Counts[]): Record<string, Counts[string]> {
  const total: Record<string, Counts[string]> = {};
  for (const counts of all) addInto(total, counts);
  return total;
}

/** Adds counts to those that are kept under the same keys. */
export function keep(kept: Map<string, Counts>, more: Iterable<readonly [string, Counts]>): void {
  for (const [key, counts] of more) {
    const known = kept.get(key);
    kept.set(key, known === undefined ? counts : sumOf([known, counts]));
  }
}

/** Whether `later` continues `earlier`. If any count is lower, the counts have begun anew. */
export function continues(later: Counts[string] | undefined, earlier: Counts[string]): boolean {
  if (later === earlier) return true;
  if (typeof earlier === "number") return typeof later === "number" && later >= earlier;
  if (typeof later !== "object") return false;
  if (isHistogram(earlier)) return isHistogram(later) && later.count >= earlier.count;
  for (const name in earlier) {
    if (!continues((later as Counts)[name], earlier[name] as Counts[string])) return false;
  }
  return true;
}

function addInto(total: Record<string, Counts[string]>, counts: Counts): void {
  for (const name in counts) {
    const more = counts[name] as Counts[string];
    const known = total[name];
    if (typeof more === "number") total[name] = ((known as number | undefined) ?? 0) + more;
    else if (isHistogram(more)) total[name] = addHistogram(known as HistogramSnapshot | undefined, more);
    else if (known === undefined) total[name] = sumOf([more]);
    else addInto(known as Record<string, Counts[string]>, more);
  }
}

/**
 * Adds to `total`, whose bounds stay. The process that this one has replaced may be of a version with other bounds. Sums are
 * added in whole microseconds: a sum of fractions depends on their order, and Prometheus takes a decrease for a reset.
 */
function addHistogram(total: HistogramSnapshot | undefined, more: HistogramSnapshot): HistogramSnapshot {
  if (total === undefined) return { ...more, counts: more.counts.slice() };
  const { bounds } = total;
  const counts = total.counts as number[];
  const known = more.bounds;
  // The durations that are known to be at most a bound are those up to the largest bound that is no higher.
  let at = -1;
  for (let index = 0; index < bounds.length; index++) {
    while (at + 1 < known.length && (known[at + 1] as number) <= (bounds[index] as number)) at++;
    if (at >= 0) (counts[index] as number) += more.counts[at] as number;
  }
  return { bounds, counts, count: total.count + more.count, sum: (toMicros(total.sum) + toMicros(more.sum)) / 1e6 };
}

function toMicros(seconds: number): number {
  return Math.round(seconds * 1e6);
}

function isHistogram(counts: Counts[string]): counts is HistogramSnapshot {
  return typeof counts === "object" && "bounds" in counts;
}
