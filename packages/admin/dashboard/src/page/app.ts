/** The whole page, from top to bottom: status, traffic, upstreams, events, detail, failed requests. */

import type { PoolOverview, UpstreamOverview } from "@evenkeel/admin";
import { ActionDialog, type ActionRequest } from "../actions/action-dialog.ts";
import { ActionMenu, type MenuRequest } from "../actions/action-menu.ts";
import type { LiveData } from "../data/live-data.ts";
import { DetailPanel } from "../detail/detail-panel.ts";
import { formatDuration } from "../model/format.ts";
import { type Column, countTrouble, type Filter, type Sorting, tableRows } from "../model/table-rows.ts";
import { Toolbar } from "../table/toolbar.ts";
import { UpstreamTable } from "../table/upstream-table.ts";
import { html, useState, type VNode } from "../vendor/preact.js";
import { EventList } from "./event-list.ts";
import { FailureList } from "./failure-list.ts";
import { useShortcuts } from "./keyboard.ts";
import { useSelection } from "./selection.ts";
import { SignIn } from "./sign-in.ts";
import { Signals } from "./signals.ts";
import { StatusLine } from "./status-line.ts";
import { TopBar } from "./top-bar.ts";

export function App({ data }: { readonly data: LiveData }): VNode {
  const [filter, setFilter] = useState<Filter>({ text: "", onlyTrouble: false });
  const [sorting, setSorting] = useState<Sorting | undefined>(undefined);
  const [menu, setMenu] = useState<MenuRequest | undefined>(undefined);
  const [action, setAction] = useState<ActionRequest | undefined>(undefined);
  const selection = useSelection();
  useShortcuts();

  if (data.phase === "sign-in")
    return html`<${SignIn} hasEnded=${data.hasSessionEnded} signIn=${(token: string) => data.signIn(token)} />`;
  const { overview, now } = data;
  if (overview === undefined) return html`<${TopBar} data=${data} /><main class="loading">${loadingText(data)}</main>`;

  const { pools } = overview;
  const trouble = countTrouble(overview);
  const total = pools.reduce((sum, { upstreams }) => sum + upstreams.length, 0);
  const rows = tableRows(overview, filter, sorting);
  const act = (name: ActionRequest["action"], pool: PoolOverview, upstream: UpstreamOverview | undefined) =>
    setAction({ action: name, pool, upstream });
  const actions = {
    openMenu: data.canChange
      ? (anchor: HTMLElement, pool: PoolOverview, upstream: UpstreamOverview) => setMenu({ anchor, pool, upstream })
      : undefined,
    add: data.canChange ? (pool: PoolOverview) => act("add", pool, undefined) : undefined,
  };

  return html`<${TopBar} data=${data} />
    ${(data.isStale || data.phase === "offline") && staleBar(data)}
    <div class="layout ${selection === undefined ? "" : "has-detail"} ${data.isStale ? "is-old" : ""}">
      <main>
        <${StatusLine} overview=${overview} now=${now} />
        <${Signals} overview=${overview} rates=${data.rates.total} now=${now} />
        <section class="panel" aria-label="Upstreams">
          <${Toolbar} filter=${filter} total=${total} trouble=${trouble} onFilter=${setFilter} />
          ${
            rows.length === 0
              ? html`<p class="empty">${emptyText(pools.length, filter)}</p>`
              : html`<${UpstreamTable} rows=${rows} rates=${data.rates} now=${now} selection=${selection} sorting=${sorting}
                  onSort=${(column: Column) => setSorting(nextSorting(sorting, column))} actions=${actions} />`
          }
        </section>
        <${EventList} feed=${data.events} now=${now} />
        <${FailureList} failures=${data.failures} now=${now} />
      </main>
      ${selection !== undefined && html`<${DetailPanel} selection=${selection} overview=${overview} now=${now} act=${data.canChange ? act : undefined} />`}
    </div>
    ${
      menu !== undefined &&
      html`<${ActionMenu} ...${menu} onClose=${() => setMenu(undefined)} onChoose=${(name: ActionRequest["action"]) => {
        // The dialog returns the focus to where it was at its opening, and the menu will be gone.
        menu.anchor.focus();
        setMenu(undefined);
        act(name, menu.pool, menu.upstream);
      }} />`
    }
    ${
      action !== undefined &&
      html`<${ActionDialog} ...${current(action, pools)} onClose=${(done: boolean) => {
        setAction(undefined);
        if (done) void data.refresh();
      }} />`
    }`;
}

/** The pool and the upstream of an action as they are now, so that its confirmation stays right. */
function current(action: ActionRequest, pools: readonly PoolOverview[]): ActionRequest {
  const pool = pools.find(({ name }) => name === action.pool.name) ?? action.pool;
  return { ...action, pool, upstream: pool.upstreams.find(({ id }) => id === action.upstream?.id) ?? action.upstream };
}

/** Descending first, as the largest figure is the interesting one; the third click restores the order of the configuration. */
function nextSorting(sorting: Sorting | undefined, column: Column): Sorting | undefined {
  if (sorting?.column !== column) return { column, descending: column !== "name" };
  return sorting.descending === (column !== "name") ? { column, descending: !sorting.descending } : undefined;
}

function staleBar(data: LiveData): VNode {
  return html`<p class="stale-bar" role="alert">
    <b>Not up to date.</b> What you see is ${formatDuration(data.dataAge)} old${data.trouble !== "" && `: ${data.trouble}`}. Reconnecting.
  </p>`;
}

function loadingText({ phase, trouble }: LiveData): string {
  return phase === "offline" ? `No data: ${trouble}. Trying again.` : "Loading";
}

function emptyText(pools: number, filter: Filter): string {
  if (pools === 0) return "No pool is configured.";
  return filter.text === "" ? "No upstream is in trouble." : "No upstream matches the filter.";
}
