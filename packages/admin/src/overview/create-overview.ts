import type { PoolSnapshot, ProxySnapshot, UpstreamSnapshot } from "evenkeel";
import type { RecentTraffic } from "../history/history.ts";
import type { Sampler } from "../history/sampler.ts";
import type { AdminOptions, ListenerSnapshot } from "../options.ts";
import type { AdminTarget } from "../target/admin-target.ts";
import { findProblems } from "./find-problems.ts";
import type { Overview, PoolOverview, Role, UpstreamOverview } from "./overview.ts";
import { ProblemTimes } from "./problem-times.ts";

/** Creates the function that describes a target to a client: its state now, and its traffic of the last seconds. */
export function createOverview(
  target: AdminTarget,
  snapshot: () => Promise<ProxySnapshot>,
  sampler: Sampler,
  options: Pick<AdminOptions, "listener" | "draining">,
): (role: Role | null) => Promise<Overview> {
  const times = new ProblemTimes();
  sampler.onSample = (sample) => recordProblems(sample, sampler.history.recent(), times);
  return async (role) => {
    const [state, workers, listener] = await Promise.all([snapshot(), target.workers?.(), options.listener?.()]);
    const recent = sampler.history.recent();
    const { time, startedAt, version, reloads } = state;
    const overview = {
      time,
      version,
      startedAt,
      draining: state.draining || options.draining?.() === true,
      role: role ?? "viewer",
      sampleMs: sampler.sampleMs,
      workers: workers === undefined ? null : countWorkers(workers),
      reloads,
      connections: connectionsOf(listener),
      certificateExpiry: listener?.certificateExpiry ?? null,
      traffic: recent.all,
      pools: state.pools.map((pool) => describePool(pool, recent, times)),
    };
    return { ...overview, problems: findProblems(overview, state.pools, recent, times) };
  };
}

/** Of the pools and reloads: nothing else is in a sample. An upstream without an error or a lowered weight is left out. */
function recordProblems(sample: ProxySnapshot, recent: RecentTraffic, times: ProblemTimes): void {
  const pools = sample.pools.map((pool) => ({
    ...pool,
    upstreams: pool.upstreams.filter(({ id, feedback }) => feedback < 1 || recent.errors(pool.name, id) > 0),
  }));
  const unknown = { workers: null, connections: null, certificateExpiry: null, sampleMs: 0, role: "viewer" } as const;
  const described = pools.map((pool) => describePool(pool, recent, times));
  const overview = { ...sample, ...unknown, traffic: recent.all, pools: described };
  times.record(findProblems(overview, pools, recent, unknownTimes), sample.time);
}

const unknownTimes = { sinceOf: () => null };

function describePool(pool: PoolSnapshot, recent: RecentTraffic, times: ProblemTimes): PoolOverview {
  const { name, policy, serving, panic, available, inFlight, tunnels, queueDepth, queueMax, outage, since } = pool;
  const { retries, budgetExhausted } = recent.retries(name);
  return {
    name,
    policy,
    serving,
    panic,
    panicSince: panic ? times.sinceOf({ status: "panic", pool: name, upstream: null }) : null,
    since,
    available,
    total: pool.upstreams.length,
    inFlight,
    tunnels,
    queueDepth,
    queueMax,
    outage,
    retriesPerSecond: retries,
    budgetExhaustedPerSecond: budgetExhausted,
    traffic: recent.pool(name),
    upstreams: pool.upstreams.map((upstream) => describeUpstream(upstream, name, recent)),
  };
}

function describeUpstream(upstream: UpstreamSnapshot, pool: string, recent: RecentTraffic): UpstreamOverview {
  const {
    id,
    url,
    backup,
    discovered,
    state,
    weight,
    effectiveWeight,
    inFlight,
    maxInFlight,
    tunnels,
    lastFailure,
    lastProbe,
    condition,
  } = upstream;
  return {
    id,
    url,
    backup,
    discovered,
    state,
    status: condition.status,
    since: condition.since,
    until: condition.until ?? null,
    reason: condition.reason,
    ...(condition.cause !== undefined && { cause: condition.cause }),
    weight,
    effectiveWeight: Number(effectiveWeight.toFixed(3)),
    inFlight,
    maxInFlight,
    tunnels,
    traffic: recent.upstream(pool, id),
    lastProbe,
    lastFailure,
    ejections: Object.values(upstream.ejections).reduce((sum, count) => sum + count, 0),
  };
}

function countWorkers(workers: readonly { readonly pid: number | null }[]): Overview["workers"] {
  return { running: workers.filter(({ pid }) => pid !== null).length, total: workers.length };
}

function connectionsOf(listener: ListenerSnapshot | undefined): Overview["connections"] {
  return listener === undefined ? null : { open: listener.connections.open, limit: listener.connections.limit };
}
