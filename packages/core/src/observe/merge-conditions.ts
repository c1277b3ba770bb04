import type { PoolSnapshot, ProbeSnapshot, UpstreamCondition, UpstreamSnapshot, UpstreamStatus } from "../snapshot.ts";

/** What each process finds by its own traffic. A status of an operator or of the health checks is that of the base. */
const ofTraffic: readonly UpstreamStatus[] = ["ejected", "trial", "failing", "full", "warming"];

/**
 * The condition of an upstream in a group. What operators have set and health checks have found comes from the base. What
 * processes find by their own traffic comes before the good states of the base: the upstream has it if one of the deciding
 * processes has found it, and the reason says how many have. It is `full` only if all of them are: others still send requests.
 */
export function mergeConditions(base: UpstreamSnapshot, deciding: readonly UpstreamSnapshot[]): UpstreamCondition {
  const conditions = deciding.map(({ condition }) => condition);
  for (const status of ofTraffic) {
    // An earlier one of the base comes first.
    if (before(base.condition.status, status)) return base.condition;
    const found = conditions.filter((condition) => condition.status === status);
    if (found.length > 0 && (status !== "full" || found.length === conditions.length)) {
      return mergeFound(found, conditions.length);
    }
  }
  // A verdict begins a slow start in the base, too. It has no meaning there, since the base sends no requests.
  const ofOthers = ofTraffic.includes(base.condition.status) ? conditions : [];
  return ofOthers.find(({ status }) => !ofTraffic.includes(status)) ?? base.condition;
}

/** Since when a pool serves, or does not: a group serves while one of its processes does. */
export function mergeServingSince(base: PoolSnapshot, deciding: readonly PoolSnapshot[], serving: boolean): number {
  const since = deciding.filter((pool) => pool.serving === serving).map((pool) => pool.since);
  if (since.length === 0) return base.since;
  return serving ? Math.min(...since) : Math.max(...since);
}

/** The last one. */
export function mergeProbes(all: readonly UpstreamSnapshot[]): ProbeSnapshot | null {
  return all.reduce<ProbeSnapshot | null>(
    (last, { lastProbe }) => (lastProbe !== null && lastProbe.at > (last?.at ?? -Infinity) ? lastProbe : last),
    null,
  );
}

const order: readonly UpstreamStatus[] = [
  "disabled",
  "draining",
  "unhealthy",
  "ejected",
  "trial",
  "checking",
  "failing",
  "full",
  "warming",
  "healthy",
  "unchecked",
];

function before(status: UpstreamStatus, other: UpstreamStatus): boolean {
  return order.indexOf(status) < order.indexOf(other);
}

/** The longest of them. */
function mergeFound(found: readonly UpstreamCondition[], processes: number): UpstreamCondition {
  const first = found.reduce((a, b) => ((b.since ?? Infinity) < (a.since ?? Infinity) ? b : a));
  const untils = found.flatMap(({ until }) => until ?? []);
  const share = found.length === processes ? "" : `, in ${found.length} of ${processes} workers`;
  return {
    ...first,
    reason: first.reason === null ? null : first.reason + share,
    ...(untils.length > 0 && { until: Math.max(...untils) }),
  };
}
