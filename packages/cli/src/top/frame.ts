import type { Overview } from "@evenkeel/admin";
import { formatAge, formatTime } from "../overview/format-values.ts";
import { describePools, describeProblem, describeProcess, describeTraffic } from "../overview/status-report.ts";
import { toRows } from "../overview/upstream-rows.ts";
import { cutLine, cutText, type StyledLine, span } from "./styled-line.ts";
import { drawUpstreams, nameWidth } from "./upstream-table.ts";
import type { Extent, View } from "./view.ts";

/** What one frame shows. */
export interface FrameInput {
  readonly overview: Overview;
  readonly view: View;
  /** The URL of the admin API. */
  readonly admin: string;
  /** Set when the numbers are old: for how long there has been no response, and why. */
  readonly stale?: { readonly ms: number; readonly reason: string };
}

export interface Size {
  readonly columns: number;
  readonly rows: number;
}

export interface Frame {
  /** At most as many as the terminal has rows. */
  readonly lines: readonly StyledLine[];
  readonly extent: Extent;
}

const shownProblems = 4;
/** With fewer rows, one problem is shown, and how many there are besides. */
const lowTerminal = 16;
/** The least number of rows for upstreams: the table of pools is left out before. */
const leastUpstreams = 5;

/** Draws one frame. Nothing in it is wider or longer than the terminal. */
export function drawFrame({ overview, view, admin, stale }: FrameInput, { columns, rows }: Size): Frame {
  const { time } = overview;
  const pool = overview.pools.some(({ name }) => name === view.pool) ? view.pool : null;
  const upstreams = toRows(overview, view.sort, pool);
  const head: StyledLine[] = [
    [span(describeProcess(overview), "bold"), span(`  ${formatTime(time)}  ${admin}`, "dim")],
    [span(describeTraffic(overview.traffic))],
    ...(stale === undefined ? [] : [[span(describeStale(stale), "alert")]]),
    ...drawProblems(overview, rows),
    [],
  ];
  const pools = [...describePools(withShortNames(overview, columns)).map((line) => [span(line)]), []];
  // The header of the table and the line with the keys.
  const left = rows - head.length - 2;
  const showsPools = left - pools.length >= Math.min(leastUpstreams, upstreams.length);
  const page = Math.max(0, showsPools ? left - pools.length : left);
  const first = Math.max(0, Math.min(view.offset, upstreams.length - page));
  const lines = [
    ...head,
    ...(showsPools ? pools : []),
    ...drawUpstreams(upstreams, { first, count: page }, columns, time),
  ];
  const last = Math.min(first + page, upstreams.length);
  const place = upstreams.length === 0 ? "no upstreams" : `${first + 1}-${last} of ${upstreams.length}`;
  const keys = [span(`q quit  s sort: ${view.sort}  p pool: ${pool ?? "all"}  arrows scroll  ${place}`, "dim")];
  const shown = [...lines.slice(0, Math.max(0, rows - 1)), ...(rows > 0 ? [keys] : [])];
  return {
    lines: shown.map((line) => cutLine(line, columns)),
    extent: { pools: overview.pools.map(({ name }) => name), upstreams: upstreams.length, page },
  };
}

/** A long name leaves room for the numbers. */
function withShortNames(overview: Overview, columns: number): Overview {
  const most = nameWidth(columns);
  return { ...overview, pools: overview.pools.map((pool) => ({ ...pool, name: cutText(pool.name, most) })) };
}

/** All lines of an overview without a terminal, and without the keys. */
export function drawAll(input: FrameInput): readonly StyledLine[] {
  return drawFrame(input, { columns: Number.POSITIVE_INFINITY, rows: Number.POSITIVE_INFINITY }).lines.slice(0, -1);
}

function describeStale({ ms, reason }: { readonly ms: number; readonly reason: string }): string {
  return `NO DATA for ${formatAge(ms)}: ${reason}. The numbers below are old; connecting again`;
}

function drawProblems({ problems, time }: Overview, rows: number): StyledLine[] {
  if (problems.length === 0) return [[span("all healthy", "green")]];
  const most = rows < lowTerminal ? 1 : shownProblems;
  const lines = problems
    .slice(0, most)
    .map((problem) => [
      span(
        problem.severity === "critical" ? "critical " : "warning  ",
        problem.severity === "critical" ? "red" : "yellow",
      ),
      span(describeProblem(problem, time)),
    ]);
  const more = problems.length - most;
  return more > 0 ? [...lines, [span(`and ${more} more`)]] : lines;
}
