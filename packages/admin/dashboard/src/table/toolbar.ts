/** The filter of the table. */

import type { Filter } from "../model/table-rows.ts";
import { symbol } from "../page/icons.ts";
import { html, type VNode } from "../vendor/preact.js";

interface Props {
  readonly filter: Filter;
  readonly total: number;
  readonly trouble: number;
  readonly onFilter: (filter: Filter) => void;
}

export function Toolbar({ filter, total, trouble, onFilter }: Props): VNode {
  const choose = (onlyTrouble: boolean) => () => onFilter({ ...filter, onlyTrouble });
  return html`<div class="toolbar">
    <h2>Upstreams</h2>
    <div class="segments" role="group" aria-label="Which upstreams">
      <button aria-pressed=${!filter.onlyTrouble} onClick=${choose(false)}>All <span class="count">${total}</span></button>
      <button aria-pressed=${filter.onlyTrouble} onClick=${choose(true)}>In trouble <span class="count ${trouble > 0 ? "tone-bad" : ""}">${trouble}</span></button>
    </div>
    <label class="search">
      ${symbol("search")}
      <input id="filter" type="search" placeholder="Filter" aria-label="Filter upstreams by name, URL, status or reason" autocomplete="off" spellcheck=${false}
        value=${filter.text} aria-keyshortcuts="/"
        onInput=${(event: InputEvent) => onFilter({ ...filter, text: (event.currentTarget as HTMLInputElement).value })} />
      <kbd aria-hidden="true">/</kbd>
    </label>
  </div>`;
}
