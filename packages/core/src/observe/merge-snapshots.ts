import { quantilesOf } from "../pool/statistics/histogram.ts";
import { freezeDeep } from "../runtime/freeze-deep.ts";
import type { OutageSnapshot, PoolSnapshot, ProxySnapshot, UpstreamSnapshot } from "../snapshot.ts";
import { addAll, type Counts, countsOf, keys, type SnapshotCounts, seriesOf } from "./snapshot-counts.ts";

/** What counts beside the processes that serve. */
export interface Departed {
  /** Processes that end: a group that this one replaces, while it drains. They have counts and requests in flight. */
  readonly leaving?: readonly ProxySnapshot[];
  /** The counts of what is gone. */
  readonly retired?: readonly SnapshotCounts[];
}

/**
 * Merges the snapshots of a group of processes that serve the same configuration.
 *
 * `base` decides what there is: pools, upstreams, weights, states, health, discovery and reloads. What each process decides by
 * its own traffic comes from `workers`, or from `base` if there are none: an upstream is available, a pool serves or panics if
 * one of them says so, and an effective weight is the mean. Counts, histograms and what is in flight are sums. A worker that
 * drains counts, but decides nothing. Reloads of workers are those of the base once more, and do not count.
 */
export function mergeSnapshots(
  base: ProxySnapshot,
  workers: readonly ProxySnapshot[],
  { leaving = [], retired = [] }: Departed = {},
): ProxySnapshot {
  const all = [base, ...workers, ...leaving];
  const totals = addAll([...[base, ...leaving].map(countsOf), ...workers.map(countsOfWorker), ...retired]);
  const serving = workers.filter(({ draining }) => !draining);
  const pools = { all: all.map(byName), deciding: (serving.length === 0 ? [base] : serving).map(byName) };
  return freezeDeep({
    ...base,
    pools: base.pools.map((pool) => {
      const of = (maps: readonly ReadonlyMap<string, PoolSnapshot>[]) =>
        maps.flatMap((map) => map.get(pool.name) ?? []);
      return mergePool(pool, { all: of(pools.all), deciding: of(pools.deciding), totals, ejects: serving.length > 0 });
    }),
    requests: seriesOf("requests", totals),
    grpcCalls: seriesOf("grpcCalls", totals),
    durations: seriesOf("durations", totals),
    reloads: { ...base.reloads, ...(totals.get(keys.reloads()) as object) },
  });
}

/** The counts of a worker: without its reloads. */
export function countsOfWorker(snapshot: ProxySnapshot): Map<string, Counts> {
  const counts = countsOf(snapshot);
  counts.delete(keys.reloads());
  return counts;
}

interface Parts<Snapshot> {
  /** Of all processes, those that drain included. */
  readonly all: readonly Snapshot[];
  /** Of the processes that pick upstreams. Empty if none of them has the pool or the upstream yet. */
  readonly deciding: readonly Snapshot[];
  readonly totals: SnapshotCounts;
  /** The deciding processes are workers. */
  readonly ejects: boolean;
}

function mergePool(base: PoolSnapshot, { all, deciding, totals, ejects }: Parts<PoolSnapshot>): PoolSnapshot {
  const of = (pools: readonly PoolSnapshot[]) => {
    const maps = pools.map(({ upstreams }) => new Map(upstreams.map((upstream) => [upstream.id, upstream])));
    return (id: string) => maps.flatMap((map) => map.get(id) ?? []);
  };
  const [ofAll, ofDeciding] = [of(all), of(deciding)];
  const upstreams = base.upstreams.map((upstream) => {
    const { id } = upstream;
    const total = totals.get(keys.upstream(base.name, id)) as Partial<UpstreamSnapshot>;
    return mergeUpstream(upstream, { all: ofAll(id), deciding: ofDeciding(id), ejects }, total);
  });
  return {
    ...base,
    ...(totals.get(keys.pool(base.name)) as object),
    available: upstreams.filter(({ available, weight }) => available && weight > 0).length,
    panic: deciding.some(({ panic }) => panic),
    serving: deciding.some(({ serving }) => serving),
    inFlight: sum(all, ({ inFlight }) => inFlight),
    tunnels: sum(all, ({ tunnels }) => tunnels),
    queueDepth: sum(all, ({ queueDepth }) => queueDepth),
    outage: mergeOutages(all.flatMap(({ outage }) => outage ?? [])),
    discovery: base.discovery && { ...base.discovery, ...(totals.get(keys.discovery(base.name)) as object) },
    upstreams,
  };
}

function mergeUpstream(
  base: UpstreamSnapshot,
  { all, deciding, ejects }: Omit<Parts<UpstreamSnapshot>, "totals">,
  counts: Partial<UpstreamSnapshot>,
): UpstreamSnapshot {
  const ejections = deciding.flatMap(({ ejectedUntil }) => ejectedUntil ?? []);
  const failures = all.flatMap(({ lastFailure }) => lastFailure ?? []);
  const mean = (value: (upstream: UpstreamSnapshot) => number) =>
    deciding.length === 0 ? value(base) : sum(deciding, value) / deciding.length;
  return {
    ...base,
    ...counts,
    available: deciding.some(({ available }) => available),
    effectiveWeight: mean(({ effectiveWeight }) => effectiveWeight),
    slowStart: mean(({ slowStart }) => slowStart),
    feedback: mean(({ feedback }) => feedback),
    announced: mean(({ announced }) => announced),
    ejectedUntil: ejections.length === 0 ? null : Math.max(...ejections),
    ...(ejects && { ejectedIn: ejections.length }),
    onTrial: deciding.some(({ onTrial }) => onTrial),
    inFlight: sum(all, ({ inFlight }) => inFlight),
    tunnels: sum(all, ({ tunnels }) => tunnels),
    quantiles: quantilesOf(counts.latency ?? base.latency),
    lastFailure: failures.reduce((last, one) => (last === null || one.at > last.at ? one : last), base.lastFailure),
  };
}

/** The longest of the outages. A request that can connect to no upstream waits if one of the processes has it wait. */
function mergeOutages(outages: readonly OutageSnapshot[]): OutageSnapshot | null {
  if (outages.length === 0) return null;
  const untils = outages.flatMap(({ until }) => until ?? []);
  return {
    since: Math.min(...outages.map(({ since }) => since)),
    waiting: sum(outages, ({ waiting }) => waiting),
    until: untils.length === 0 ? null : Math.max(...untils),
  };
}

function byName({ pools }: ProxySnapshot): ReadonlyMap<string, PoolSnapshot> {
  return new Map(pools.map((pool) => [pool.name, pool]));
}

function sum<T>(all: readonly T[], value: (one: T) => number): number {
  return all.reduce((total, one) => total + value(one), 0);
}
