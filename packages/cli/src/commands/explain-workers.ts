import type { Explanation, PoolExplanation, UpstreamExplanation, WorkerExplanations } from "evenkeel";
import { describeUpstream } from "./explain-upstream.ts";

/** Describes which workers decide as explained, and how the others differ. */
export function describeWorkers(explanation: Explanation, { agreeing, others }: WorkerExplanations): string[] {
  const [first, ...more] = agreeing;
  if (others.length === 0 && more.length === 0) return [`decided by worker ${first}`];
  if (others.length === 0)
    return [`all ${agreeing.length} workers decide so; the numbers are those of worker ${first}`];
  return [
    `${listOf(agreeing)} so${more.length === 0 ? "" : `; the numbers are those of worker ${first}`}`,
    ...others.flatMap(({ workers, explanation: other }) => [
      "",
      `${listOf(workers)} otherwise:`,
      ...differences(explanation, other).map((line) => `  ${line}`),
    ]),
  ];
}

function listOf(workers: readonly number[]): string {
  if (workers.length === 1) return `worker ${workers[0]} decides`;
  return `workers ${workers.slice(0, -1).join(", ")} and ${workers.at(-1)} decide`;
}

/** Describes what of `other` differs. Numbers in flight and chances alone are no difference. */
function differences(usual: Explanation, other: Explanation): string[] {
  const { refusal, pool } = other;
  const lines: string[] = [];
  if (refusal !== null && refusal.code !== usual.refusal?.code) {
    lines.push(`response ${refusal.status}${refusal.code === null ? "" : ` (${refusal.code})`}: ${refusal.reason}`);
  }
  if (other.route !== usual.route) {
    const route = other.route === null ? undefined : other.routes[other.route];
    lines.push(route === undefined ? "no route is taken" : `route ${route.name} is taken`);
  }
  return pool === null ? lines : [...lines, ...differencesOfPool(usual.pool, pool)];
}

function differencesOfPool(usual: PoolExplanation | null, pool: PoolExplanation): string[] {
  const lines = pool.because === usual?.because ? [] : [`pool ${pool.name}: ${pool.because}`];
  if (pool.sticky !== null && pool.sticky.because !== usual?.sticky?.because) {
    lines.push(`cookie ${pool.sticky.cookie}: ${pool.sticky.because}`);
  }
  const known = new Map(usual?.upstreams.map((upstream) => [upstream.id, decisionOf(upstream)]));
  const differing = pool.upstreams.filter((upstream) => known.get(upstream.id) !== decisionOf(upstream));
  const ids = new Set(pool.upstreams.map(({ id }) => id));
  const missing = [...known.keys()].filter((id) => !ids.has(id)).map((id) => `${id}  not a member`);
  return [...lines, ...differing.flatMap(describeUpstream), ...missing];
}

function decisionOf({ candidate, weight, reasons }: UpstreamExplanation): string {
  return JSON.stringify([candidate, weight, reasons.map(({ code, speaks }) => [code, speaks])]);
}
