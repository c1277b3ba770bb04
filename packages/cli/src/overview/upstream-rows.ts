import type { Overview, Problem, UpstreamOverview, UpstreamStatus } from "@evenkeel/admin";
import { formatAge, formatMs, formatRate, formatRatio, formatTime, formatWeight } from "./format-values.ts";

/** One upstream, for a table over all pools. */
export interface UpstreamRow {
  /** As in `pool/upstream`, which the commands accept. */
  readonly name: string;
  readonly upstream: UpstreamOverview;
  readonly trouble: Trouble;
  /** A smaller one needs attention earlier. */
  readonly rank: number;
  /** The problem of an upstream with a good status, such as its errors, without its name. */
  readonly problem: string | undefined;
}

/** An upstream that is down gets no requests; an impaired one gets fewer, or has a problem while it gets them. */
export type Trouble = "down" | "impaired" | "none";

interface StatusRank {
  readonly trouble: Trouble;
  /** A smaller one needs attention earlier. */
  readonly rank: number;
}

const statuses: Readonly<Record<UpstreamStatus, StatusRank>> = {
  unhealthy: { trouble: "down", rank: 0 },
  failing: { trouble: "down", rank: 1 },
  ejected: { trouble: "down", rank: 2 },
  trial: { trouble: "impaired", rank: 3 },
  full: { trouble: "impaired", rank: 4 },
  checking: { trouble: "impaired", rank: 5 },
  draining: { trouble: "impaired", rank: 7 },
  disabled: { trouble: "impaired", rank: 8 },
  warming: { trouble: "none", rank: 9 },
  healthy: { trouble: "none", rank: 10 },
  unchecked: { trouble: "none", rank: 10 },
};

/** A status that a newer proxy may have, or a good one together with a problem. */
const otherTrouble: StatusRank = { trouble: "impaired", rank: 6 };

/** The orders in which upstreams can be sorted. */
export const sortKeys = ["status", "rate", "errors", "p99", "in flight", "name"] as const;
export type SortKey = (typeof sortKeys)[number];

/** Returns the upstreams of all pools, or of one, in an order; those that are equal stay in the order of the configuration. */
export function toRows(overview: Overview, sort: SortKey = "status", pool: string | null = null): UpstreamRow[] {
  const pools = pool === null ? overview.pools : overview.pools.filter(({ name }) => name === pool);
  const problems = new Map(overview.problems.map((problem) => [`${problem.pool}/${problem.upstream}`, problem]));
  const rows = pools.flatMap(({ name, upstreams }) =>
    upstreams.map((upstream) => toRow(`${name}/${upstream.id}`, upstream, problems)),
  );
  return rows.sort(comparisons[sort]);
}

/** Returns the reason of the status with its details and its end. One that is healthy needs none, unless it has a problem. */
export function formatReason({ problem, upstream: { status, reason, cause, until } }: UpstreamRow): string {
  if (problem === undefined && (status === "healthy" || status === "unchecked")) return "";
  const details = cause === undefined || cause === reason ? "" : ` (${cause})`;
  const text = problem ?? `${reason ?? ""}${details}`.trim();
  return until === null ? text : `${text}${text === "" ? "" : ", "}until ${formatTime(until)}`;
}

/** A cell of the table for each column of `upstreamColumns`, except for the URL and the reason. */
export function toCells({ name, upstream }: UpstreamRow, now: number): string[] {
  const { status, since, traffic, inFlight, maxInFlight, weight, effectiveWeight } = upstream;
  return [
    name,
    status,
    since === null ? "-" : `${formatAge(now - since)} ago`,
    formatRate(traffic.rate),
    formatRatio(traffic.errorRatio),
    formatMs(traffic.p50),
    formatMs(traffic.p99),
    maxInFlight === null ? String(inFlight) : `${inFlight} of ${maxInFlight}`,
    formatWeight(weight, effectiveWeight),
  ];
}

export const upstreamColumns = [
  "UPSTREAM",
  "STATUS",
  "SINCE",
  "REQ/S",
  "ERRORS",
  "P50",
  "P99",
  "IN FLIGHT",
  "WEIGHT",
] as const;

function toRow(name: string, upstream: UpstreamOverview, problems: ReadonlyMap<string, Problem>): UpstreamRow {
  const { status } = upstream;
  const known = Object.hasOwn(statuses, status) ? statuses[status] : otherTrouble;
  const problem = problems.get(name);
  if (known.trouble !== "none" || problem === undefined) return { name, upstream, ...known, problem: undefined };
  return { name, upstream, ...otherTrouble, problem: problem.text.replace(`${name} `, "") };
}

type Compare = (a: UpstreamRow, b: UpstreamRow) => number;

const comparisons: Readonly<Record<SortKey, Compare>> = {
  status: (a, b) => a.rank - b.rank,
  rate: descending(({ traffic }) => traffic.rate),
  errors: descending(({ traffic }) => traffic.errorRatio),
  p99: descending(({ traffic }) => traffic.p99),
  "in flight": descending(({ inFlight }) => inFlight),
  name: (a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0),
};

/** Unknown values come last. */
function descending(value: (upstream: UpstreamOverview) => number | null): Compare {
  return (a, b) => (value(b.upstream) ?? -1) - (value(a.upstream) ?? -1);
}
