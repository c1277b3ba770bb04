/** What has happened, newest first, as it happens. */

import type { EventFeed } from "../data/event-feed.ts";
import { describeEvent } from "../model/describe-event.ts";
import { formatTime } from "../model/format.ts";
import { isWeightChange, type LoggedEvent } from "../model/kept-events.ts";
import { html, useEffect, useMemo, useState, type VNode } from "../vendor/preact.js";
import { toneIcon } from "./icons.ts";
import { selectionLink } from "./selection.ts";

const maxListed = 100;
/** Between two renderings. */
const minIntervalMs = 150;

export function EventList({ feed, now }: { readonly feed: EventFeed; readonly now: number }): VNode {
  const [withWeights, setWithWeights] = useState(false);
  useFeed(feed);
  const weights = feed.items.filter(isWeightChange).length;
  // The list is the same until an event comes in, or the day changes: then times of yesterday have their date.
  const day = new Date(now).toDateString();
  const list = useMemo(() => eventItems(feed.items, withWeights, now), [feed.items, withWeights, day]);
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
    ${list}
  </section>`;
}

/** Renders the list after changes of the feed, several of them together. */
function useFeed(feed: EventFeed): void {
  const [, setShown] = useState(feed.items);
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    feed.onChange = () => {
      timer ??= setTimeout(() => {
        timer = undefined;
        setShown(feed.items);
      }, minIntervalMs);
    };
    return () => {
      clearTimeout(timer);
      feed.onChange = () => {};
    };
  }, [feed]);
}

function eventItems(all: readonly LoggedEvent[], withWeights: boolean, now: number): VNode {
  const items = (withWeights ? all : all.filter((item) => !isWeightChange(item))).slice(0, maxListed);
  if (items.length === 0) {
    return html`<p class="empty">Nothing has changed yet. Health changes, ejections, reloads and what operators do appear here.</p>`;
  }
  return html`<ol class="event-items" tabindex="0" aria-labelledby="events-title">${items.map((item) => eventItem(item, now))}</ol>`;
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
