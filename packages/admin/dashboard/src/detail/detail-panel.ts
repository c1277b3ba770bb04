/** One pool or upstream in detail: what it is, its last minute, what an operator can do with it, and explained requests. */

import type { Overview, PoolOverview, Problem, UpstreamOverview } from "@evenkeel/admin";
import { actionLabel, actionsFor } from "../actions/action-menu.ts";
import type { ActionName } from "../model/effects.ts";
import { statusInfo } from "../model/statuses.ts";
import { symbol } from "../page/icons.ts";
import { type Selection, select, selectionLink } from "../page/selection.ts";
import { PoolStatus } from "../table/pool-row.ts";
import { StatusText } from "../table/upstream-row.ts";
import { html, useEffect, useRef, type VNode } from "../vendor/preact.js";
import { ExplainForm } from "./explain-form.ts";
import { poolFacts, upstreamFacts } from "./facts.ts";
import { SeriesCharts } from "./series-charts.ts";

interface Props {
  readonly selection: Selection;
  readonly overview: Overview;
  readonly now: number;
  /** Undefined for a session that may only read. */
  readonly act: ((action: ActionName, pool: PoolOverview, upstream: UpstreamOverview | undefined) => void) | undefined;
}

export function DetailPanel({ selection, overview, now, act }: Props): VNode {
  const heading = useRef<HTMLHeadingElement>(null);
  const pool = overview.pools.find(({ name }) => name === selection.pool);
  const upstream = pool?.upstreams.find(({ id }) => id === selection.upstream);
  const problem = overview.problems.find((one) => one.pool === pool?.name && one.upstream === (upstream?.id ?? null));
  const isGone = pool === undefined || (selection.upstream !== undefined && upstream === undefined);
  const name = selection.upstream === undefined ? selection.pool : `${selection.pool}/${selection.upstream}`;

  useEffect(() => heading.current?.focus({ preventScroll: true }), [name]);

  return html`<aside class="detail" aria-labelledby="detail-title">
    <div class="detail-head">
      <h2 id="detail-title" tabindex="-1" ref=${heading}>
        ${selection.upstream === undefined ? selection.pool : html`<a href=${selectionLink(selection.pool)}>${selection.pool}</a><span class="dim">/</span>${selection.upstream}`}
      </h2>
      <button class="quiet square" aria-label="Close the detail" aria-keyshortcuts="Escape" onClick=${() => select(undefined)}>${symbol("close")}</button>
    </div>
    ${isGone ? html`<p class="empty">There is no ${name} now. It may have been removed.</p>` : content({ pool, upstream, problem, now, act })}
  </aside>`;
}

interface Shown {
  readonly pool: PoolOverview;
  readonly upstream: UpstreamOverview | undefined;
  readonly problem: Problem | undefined;
  readonly now: number;
  readonly act: Props["act"];
}

function content({ pool, upstream, problem, now, act }: Shown): VNode {
  return html`<div class="detail-body" key=${`${pool.name}\n${upstream?.id ?? ""}`}>
    <div class="detail-status">
      ${upstream === undefined ? PoolStatus({ pool, now }) : StatusText({ upstream, problem, now })}
      ${upstream !== undefined && html`<p class="dim">${statusInfo(upstream.status).meaning}</p>`}
    </div>
    ${act !== undefined && html`<div class="detail-actions">${actionButtons(pool, upstream, act)}</div>`}
    <${SeriesCharts} pool=${pool.name} upstream=${upstream?.id} />
    ${upstream === undefined ? poolFacts(pool, now) : upstreamFacts(pool, upstream, now)}
    <${ExplainForm} pool=${pool} />
  </div>`;
}

function actionButtons(
  pool: PoolOverview,
  upstream: UpstreamOverview | undefined,
  act: NonNullable<Props["act"]>,
): VNode | readonly VNode[] {
  if (upstream === undefined)
    return html`<button onClick=${() => act("add", pool, undefined)}>Add an upstream…</button>`;
  return actionsFor(upstream).map(
    (action) =>
      html`<button class=${action === "remove" ? "tone-bad" : ""} onClick=${() => act(action, pool, upstream)}>${actionLabel(action)}</button>`,
  );
}
