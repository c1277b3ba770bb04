/**
 * The events of the pools as server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html).
 *
 * Listens to the target until it is closed, and keeps the last events, which a new reader gets first. Routine events do not
 * displace others. A reader that reconnects names the last event that it has, and gets those since. One that reads too slowly is
 * disconnected.
 */

import { randomBytes } from "node:crypto";
import type { ServerResponse } from "node:http";
import { poolEventNames, type ReloadEvent } from "evenkeel";
import { HttpError } from "../http/http-error.ts";
import { limits } from "../limits.ts";
import type { AdminEvents, AdminTarget } from "../target/admin-target.ts";

type Name = keyof AdminEvents;

const names: readonly Name[] = [...poolEventNames, "reload"];

interface KeptEvent {
  readonly number: number;
  /** As it is sent. */
  readonly text: string;
  readonly isRoutine: boolean;
}

export class EventStream {
  readonly #target: AdminTarget;
  readonly #clients = new Set<ServerResponse>();
  readonly #listeners: readonly { readonly name: Name; readonly listener: (event: AdminEvents[Name]) => void }[];
  /** The last events, the oldest first. The number of the last one is `#count`. */
  readonly #backlog: KeptEvent[] = [];
  #count = 0;
  /** Distinguishes the ids of this stream from those of another process. */
  readonly #prefix = randomBytes(6).toString("base64url");
  #heartbeat: NodeJS.Timeout | undefined;

  constructor(target: AdminTarget) {
    this.#target = target;
    this.#listeners = names.map((name) => ({ name, listener: (event) => this.#broadcast(name, event) }));
    for (const { name, listener } of this.#listeners) target.on(name, listener);
  }

  /** Sends the last events, and all from now on, until either side closes the connection. Throws a 503 for too many clients. */
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
    res.write(`retry: ${limits.eventRetryMs}\n\n${this.#backlogSince(res.req.headers["last-event-id"]).join("")}`);
    // Keeps idle timeouts of proxies in between from closing the connection, and detects a client that is gone.
    this.#heartbeat ??= setInterval(() => this.#send(":\n\n"), limits.eventHeartbeatMs).unref();
    this.#clients.add(res);
    res.on("close", () => this.#remove(res));
  }

  /** Ends every stream, and listens no more. */
  close(): void {
    for (const { name, listener } of this.#listeners) this.#target.off(name, listener);
    for (const res of [...this.#clients]) {
      this.#remove(res);
      res.end();
    }
  }

  #broadcast(name: Name, event: object): void {
    const data = name === "reload" ? serializeReload(event as ReloadEvent) : event;
    const id = `${this.#prefix}-${++this.#count}`;
    const text = `id: ${id}\nevent: ${name}\ndata: ${JSON.stringify({ time: Date.now(), ...data })}\n\n`;
    this.#backlog.push({ number: this.#count, text, isRoutine: isRoutine(name, event) });
    if (this.#backlog.length > limits.eventBacklog) this.#forgetOne();
    this.#send(text);
  }

  #forgetOne(): void {
    const routine = this.#backlog.findIndex(({ isRoutine }) => isRoutine);
    this.#backlog.splice(Math.max(routine, 0), 1);
  }

  #send(text: string): void {
    for (const res of [...this.#clients]) {
      if (res.writableLength > limits.eventBacklogBytes) res.destroy();
      else res.write(text);
    }
  }

  /** Everything that is kept, if the reader names no event of this stream. */
  #backlogSince(id: string | string[] | undefined): readonly string[] {
    const [, prefix, number] = /^([\w-]+)-(\d{1,15})$/.exec(String(id)) ?? [];
    const isKnown = prefix === this.#prefix && Number(number) <= this.#count;
    const missed = isKnown ? this.#backlog.filter((event) => event.number > Number(number)) : this.#backlog;
    return missed.map(({ text }) => text);
  }

  #remove(res: ServerResponse): void {
    if (!this.#clients.delete(res) || this.#clients.size > 0) return;
    clearInterval(this.#heartbeat);
    this.#heartbeat = undefined;
  }
}

/** What hundreds of upstreams do by themselves: a good first verdict, and the weights that balancing changes. */
function isRoutine(name: Name, event: object): boolean {
  const { from, to, reason } = event as Partial<Record<"from" | "to" | "reason", unknown>>;
  if (name === "weight") return reason === "feedback" || reason === "announced" || reason === "slow-start";
  return name === "health" && from === "unknown" && to === "healthy";
}

/** The properties of an error are not enumerable, so JSON would omit them. */
function serializeReload(event: ReloadEvent): object {
  return event.ok ? event : { ...event, error: { code: event.error.code, message: event.error.message } };
}
