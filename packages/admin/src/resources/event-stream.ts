/**
 * What happens to the pools, as server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html).
 *
 * The proxy is listened to only while somebody reads. A reader that does not keep up is cut off rather than waited for:
 * it comes back, and asks for the pools as they are by then.
 */

import type { ServerResponse } from "node:http";
import {
  type PoolEvents,
  type ProxyEvents,
  poolEventNames,
  type ReloadEvent,
  type Proxy as ReverseProxy,
} from "evenkeel";
import { Refusal } from "../http/response.ts";
import { limits } from "../limits.ts";

type Name = keyof PoolEvents | "reload";

const names: readonly Name[] = [...poolEventNames, "reload"];

export class EventStream {
  readonly #proxy: ReverseProxy;
  readonly #readers = new Set<ServerResponse>();
  readonly #listeners: readonly { readonly name: Name; readonly tell: (event: ProxyEvents[Name][0]) => void }[];
  #heartbeat: NodeJS.Timeout | undefined;

  constructor(proxy: ReverseProxy) {
    this.#proxy = proxy;
    this.#listeners = names.map((name) => ({ name, tell: (event) => this.#tell(name, event) }));
  }

  /** Answers with all events from now on, until either side ends it. Throws a 503 when there are too many readers. */
  open(res: ServerResponse): void {
    if (this.#readers.size >= limits.eventReaders) {
      throw new Refusal(503, "too_many_readers", "too many read the events already", { "retry-after": "5" });
    }
    res.writeHead(200, {
      "content-type": "text/event-stream; charset=utf-8",
      "cache-control": "no-store",
      "x-content-type-options": "nosniff",
      // Proxies in front that would rather collect than pass on, nginx above all.
      "x-accel-buffering": "no",
    });
    if (res.req.method === "HEAD") return void res.end();
    res.write(`retry: ${limits.eventRetryMs}\n\n`);
    if (this.#readers.size === 0) this.#listen();
    this.#readers.add(res);
    res.on("close", () => this.#forget(res));
  }

  /** Ends every stream. */
  close(): void {
    for (const res of [...this.#readers]) {
      this.#forget(res);
      res.end();
    }
  }

  #tell(name: Name, event: object): void {
    const told = name === "reload" ? toPlainReload(event as ReloadEvent) : event;
    this.#send(`event: ${name}\ndata: ${JSON.stringify({ time: Date.now(), ...told })}\n\n`);
  }

  #send(text: string): void {
    for (const res of [...this.#readers]) {
      if (res.writableLength > limits.eventBacklogBytes) res.destroy();
      else res.write(text);
    }
  }

  #listen(): void {
    for (const { name, tell } of this.#listeners) this.#proxy.on(name, tell);
    // Shows whoever stands in between that the connection is in use, and us that a reader is gone.
    this.#heartbeat = setInterval(() => this.#send(":\n\n"), limits.eventHeartbeatMs).unref();
  }

  #forget(res: ServerResponse): void {
    if (!this.#readers.delete(res) || this.#readers.size > 0) return;
    for (const { name, tell } of this.#listeners) this.#proxy.off(name, tell);
    clearInterval(this.#heartbeat);
  }
}

/** An error has no fields that JSON would show. */
function toPlainReload(event: ReloadEvent): object {
  if (event.ok) return event;
  return { ok: false, error: { code: event.error.code, message: event.error.message } };
}
