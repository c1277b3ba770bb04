/** The head of a pool: its own figures, in the columns of its upstreams. */

import type { PoolOverview } from "@evenkeel/admin";
import type { Rates } from "../data/rate-history.ts";
import { countOf, formatCount, formatDuration, formatMs, formatRate, formatRatio } from "../model/format.ts";
import { errorTone, type Tone } from "../model/statuses.ts";
import type { TableRow } from "../model/table-rows.ts";
import { symbol, toneIcon } from "../page/icons.ts";
import { selectionLink } from "../page/selection.ts";
import { html, type VNode } from "../vendor/preact.js";
import { Sparkline } from "./sparkline.ts";
import { cellTone, openByClick } from "./upstream-row.ts";

interface Props {
  readonly row: Extract<TableRow, { kind: "pool" }>;
  readonly rates: Rates;
  readonly now: number;
  readonly index: number;
  readonly isCurrent: boolean;
  readonly isSelected: boolean;
  readonly add: ((pool: PoolOverview) => void) | undefined;
}

export function PoolRow({ row, rates, now, index, isCurrent, isSelected, add }: Props): VNode {
  const { pool, hidden } = row;
  const { name, traffic } = pool;
  const link = selectionLink(name);
  const tabIndex = isCurrent ? 0 : -1;
  return html`<tr role="row" class="pool" data-index=${index} data-pool=${name} aria-rowindex=${index + 2}
      aria-current=${isSelected ? "true" : undefined} onClick=${(event: MouseEvent) => openByClick(event, link)}>
    <th role="rowheader" scope="row" class="c-name">
      <a class="row-link" href=${link} tabindex=${tabIndex}>${name}</a><span class="url">${pool.policy}</span>
    </th>
    <td role="cell" class="c-state">${PoolStatus({ pool, now })}${hidden > 0 && html` <span class="dim">${formatCount(hidden)} hidden</span>`}</td>
    <td role="cell" class="c-rate number" data-label="Req/s">${formatRate(traffic.rate)}</td>
    <td role="cell" class="c-trend"><${Sparkline} rates=${rates} width=${96} height=${20} isFilled /></td>
    <td role="cell" class="c-errors number ${cellTone(errorTone(traffic.errorRatio))}" data-label="Errors">${formatRatio(traffic.errorRatio)}</td>
    <td role="cell" class="c-p50 number" data-label="p50">${formatMs(traffic.p50)}</td>
    <td role="cell" class="c-p99 number" data-label="p99">${formatMs(traffic.p99)}</td>
    <td role="cell" class="c-load number" data-label="In flight">${formatCount(pool.inFlight + pool.tunnels)}</td>
    <td role="cell" class="c-weight number"></td>
    <td role="cell" class="c-probe">${queueAndRetries(pool)}</td>
    <td role="cell" class="c-menu">
      ${
        add !== undefined &&
        html`<button class="quiet square" tabindex=${tabIndex} aria-label=${`Add an upstream to ${name}`} title="Add an upstream"
        onClick=${() => add(pool)}>${symbol("plus")}</button>`
      }
    </td>
  </tr>`;
}

function poolTone({ serving, panic, outage, available, total }: PoolOverview): Tone {
  if (!serving || outage !== null || panic) return "bad";
  return available < total ? "warn" : "ok";
}

export function PoolStatus({ pool, now }: { readonly pool: PoolOverview; readonly now: number }): VNode {
  const tone = poolTone(pool);
  const { outage, available, total, serving, panic, panicSince, since } = pool;
  const members = total === 0 ? "no upstreams" : `${available} of ${total} available`;
  if (tone === "ok" || tone === "warn")
    return html`<span class="state ${tone === "ok" ? "" : "tone-warn"}"><span>${members}</span></span>`;
  const word = outage !== null ? "Outage" : panic ? "Panic" : serving ? "Serving" : "Not serving";
  const start = outage?.since ?? (panic ? panicSince : since);
  const waiting = outage !== null && outage.waiting > 0 ? `, ${countOf(outage.waiting, "request")} waiting` : "";
  return html`<span class="state tone-bad">${toneIcon("bad")}<b>${word}</b>
    ${start !== null && html`<span class="age">${formatDuration(now - start)}</span>`}
    <span class="reason">${members}${waiting}</span>
  </span>`;
}

function queueAndRetries({ queueDepth, queueMax, retriesPerSecond, budgetExhaustedPerSecond }: PoolOverview): VNode {
  const queue =
    queueDepth > 0 && `${formatCount(queueDepth)}${queueMax === null ? "" : ` of ${formatCount(queueMax)}`} queued`;
  const retries = (retriesPerSecond ?? 0) > 0 && `${formatRate(retriesPerSecond)} retries/s`;
  return html`<span class="probe">
    ${queue && html`<span class="tone-warn strong">${queue}</span>`}
    ${retries && html`<span class="dim">${retries}</span>`}
    ${(budgetExhaustedPerSecond ?? 0) > 0 && html`<span class="tone-bad">retry budget exhausted</span>`}
  </span>`;
}
