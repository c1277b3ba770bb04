/** The counts of a snapshot, each under the key of what it counts, so that they can be added and compared. Pure. */

import type { HistogramSnapshot, ProxySnapshot } from "../snapshot.ts";

/** Numbers that only grow while a process runs, by name. */
export type Counts = number | HistogramSnapshot | { readonly [name: string]: Counts };

/** Counts by key: a kind and the labels of a series, or the names of a pool and an upstream. */
export type SnapshotCounts = ReadonlyMap<string, Counts>;

/** The kinds of series whose labels are in their keys. */
export type SeriesKind = "requests" | "grpcCalls" | "durations";

export const keys = {
  reloads: (): string => JSON.stringify(["reloads"]),
  pool: (pool: string): string => JSON.stringify(["pool", pool]),
  discovery: (pool: string): string => JSON.stringify(["discovery", pool]),
  upstream: (pool: string, id: string): string => JSON.stringify(["upstream", pool, id]),
} as const;

export function countsOf(snapshot: ProxySnapshot): Map<string, Counts> {
  const { pools, requests, grpcCalls, durations, reloads } = snapshot;
  const counts = new Map<string, Counts>();
  for (const { name, retries, retryBudgetExhausted, bytesIn, bytesOut, discovery, upstreams } of pools) {
    counts.set(keys.pool(name), { retries, retryBudgetExhausted, bytesIn, bytesOut });
    if (discovery !== null) counts.set(keys.discovery(name), { lookups: discovery.lookups });
    for (const { id, ejections, outcomes, probes, latency } of upstreams) {
      counts.set(keys.upstream(name, id), { ejections, outcomes, probes, latency });
    }
  }
  for (const { count, ...labels } of requests) counts.set(keyOf("requests", labels), { count });
  for (const { count, ...labels } of grpcCalls) counts.set(keyOf("grpcCalls", labels), { count });
  for (const { histogram, ...labels } of durations) counts.set(keyOf("durations", labels), { histogram });
  counts.set(keys.reloads(), { succeeded: reloads.succeeded, failed: reloads.failed });
  return counts;
}

/** Returns the series of one kind, with their labels. */
export function seriesOf<Series>(kind: SeriesKind, all: SnapshotCounts): Series[] {
  const series: Series[] = [];
  for (const [key, counts] of all) {
    if (!key.startsWith(`["${kind}"`)) continue;
    const [, labels] = JSON.parse(key) as [string, [string, unknown][]];
    series.push({ ...Object.fromEntries(labels), ...(counts as object) } as Series);
  }
  return series;
}

export function addAll(all: Iterable<SnapshotCounts>): Map<string, Counts> {
  const total = new Map<string, Counts>();
  for (const counts of all) addTo(total, counts);
  return total;
}

export function addTo(total: Map<string, Counts>, counts: Iterable<readonly [string, Counts]>): void {
  for (const [key, more] of counts) {
    const known = total.get(key);
    total.set(key, known === undefined ? more : add(known, more));
  }
}

/** Whether `later` continues `earlier`. If any count is lower, the counts have begun anew. */
export function continues(later: Counts | undefined, earlier: Counts): boolean {
  if (typeof earlier === "number") return typeof later === "number" && later >= earlier;
  if (typeof later !== "object") return false;
  if (isHistogram(earlier)) return isHistogram(later) && later.count >= earlier.count;
  return Object.entries(earlier).every(([name, counts]) => continues((later as Record<string, Counts>)[name], counts));
}

/** Sorted, since the process that this one has replaced may be of a version that lists the labels in another order. */
function keyOf(kind: SeriesKind, labels: object): string {
  return JSON.stringify([kind, Object.entries(labels).sort()]);
}

function add(a: Counts, b: Counts): Counts {
  if (typeof a === "number" || typeof b === "number") return Number(a) + Number(b);
  if (isHistogram(a) || isHistogram(b)) return addHistograms(a as HistogramSnapshot, b as HistogramSnapshot);
  const total: Record<string, Counts> = { ...a };
  for (const [name, counts] of Object.entries(b)) {
    const known = total[name];
    total[name] = known === undefined ? counts : add(known, counts);
  }
  return total;
}

/** The bounds are those of `a`. The process that this one has replaced may be of a version with others. */
function addHistograms(a: HistogramSnapshot, b: HistogramSnapshot): HistogramSnapshot {
  const { bounds } = a;
  const counts = bounds.map((bound, index) => (a.counts[index] ?? 0) + countUpTo(b, bound));
  return { bounds, counts, count: a.count + b.count, sum: a.sum + b.sum };
}

/** The durations that are known to be at most `limit`: those up to the largest bound that is no higher. */
function countUpTo({ bounds, counts }: HistogramSnapshot, limit: number): number {
  return counts[bounds.findLastIndex((bound) => bound <= limit)] ?? 0;
}

function isHistogram(counts: Counts): counts is HistogramSnapshot {
  return typeof counts === "object" && "bounds" in counts;
}
