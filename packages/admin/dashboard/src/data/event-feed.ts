/** The events of the server, newest first: server-sent events, reconnected by the browser or, after an error, by this file. */

import { type EventData, type EventName, eventNames } from "../model/describe-event.ts";
import { keepLast, type LoggedEvent, maxEvents } from "../model/kept-events.ts";

const reopenMs = 3_000;

export class EventFeed {
  items: readonly LoggedEvent[] = [];
  isOpen = false;
  /** Called after each change. Events can come in by the hundred, so the rest of the page is not rendered for them. */
  onChange: () => void = () => {};
  #source: EventSource | undefined;
  #keys = 0;
  #seen = new Set<string>();

  /** Does nothing while it is open already. */
  open(): void {
    if (this.#source !== undefined) return;
    const source = new EventSource("api/events");
    this.#source = source;
    source.onopen = () => {
      this.isOpen = true;
    };
    source.onerror = () => {
      this.isOpen = false;
      // The browser reconnects after a broken connection, but not after a response with an error.
      if (source.readyState === EventSource.CLOSED) setTimeout(() => this.#drop(source), reopenMs);
    };
    for (const name of eventNames) {
      source.addEventListener(name, (event) => this.#add(name, event as MessageEvent<string>));
    }
  }

  clear(): void {
    this.#source?.close();
    this.#source = undefined;
    this.isOpen = false;
    this.items = [];
    this.#seen = new Set();
  }

  /** The next overview opens it again. */
  #drop(source: EventSource): void {
    source.close();
    if (this.#source === source) this.#source = undefined;
  }

  /** The server sends its last events again after each new connection. */
  #add(name: EventName, { data: text, lastEventId }: MessageEvent<string>): void {
    const id = `${lastEventId} ${text}`;
    if (lastEventId !== "" && this.#seen.has(id)) return;
    this.#seen.add(id);
    const data = JSON.parse(text) as EventData;
    const time = typeof data["time"] === "number" ? data["time"] : Date.now();
    this.items = keepLast([{ key: ++this.#keys, time, name, data }, ...this.items]);
    if (this.#seen.size > maxEvents * 2) this.#seen = new Set([...this.#seen].slice(-maxEvents));
    this.onChange();
  }
}
