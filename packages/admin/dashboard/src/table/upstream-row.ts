/** One upstream. */

import type { PoolOverview, Problem, UpstreamOverview } from "@evenkeel/admin";
import type { Rates } from "../data/rate-history.ts";
import { formatCount, formatDuration, formatMs, formatRate, formatRatio, formatWeight, none } from "../model/format.ts";
import { inPlainWords } from "../model/plain-words.ts";
import { errorTone, rowTone, statusInfo } from "../model/statuses.ts";
import { statusIcon, symbol } from "../page/icons.ts";
import { select, selectionLink } from "../page/selection.ts";
import { html, type VNode } from "../vendor/preact.js";
import { Sparkline } from "./sparkline.ts";

interface Props {
  readonly pool: PoolOverview;
  readonly upstream: UpstreamOverview;
  readonly problem: Problem | undefined;
  readonly rates: Rates;
  readonly now: number;
  readonly index: number;
  /** Its link is in the tab order. */
  readonly isCurrent: boolean;
  readonly isSelected: boolean;
  readonly openMenu: ((anchor: HTMLElement, pool: PoolOverview, upstream: UpstreamOverview) => void) | undefined;
}

export function UpstreamRow({
  pool,
  upstream,
  problem,
  rates,
  now,
  index,
  isCurrent,
  isSelected,
  openMenu,
}: Props): VNode {
  const { id, traffic } = upstream;
  const tone = rowTone(upstream, problem);
  const link = selectionLink(pool.name, id);
  const tabIndex = isCurrent ? 0 : -1;
  return html`<tr role="row" class="upstream row-${tone}" data-index=${index} data-pool=${pool.name} data-upstream=${id}
      data-status=${upstream.status} aria-rowindex=${index + 2} aria-current=${isSelected ? "true" : undefined}
      onClick=${(event: MouseEvent) => openByClick(event, link)}>
    <th role="rowheader" scope="row" class="c-name">
      <a class="row-link" href=${link} tabindex=${tabIndex}>${id}</a>
      ${upstream.backup && html`<span class="tag">backup</span>`}
      ${upstream.discovered && html`<span class="tag">DNS</span>`}
      ${shortUrl(upstream) !== "" && html`<span class="url mono" title=${upstream.url}>${shortUrl(upstream)}</span>`}
    </th>
    <td role="cell" class="c-state">${StatusText({ upstream, problem, now })}</td>
    <td role="cell" class="c-rate number" data-label="Req/s">${formatRate(traffic.rate)}</td>
    <td role="cell" class="c-trend"><${Sparkline} rates=${rates} width=${96} height=${20} /></td>
    <td role="cell" class="c-errors number ${cellTone(errorTone(traffic.errorRatio))}" data-label="Errors">${formatRatio(traffic.errorRatio)}</td>
    <td role="cell" class="c-p50 number" data-label="p50">${formatMs(traffic.p50)}</td>
    <td role="cell" class="c-p99 number" data-label="p99">${formatMs(traffic.p99)}</td>
    <td role="cell" class="c-load number" data-label="In flight">${formatLoad(upstream)}</td>
    <td role="cell" class="c-weight number" data-label="Weight">${formatWeights(upstream)}</td>
    <td role="cell" class="c-probe">${formatProbe(upstream, now)}</td>
    <td role="cell" class="c-menu">
      ${
        openMenu !== undefined &&
        html`<button class="quiet square" tabindex=${tabIndex} aria-haspopup="menu" aria-label=${`Actions for ${pool.name}/${id}`}
        onClick=${(event: MouseEvent) => openMenu(event.currentTarget as HTMLElement, pool, upstream)}>${symbol("more")}</button>`
      }
    </td>
  </tr>`;
}

interface StatusProps {
  readonly upstream: UpstreamOverview;
  readonly problem: Problem | undefined;
  readonly now: number;
}

export function StatusText({ upstream, problem, now }: StatusProps): VNode {
  const { status, since, until, reason, cause } = upstream;
  const { label, tone } = statusInfo(status);
  const back = until !== null && until > now ? `back in ${formatDuration(until - now)}` : "";
  // Why it is healthy is of no interest. What the server reports beyond the status is.
  const isExpected = tone === "ok";
  const known = isExpected ? [withoutName(problem)] : [inPlainWords(reason ?? ""), cause ?? ""];
  const details = [back, ...known].filter((text) => text !== "");
  return html`<span class="state tone-${tone}" title=${[label, ...details].join(", ")}>
    ${statusIcon(status)}<b>${label}</b>
    ${since !== null && html`<span class="age">${formatDuration(now - since)}</span>`}
    ${details.length > 0 && html`<span class="reason">${details.join(", ")}</span>`}
  </span>`;
}

/** Texts of problems begin with the name of the upstream, as in `api/b fails 20 % of its requests`. */
function withoutName(problem: Problem | undefined): string {
  return problem === undefined ? "" : problem.text.slice(`${problem.pool}/${problem.upstream} `.length);
}

/** A click on a row opens it, but not one on a control in it, nor one that ends the selection of text. */
export function openByClick(event: MouseEvent, link: string): void {
  const isControl = event.target instanceof Element && event.target.closest("a, button") !== null;
  if (!isControl && getSelection()?.isCollapsed !== false) select(link);
}

export function cellTone(tone: string | undefined): string {
  return tone === undefined ? "" : `tone-${tone} strong`;
}

/** The URL without what its id says already: an id is often made of it. */
function shortUrl({ id, url }: UpstreamOverview): string {
  const short = url.replace(/^http:\/\//, "").replace(/\/$/, "");
  return short === id || url === id ? "" : short;
}

function formatLoad({ inFlight, tunnels, maxInFlight }: UpstreamOverview): VNode | string {
  const load = formatCount(inFlight + tunnels);
  if (maxInFlight === null) return load;
  const isFull = inFlight + tunnels >= maxInFlight;
  return html`<span class=${isFull ? "tone-warn strong" : ""}>${load}</span><span class="dim">/${formatCount(maxInFlight)}</span>`;
}

function formatWeights({ weight, effectiveWeight }: UpstreamOverview): VNode | string {
  if (Math.abs(weight - effectiveWeight) < 0.005) return formatWeight(weight);
  return html`<span class="dim">${formatWeight(weight)} →${" "}</span><span class="strong">${formatWeight(effectiveWeight)}</span>`;
}

function formatProbe({ lastProbe }: UpstreamOverview, now: number): VNode | string {
  if (lastProbe === null) return html`<span class="dim">${none}</span>`;
  const { at, ok, reason, durationMs } = lastProbe;
  return html`<span class="probe ${ok ? "" : "tone-bad"}">${reason}<span class="dim">${formatMs(durationMs)}</span><span class="dim">${formatDuration(now - at)} ago</span></span>`;
}
