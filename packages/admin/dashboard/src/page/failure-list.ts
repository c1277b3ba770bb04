/** The last failed requests: what clients were sent, why, and which upstreams were tried. */

import type { FailedRequest } from "@evenkeel/admin";
import { formatMs, formatTime, none } from "../model/format.ts";
import { inPlainWords } from "../model/plain-words.ts";
import { html, useMemo, useState, type VNode } from "../vendor/preact.js";
import { symbol } from "./icons.ts";
import { selectionLink } from "./selection.ts";

const maxListed = 15;

export function FailureList({
  failures,
  now,
}: {
  readonly failures: readonly FailedRequest[];
  readonly now: number;
}): VNode {
  const [isComplete, setComplete] = useState(false);
  const day = new Date(now).toDateString();
  const table = useMemo(
    () => failureTable(isComplete ? failures : failures.slice(0, maxListed), now),
    [failures, isComplete, day],
  );
  return html`<section class="panel failures" aria-labelledby="failures-title">
    <div class="panel-head">
      <h2 id="failures-title">Recent failed requests</h2>
      <span class="dim">${failures.length === 0 ? "" : `the last ${failures.length}`}</span>
      <span class="grow"></span>
      ${
        failures.length > maxListed &&
        html`<button class="quiet" aria-expanded=${isComplete} onClick=${() => setComplete(!isComplete)}>
          ${isComplete ? "Show fewer" : `Show all ${failures.length}`}
        </button>`
      }
    </div>
    ${failures.length === 0 ? html`<p class="empty">No request has failed.</p>` : table}
  </section>`;
}

function failureTable(failures: readonly FailedRequest[], now: number): VNode {
  return html`<table role="table" aria-labelledby="failures-title">
    <thead role="rowgroup">
      <tr role="row">
        ${["Time", "Status", "Request", "Cause", "Tried", "Duration", "Request id"].map(
          (label) =>
            html`<th role="columnheader" scope="col" class="f-${label.toLowerCase().replace(" ", "-")}">${label}</th>`,
        )}
      </tr>
    </thead>
    <tbody role="rowgroup">${failures.map((failure) => failureRow(failure, now))}</tbody>
  </table>`;
}

function failureRow(failure: FailedRequest, now: number): VNode {
  const { time, requestId, method, host, path, status, error, cause, durationMs, pool, route } = failure;
  return html`<tr role="row" key=${`${requestId} ${time}`}>
    <td role="cell" class="f-time mono">${formatTime(time, now)}</td>
    <td role="cell" class="f-status"><span class="strong ${status >= 500 ? "tone-bad" : "tone-warn"}">${status}</span></td>
    <td role="cell" class="f-request mono" title=${`${method} ${host}${path}${route === undefined ? "" : `, route ${route}`}`}>
      <b>${method}</b> <span class="dim">${host}</span>${path}
    </td>
    <td role="cell" class="f-cause" title=${cause}>${error === undefined ? "sent by the upstream" : inPlainWords(error)}${cause !== undefined && html` <span class="dim">${cause}</span>`}</td>
    <td role="cell" class="f-tried">${tried(failure)}</td>
    <td role="cell" class="f-duration number">${formatMs(durationMs)}</td>
    <td role="cell" class="f-request-id"><${CopyId} id=${requestId} />${pool === undefined && html`<span class="dim">no pool</span>`}</td>
  </tr>`;
}

function tried({ attempts, pool }: FailedRequest): VNode | string {
  if (attempts.length === 0)
    return pool === undefined
      ? none
      : html`<a href=${selectionLink(pool)}>${pool}</a><span class="dim">, no upstream</span>`;
  return html`<span class="attempts">${attempts.map(({ upstream, status, error, cause }, index) => {
    const result = error ?? status ?? "";
    const name = pool === undefined || index > 0 ? upstream : `${pool}/${upstream}`;
    return html`<span class="attempt" title=${cause ?? ""}>
      ${pool === undefined ? name : html`<a href=${selectionLink(pool, upstream)}>${name}</a>`} <span class="dim">${result}</span>
    </span>`;
  })}</span>`;
}

/** Request ids are searched for in logs, so they can be copied whole. */
function CopyId({ id }: { readonly id: string }): VNode {
  const [isCopied, setCopied] = useState(false);
  const copy = () => {
    // Without a secure context browsers have no clipboard: then the id can be selected in the tooltip's place.
    navigator.clipboard?.writeText(id).then(
      () => setCopied(true),
      () => setCopied(false),
    );
  };
  return html`<button class="copy mono" onClick=${copy} title=${`${id}: copy`} aria-label=${isCopied ? "Copied" : `Copy request id ${id}`}>
    <span>${isCopied ? "copied" : id}</span>${symbol("copy")}
  </button>`;
}
