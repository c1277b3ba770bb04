/** The rows of the table: pools in the order of the configuration, each with its upstreams, filtered and sorted. */

import type { Overview, PoolOverview, Problem, UpstreamOverview } from "@evenkeel/admin";
import { isTrouble, rowTone, toneOf } from "./statuses.ts";

export type Column = "name" | "status" | "rate" | "errors" | "p50" | "p99" | "inFlight" | "weight";

export interface Sorting {
  readonly column: Column;
  readonly descending: boolean;
}

export interface Filter {
  /** A part of a name, URL, status or reason; several words must all match. */
  readonly text: string;
  readonly onlyTrouble: boolean;
}

export type TableRow =
  | { readonly kind: "pool"; readonly pool: PoolOverview; readonly hidden: number }
  | {
      readonly kind: "upstream";
      readonly pool: PoolOverview;
      readonly upstream: UpstreamOverview;
      /** What the server reports about it. */
      readonly problem: Problem | undefined;
    };

/** A pool without a match has no row. `hidden` is the number of its upstreams that do not match. */
export function tableRows({ pools, problems }: Overview, filter: Filter, sorting: Sorting | undefined): TableRow[] {
  const wanted = filter.text.toLowerCase().split(/\s+/).filter(Boolean);
  const isFiltered = wanted.length > 0 || filter.onlyTrouble;
  const reported = byUpstream(problems);
  return pools.flatMap((pool) => {
    const all = pool.upstreams.map((upstream) => ({
      kind: "upstream" as const,
      pool,
      upstream,
      problem: reported.get(keyOf(pool.name, upstream.id)),
    }));
    const matching = isFiltered ? all.filter((row) => matches(row, wanted, filter.onlyTrouble)) : all;
    if (isFiltered && matching.length === 0) return [];
    if (sorting !== undefined) matching.sort(comparison(sorting));
    return [{ kind: "pool" as const, pool, hidden: all.length - matching.length }, ...matching];
  });
}

export function countTrouble({ pools, problems }: Overview): number {
  const reported = byUpstream(problems);
  return pools.reduce((count, { name, upstreams }) => {
    const troubled = upstreams.filter((upstream) =>
      isTrouble(rowTone(upstream, reported.get(keyOf(name, upstream.id)))),
    );
    return count + troubled.length;
  }, 0);
}

type UpstreamTableRow = Extract<TableRow, { kind: "upstream" }>;

function byUpstream(problems: readonly Problem[]): ReadonlyMap<string, Problem> {
  return new Map(problems.map((problem) => [keyOf(problem.pool ?? "", problem.upstream ?? ""), problem]));
}

function keyOf(pool: string, upstream: string): string {
  return `${pool}\n${upstream}`;
}

function matches(
  { pool, upstream, problem }: UpstreamTableRow,
  words: readonly string[],
  onlyTrouble: boolean,
): boolean {
  if (onlyTrouble && !isTrouble(rowTone(upstream, problem))) return false;
  if (words.length === 0) return true;
  const { id, url, status, reason } = upstream;
  const text = `${pool.name}/${id} ${url} ${status} ${reason ?? ""} ${problem?.status ?? ""}`.toLowerCase();
  return words.every((word) => text.includes(word));
}

const severities = { bad: 3, warn: 2, idle: 1, ok: 0 };

const keys: Readonly<Record<Exclude<Column, "name">, (upstream: UpstreamOverview) => number>> = {
  status: (upstream) => severities[toneOf(upstream)],
  rate: ({ traffic }) => traffic.rate ?? -1,
  errors: ({ traffic }) => traffic.errorRatio ?? -1,
  p50: ({ traffic }) => traffic.p50 ?? -1,
  p99: ({ traffic }) => traffic.p99 ?? -1,
  inFlight: ({ inFlight, tunnels }) => inFlight + tunnels,
  weight: ({ effectiveWeight }) => effectiveWeight,
};

const names = new Intl.Collator("en", { numeric: true });

function comparison({ column, descending }: Sorting): (a: UpstreamTableRow, b: UpstreamTableRow) => number {
  const sign = descending ? -1 : 1;
  if (column === "name") return (a, b) => sign * names.compare(a.upstream.id, b.upstream.id);
  const key = keys[column];
  return (a, b) => sign * (key(a.upstream) - key(b.upstream));
}
