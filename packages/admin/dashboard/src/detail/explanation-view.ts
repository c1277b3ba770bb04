/** The explanation of a request: the route, the pool, and the chance of each upstream with its reason. */

import { formatRatio } from "../model/format.ts";
import { selectionLink } from "../page/selection.ts";
import { html, type VNode } from "../vendor/preact.js";

/** The part of `Explanation` of evenkeel that is shown. */
export interface Explanation {
  readonly refusal: { readonly code: string | null; readonly status: number; readonly reason: string } | null;
  readonly routes: readonly { readonly name: string; readonly pool: string }[];
  readonly route: number | null;
  readonly pool: {
    readonly name: string;
    readonly because: string;
    readonly sticky: { readonly because: string } | null;
    readonly upstreams: readonly {
      readonly id: string;
      readonly chance: number;
      readonly because: string;
      readonly candidate: boolean;
      readonly reasons: readonly { readonly text: string }[];
    }[];
  } | null;
}

const maxListed = 50;

export function explanationView({ refusal, routes, route, pool }: Explanation, shownPool: string): VNode {
  if (refusal !== null) {
    const code = refusal.code === null ? "" : ` (${refusal.code})`;
    return html`<p class="verdict"><b class="tone-bad">The proxy responds with ${refusal.status}</b>${code}: ${refusal.reason}</p>`;
  }
  const taken = route === null ? undefined : routes[route];
  if (pool === null) return html`<p class="verdict">No route matches.</p>`;
  const upstreams = [...pool.upstreams].sort((a, b) => b.chance - a.chance);
  return html`<div class="explanation">
    <p class="verdict">
      ${taken !== undefined && html`Route <b>${taken.name}</b>, `}pool <a href=${selectionLink(pool.name)}>${pool.name}</a>${
        pool.name !== shownPool && html` <b class="tone-warn">(not ${shownPool})</b>`
      }. ${sentence(pool.because)}${pool.sticky !== null && ` ${sentence(pool.sticky.because)}`}
    </p>
    <ul class="chances">
      ${upstreams.slice(0, maxListed).map(
        ({ id, chance, because, reasons, candidate }) => html`<li class=${candidate ? "" : "is-out"}>
          <a href=${selectionLink(pool.name, id)}>${id}</a>
          <span class="chance number">${formatRatio(chance)}</span>
          <progress max="1" value=${chance} aria-hidden="true"></progress>
          <span class="because dim" title=${reasons.map(({ text }) => text).join("\n")}>${because}</span>
        </li>`,
      )}
    </ul>
  </div>`;
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? "" : "."}`;
}
