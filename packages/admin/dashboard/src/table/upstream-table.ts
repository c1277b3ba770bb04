/**
 * The table of pools and their upstreams. All rows have fixed heights, and of a long table only those in view exist: so a
 * thousand upstreams cost as much as forty.
 */

import type { PoolOverview, UpstreamOverview } from "@evenkeel/admin";
import type { RateHistory } from "../data/rate-history.ts";
import type { Column, Sorting, TableRow } from "../model/table-rows.ts";
import { memo } from "../page/memo.ts";
import type { Selection } from "../page/selection.ts";
import { html, useLayoutEffect, useRef, useState, type VNode } from "../vendor/preact.js";
import { PoolRow } from "./pool-row.ts";
import { useRowKeys } from "./row-keys.ts";
import { UpstreamRow } from "./upstream-row.ts";
import { type Heights, offsetsOf, type RowWindow, windowOf } from "./visible-rows.ts";

export interface TableActions {
  /** Opens the menu of actions next to an element. Undefined for a session that may only read. */
  readonly openMenu: ((anchor: HTMLElement, pool: PoolOverview, upstream: UpstreamOverview) => void) | undefined;
  readonly add: ((pool: PoolOverview) => void) | undefined;
}

interface Props {
  readonly rows: readonly TableRow[];
  readonly rates: RateHistory;
  readonly now: number;
  readonly selection: Selection | undefined;
  readonly sorting: Sorting | undefined;
  readonly onSort: (column: Column) => void;
  readonly actions: TableActions;
}

const columns: readonly {
  readonly name: string;
  readonly label: string;
  readonly sort?: Column;
  readonly title?: string;
}[] = [
  { name: "name", label: "Upstream", sort: "name" },
  { name: "state", label: "Status", sort: "status", title: "With its reason and how long it has lasted" },
  { name: "rate", label: "Req/s", sort: "rate", title: "Requests per second, last ten seconds" },
  { name: "trend", label: "Last minute", title: "Requests per second over the last minute" },
  {
    name: "errors",
    label: "Errors",
    sort: "errors",
    title: "Failed attempts at an upstream; responses of 500 and above of a pool. Last ten seconds",
  },
  { name: "p50", label: "p50", sort: "p50", title: "Median latency, last ten seconds" },
  { name: "p99", label: "p99", sort: "p99", title: "99th percentile of the latency, last ten seconds" },
  { name: "load", label: "In flight", sort: "inFlight", title: "Requests in flight and open tunnels, and their limit" },
  {
    name: "weight",
    label: "Weight",
    sort: "weight",
    title: "The configured weight, and the effective one where it differs",
  },
  { name: "probe", label: "Last probe" },
  { name: "menu", label: "" },
];

/** While the table scrolls, only the rows that come into view are rendered. */
const Pool = memo(PoolRow);
const Upstream = memo(UpstreamRow);

/** Longer tables scroll within themselves, so that what follows them stays within reach. */
const maxUnscrolled = 40;

export function UpstreamTable(props: Props): VNode {
  const { rows } = props;
  const scroller = useRef<HTMLDivElement>(null);
  const [view, setView] = useState({ top: 0, height: 900, heights: { pool: 40, upstream: 34 } as Heights });
  const offsets = offsetsOf(rows, view.heights);
  const isLong = rows.length > maxUnscrolled;
  const shown: RowWindow = isLong
    ? windowOf(offsets, view.top, view.height)
    : { first: 0, end: rows.length, before: 0, after: 0 };
  const keys = useRowKeys(rows, offsets, scroller, shown);

  useLayoutEffect(() => {
    const element = scroller.current;
    if (element === null) return undefined;
    const measure = () => setView((old) => measureView(element, old));
    measure();
    element.addEventListener("scroll", measure, { passive: true });
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    return () => {
      element.removeEventListener("scroll", measure);
      observer.disconnect();
    };
  }, []);

  return html`<div class="table-scroll ${isLong ? "is-long" : ""}" ref=${scroller} onKeyDown=${keys.onKeyDown}>
    <table class="upstreams" role="table" aria-label="Upstreams by pool" aria-rowcount=${rows.length + 1}>
      <thead role="rowgroup"><tr role="row" aria-rowindex="1">${columns.map((column) => headerCell(column, props))}</tr></thead>
      <tbody role="rowgroup">
        ${shown.before > 0 && spacer(shown.before)}
        ${rows.slice(shown.first, shown.end).map((row, index) => tableRow(row, shown.first + index, keys.active, props))}
        ${shown.after > 0 && spacer(shown.after)}
      </tbody>
    </table>
  </div>`;
}

function tableRow(row: TableRow, index: number, active: number, { rates, now, selection, actions }: Props): VNode {
  const isCurrent = index === active;
  const isSelected = selection?.pool === row.pool.name;
  const shared = { index, isCurrent, now };
  if (row.kind === "pool") {
    return html`<${Pool} key=${row.pool.name} ...${shared} row=${row} rates=${rates.get(row.pool.name)}
      isSelected=${isSelected && selection?.upstream === undefined} add=${actions.add} />`;
  }
  const { pool, upstream, problem } = row;
  return html`<${Upstream} key=${`${pool.name}\n${upstream.id}`} ...${shared} pool=${pool} upstream=${upstream} problem=${problem}
    rates=${rates.get(pool.name, upstream.id)} isSelected=${isSelected && selection?.upstream === upstream.id}
    openMenu=${actions.openMenu} />`;
}

function headerCell({ name, label, sort, title }: (typeof columns)[number], { sorting, onSort }: Props): VNode {
  if (sort === undefined) {
    return html`<th role="columnheader" scope="col" class="c-${name}" title=${title}>
      ${label === "" ? html`<span class="visually-hidden">Actions</span>` : label}
    </th>`;
  }
  const isSorted = sorting?.column === sort;
  const direction = !isSorted ? undefined : sorting.descending ? "descending" : "ascending";
  return html`<th role="columnheader" scope="col" class="c-${name}" title=${title} aria-sort=${direction}>
    <button class="sort" onClick=${() => onSort(sort)}>${label}${isSorted && html`<span aria-hidden="true">${sorting.descending ? "↓" : "↑"}</span>`}</button>
  </th>`;
}

function spacer(height: number): VNode {
  return html`<tr class="spacer" aria-hidden="true" style=${{ height: `${height}px` }}><td></td></tr>`;
}

/** Smaller movements render nothing: there are rows above and below the view. */
const scrollStep = 70;

/** The heights of rows are set by the style sheet, which changes them with the width of the page. */
function measureView<View extends { top: number; height: number; heights: Heights }>(
  element: HTMLElement,
  old: View,
): View {
  const style = getComputedStyle(element);
  const heights = { pool: pixels(style, "--pool-row"), upstream: pixels(style, "--upstream-row") };
  const { clientHeight: height } = element;
  const top = Math.floor(element.scrollTop / scrollStep) * scrollStep;
  const isSame =
    old.top === top &&
    old.height === height &&
    old.heights.pool === heights.pool &&
    old.heights.upstream === heights.upstream;
  return isSame ? old : { ...old, top, height, heights };
}

function pixels(style: CSSStyleDeclaration, name: string): number {
  return Number.parseFloat(style.getPropertyValue(name)) || 34;
}
