/** What has happened, newest first, as it happens. */

import type { EventFeed, LoggedEvent } from "../data/event-feed.ts";
import { describeEvent } from "../model/describe-event.ts";
import { formatTime } from "../model/format.ts";
import { html, useState, type VNode } from "../vendor/preact.js";
import { toneIcon } from "./icons.ts";
import { selectionLink } from "./selection.ts";

const maxListed = 100;

export function EventList({ feed, now }: { readonly feed: EventFeed; readonly now: number }): VNode {
  const [withWeights, setWithWeights] = useState(false);
  const weights = feed.items.filter(isWeightChange).length;
  const items = (withWeights ? feed.items : feed.items.filter((item) => !isWeightChange(item))).slice(0, maxListed);
  return html`<section class="panel events" aria-labelledby="events-title">
    <div class="panel-head">
      <h2 id="events-title">Events</h2>
      <span class="dim">${feed.isOpen ? "as they happen" : "not connected"}</span>
      <span class="grow"></span>
      ${
        weights > 0 &&
        html`<label class="check"><input type="checkbox" checked=${withWeights} onChange=${() => setWithWeights(!withWeights)} />
          ${weights} automatic weight ${weights === 1 ? "change" : "changes"}</label>`
      }
    </div>
    ${
      items.length === 0
        ? html`<p class="empty">Nothing has changed yet. Health changes, ejections, reloads and what operators do appear here.</p>`
        : html`<ol class="event-items" tabindex="0" aria-labelledby="events-title">${items.map((item) => eventItem(item, now))}</ol>`
    }
  </section>`;
}

/** Made by the balancer itself, and frequent. A weight that an operator sets is always listed. */
function isWeightChange({ name, data }: LoggedEvent): boolean {
  return name === "weight" && ["feedback", "announced", "slow-start"].includes(String(data["reason"]));
}

function eventItem({ key, name, data, time }: LoggedEvent, now: number): VNode {
  const { tone, pool, upstream, text } = describeEvent(name, data);
  return html`<li key=${key} class="tone-${tone}">
    <time class="mono" datetime=${new Date(time).toISOString()}>${formatTime(time, now)}</time>
    ${toneIcon(tone)}
    <span class="event-text">
      ${pool !== undefined && html`<a href=${selectionLink(pool, upstream)}>${upstream === undefined ? pool : `${pool}/${upstream}`}</a>${" "}`}${text}
    </span>
  </li>`;
}
