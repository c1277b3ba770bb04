import { quantilesOf } from "../pool/statistics/histogram.ts";
import { freezeDeep } from "../runtime/freeze-deep.ts";
import type { HistogramSnapshot, OutageSnapshot, PoolSnapshot, ProxySnapshot, UpstreamSnapshot } from "../snapshot.ts";
import { mergeConditions, mergeProbes, mergeServingSince } from "./merge-conditions.ts";
import {
  addSeries,
  type Counts,
  countsOfPool,
  countsOfReloads,
  countsOfUpstream,
  keys,
  type SnapshotCounts,
  sumOf,
  toSeries,
} from "./snapshot-counts.ts";

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
  const kept: Kept = (key) => retired.map(({ members }) => members.get(key)).filter((counts) => counts !== undefined);
  const serving = workers.filter(({ draining }) => !draining);
  const inAll = all.map(poolFinder);
  const inDeciding = (serving.length === 0 ? [base] : serving).map(poolFinder);
  const ejects = serving.length > 0;
  const reloads = sumOf([...[base, ...leaving].map(countsOfReloads), ...kept(keys.reloads())]);
  return freezeDeep({
    ...base,
    pools: base.pools.map((pool) => {
      const of = (finders: typeof inAll) => finders.flatMap((find) => find(pool.name) ?? []);
      return mergePool(pool, { all: of(inAll), deciding: of(inDeciding), kept, ejects });
    }),
    ...toSeries(
      addSeries(
        all,
        retired.map(({ series }) => series),
      ),
    ),
    reloads: { ...base.reloads, ...reloads },
  });
}

/** The counts of what is gone, by the key of what they count. */
type Kept = (key: string) => readonly Counts[];

interface Parts<Snapshot> {
  /** Of all processes, those that drain included. */
  readonly all: readonly Snapshot[];
  /** Of the processes that pick upstreams. Empty if none of them has the pool or the upstream yet. */
  readonly deciding: readonly Snapshot[];
  readonly kept: Kept;
  /** The deciding processes are workers. */
  readonly ejects: boolean;
}

function mergePool(base: PoolSnapshot, { all, deciding, kept, ejects }: Parts<PoolSnapshot>): PoolSnapshot {
  const { name, discovery } = base;
  const [inAll, inDeciding] = [all.map(upstreamFinder), deciding.map(upstreamFinder)];
  const upstreams = base.upstreams.map((upstream, index) => {
    const of = (finders: typeof inAll) => finders.flatMap((find) => find(upstream.id, index) ?? []);
    return mergeUpstream(upstream, name, { all: of(inAll), deciding: of(inDeciding), kept, ejects });
  });
  const serving = deciding.some((pool) => pool.serving);
  const lookups = all.flatMap((pool) => (pool.discovery === null ? [] : { lookups: pool.discovery.lookups }));
  return {
    ...base,
    ...sumOf([...all.map(countsOfPool), ...kept(keys.pool(name))]),
    available: upstreams.filter(({ available, weight }) => available && weight > 0).length,
    panic: deciding.some(({ panic }) => panic),
    serving,
    since: mergeServingSince(base, deciding, serving),
    inFlight: total(all, ({ inFlight }) => inFlight),
    tunnels: total(all, ({ tunnels }) => tunnels),
    queueDepth: total(all, ({ queueDepth }) => queueDepth),
    outage: mergeOutages(all.flatMap(({ outage }) => outage ?? [])),
    discovery: discovery && { ...discovery, ...sumOf([...lookups, ...kept(keys.discovery(name))]) },
    upstreams,
  };
}

function mergeUpstream(
  base: UpstreamSnapshot,
  pool: string,
  { all, deciding, kept, ejects }: Parts<UpstreamSnapshot>,
): UpstreamSnapshot {
  const counts = sumOf([...all.map(countsOfUpstream), ...kept(keys.upstream(pool, base.id))]);
  const ejections = deciding.flatMap(({ ejectedUntil }) => ejectedUntil ?? []);
  const failures = all.flatMap(({ lastFailure }) => lastFailure ?? []);
  const mean = (value: (upstream: UpstreamSnapshot) => number) =>
    deciding.length === 0 ? value(base) : total(deciding, value) / deciding.length;
  return {
    ...base,
    ...counts,
    condition: mergeConditions(base, deciding),
    available: deciding.some(({ available }) => available),
    effectiveWeight: mean(({ effectiveWeight }) => effectiveWeight),
    slowStart: mean(({ slowStart }) => slowStart),
    feedback: mean(({ feedback }) => feedback),
    announced: mean(({ announced }) => announced),
    ejectedUntil: ejections.length === 0 ? null : Math.max(...ejections),
    ...(ejects && { ejectedIn: ejections.length }),
    onTrial: deciding.some(({ onTrial }) => onTrial),
    inFlight: total(all, ({ inFlight }) => inFlight),
    tunnels: total(all, ({ tunnels }) => tunnels),
    lastProbe: mergeProbes([base, ...deciding]),
    quantiles: quantilesOf(counts["latency"] as HistogramSnapshot),
    lastFailure: failures.reduce((last, one) => (last === null || one.at > last.at ? one : last), base.lastFailure),
  };
}

/** The longest of the outages. A request that can connect to no upstream waits if one of the processes has it wait. */
function mergeOutages(outages: readonly OutageSnapshot[]): OutageSnapshot | null {
  if (outages.length === 0) return null;
  const untils = outages.flatMap(({ until }) => until ?? []);
  return {
    since: Math.min(...outages.map(({ since }) => since)),
    waiting: total(outages, ({ waiting }) => waiting),
    until: untils.length === 0 ? null : Math.max(...untils),
  };
}

function poolFinder({ pools }: ProxySnapshot): (name: string) => PoolSnapshot | undefined {
  const byName = new Map(pools.map((pool) => [pool.name, pool]));
  return (name) => byName.get(name);
}

/** Processes with the same configuration have their upstreams in one order, unless these come from DNS. */
function upstreamFinder({ upstreams }: PoolSnapshot): (id: string, index: number) => UpstreamSnapshot | undefined {
  let byId: ReadonlyMap<string, UpstreamSnapshot> | undefined;
  return (id, index) => {
    if (upstreams[index]?.id === id) return upstreams[index];
    byId ??= new Map(upstreams.map((upstream) => [upstream.id, upstream]));
    return byId.get(id);
  };
}

function total<T>(all: readonly T[], value: (one: T) => number): number {
  return all.reduce((sum, one) => sum + value(one), 0);
}
