import type { Overview, PoolOverview, Problem, Traffic } from "@evenkeel/admin";
import { formatTable } from "../table.ts";
import { formatAge, formatMs, formatRate, formatRatio, formatTime } from "./format-values.ts";
import { formatReason, toCells, toRows, upstreamColumns } from "./upstream-rows.ts";

/** Describes a proxy as lines: its problems, its pools and its upstreams, those with a problem first. */
export function describeStatus(overview: Overview): string[] {
  return [
    describeProcess(overview),
    "",
    ...describeProblems(overview),
    "",
    ...describePools(overview),
    "",
    ...describeUpstreams(overview),
  ];
}

/** Describes the proxy in one line. */
export function describeProcess({ version, startedAt, time, workers, connections, draining }: Overview): string {
  return [
    `evenkeel ${version}, up ${formatAge(time - startedAt)}`,
    ...(workers === null ? [] : [`${workers.running} of ${workers.total} workers`]),
    ...(connections === null ? [] : [`${connections.open} of ${connections.limit} connections`]),
    ...(draining ? ["draining"] : []),
  ].join(", ");
}

/** Describes each problem in one line below a headline, or says that there is none. */
function describeProblems({ problems, time }: Overview): string[] {
  if (problems.length === 0) return ["all healthy"];
  const rows = problems.map((problem) => [`  ${problem.severity}`, describeProblem(problem, time)]);
  return [problems.length === 1 ? "1 problem" : `${problems.length} problems`, ...formatTable(rows)];
}

/** As in `api/b is unhealthy: connect_refused, for 12s`. */
export function describeProblem({ text, since, until }: Problem, now: number): string {
  const age = since === null ? "" : `, for ${formatAge(now - since)}`;
  return `${text}${age}${until === null ? "" : `, until ${formatTime(until)}`}`;
}

/** As in `82 requests/s, 1.2 % errors, p50 3.1 ms, p99 152 ms`. */
export function describeTraffic({ rate, errorRatio, p50, p99 }: Traffic): string {
  if (rate === null) return "no rates yet";
  const numbers = [`${formatRate(rate)} requests/s`];
  if (errorRatio !== null) numbers.push(`${formatRatio(errorRatio)} errors`);
  if (p50 !== null) numbers.push(`p50 ${formatMs(p50)}`);
  if (p99 !== null) numbers.push(`p99 ${formatMs(p99)}`);
  return numbers.join(", ");
}

const poolColumns = ["POOL", "AVAILABLE", "REQ/S", "ERRORS", "P50", "P99", "IN FLIGHT", "QUEUE", "RETRIES/S", "POLICY"];
const numbersOfPools = new Set([2, 3, 4, 5, 6, 7, 8]);
const numbersOfUpstreams = new Set([3, 4, 5, 6, 7, 8]);

/** Describes the pools as a table, with the sum of all if there are several. */
export function describePools({ pools, traffic }: Overview): string[] {
  const all = ["all", "", ...toTrafficCells(traffic), "", "", "", ""];
  return formatTable([poolColumns, ...pools.map(toPoolRow), ...(pools.length > 1 ? [all] : [])], numbersOfPools);
}

function toPoolRow(pool: PoolOverview): string[] {
  const { name, available, total, traffic, inFlight, queueDepth, queueMax, retriesPerSecond, policy } = pool;
  return [
    name,
    `${available} of ${total}${pool.panic ? ", panic" : pool.serving ? "" : ", not serving"}`,
    ...toTrafficCells(traffic),
    String(inFlight),
    queueMax === null ? String(queueDepth) : `${queueDepth} of ${queueMax}`,
    formatRate(retriesPerSecond),
    policy,
  ];
}

function toTrafficCells({ rate, errorRatio, p50, p99 }: Traffic): string[] {
  return [formatRate(rate), formatRatio(errorRatio), formatMs(p50), formatMs(p99)];
}

function describeUpstreams(overview: Overview): string[] {
  const rows = toRows(overview).map((row) => [
    ...toCells(row, overview.time),
    row.upstream.tunnels === 0 ? "" : String(row.upstream.tunnels),
    row.upstream.url,
    formatReason(row),
  ]);
  const header = [...upstreamColumns, "TUNNELS", "URL", "REASON"];
  return formatTable([header, ...rows], new Set([...numbersOfUpstreams, 9]));
}
