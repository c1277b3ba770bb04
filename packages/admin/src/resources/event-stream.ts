/**
 * The events of the pools as server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html).
 *
 * Listens to the target only while at least one client is connected. A client that reads too slowly is disconnected: it
 * reconnects, and requests the current state of the pools.
 */

import type { ServerResponse } from "node:http";
import { poolEventNames, type ReloadEvent } from "evenkeel";
import { HttpError } from "../http/http-error.ts";
import { limits } from "../limits.ts";
import type { AdminEvents, AdminTarget } from "../target/admin-target.ts";

type Name = keyof AdminEvents;

const names: readonly Name[] = [...poolEventNames, "reload"];

export class EventStream {
  readonly #target: AdminTarget;
  readonly #clients = new Set<ServerResponse>();
  readonly #listeners: readonly { readonly name: Name; readonly listener: (event: AdminEvents[Name]) => void }[];
  #heartbeat: NodeJS.Timeout | undefined;

  constructor(target: AdminTarget) {
    this.#target = target;
    this.#listeners = names.map((name) => ({ name, listener: (event) => this.#broadcast(name, event) }));
  }

  /** Sends all events from now on, until either side closes the connection. Throws a 503 for too many clients. */
  open(res: ServerResponse): void {
    if (this.#clients.size >= limits.eventReaders) {
      throw new HttpError(503, "too_many_readers", "too many clients read the events already", { "retry-after": "5" });
    }
    res.writeHead(200, {
      "content-type": "text/event-stream; charset=utf-8",
      "cache-control": "no-store",
      "x-content-type-options": "nosniff",
      // Turns off response buffering in nginx and other proxies in front.
      "x-accel-buffering": "no",
    });
    if (res.req.method === "HEAD") return void res.end();
    res.write(`retry: ${limits.eventRetryMs}\n\n`);
    if (this.#clients.size === 0) this.#subscribe();
    this.#clients.add(res);
    res.on("close", () => this.#remove(res));
  }

  /** Ends every stream. */
  close(): void {
    for (const res of [...this.#clients]) {
      this.#remove(res);
      res.end();
    }
  }

  #broadcast(name: Name, event: object): void {
    const data = name === "reload" ? serializeReload(event as ReloadEvent) : event;
    this.#send(`event: ${name}\ndata: ${JSON.stringify({ time: Date.now(), ...data })}\n\n`);
  }

  #send(text: string): void {
    for (const res of [...this.#clients]) {
      if (res.writableLength > limits.eventBacklogBytes) res.destroy();
      else res.write(text);
    }
  }

  #subscribe(): void {
    for (const { name, listener } of this.#listeners) this.#target.on(name, listener);
    // Keeps idle timeouts of proxies in between from closing the connection, and detects a client that is gone.
    this.#heartbeat = setInterval(() => this.#send(":\n\n"), limits.eventHeartbeatMs).unref();
  }

  #remove(res: ServerResponse): void {
    if (!this.#clients.delete(res) || this.#clients.size > 0) return;
    for (const { name, listener } of this.#listeners) this.#target.off(name, listener);
    clearInterval(this.#heartbeat);
  }
}

/** The properties of an error are not enumerable, so JSON would omit them. */
function serializeReload(event: ReloadEvent): object {
  return event.ok ? event : { ...event, error: { code: event.error.code, message: event.error.message } };
}
