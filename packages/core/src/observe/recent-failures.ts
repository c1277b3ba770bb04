import { limits } from "../config/defaults.ts";
import { maskSecrets } from "../config/secrets.ts";
import { errorKind } from "../errors.ts";
import type { RequestEvent } from "../events.ts";
import { messageOf } from "../runtime/error-text.ts";
import type { FailedRequest } from "../snapshot.ts";

/** The most nested causes of an error that are described. */
const maxCauses = 4;
/** The characters of a message that are kept. */
const maxCauseText = 4 * limits.recordedText;

/**
 * The last failed requests of a proxy. Requests that failed because of their client, such as malformed ones, have a smaller
 * ring of their own: a client cannot displace the failures of upstreams.
 */
export class RecentFailures {
  readonly #ofClients = new Ring(limits.recentClientFailures);
  readonly #others = new Ring(limits.recentFailures - limits.recentClientFailures);

  record(event: RequestEvent): void {
    (isOfClient(event) ? this.#ofClients : this.#others).push(toFailedRequest(event));
  }

  /** The last to end comes first. */
  list(): readonly FailedRequest[] {
    return mergeFailures(
      [this.#others.newestFirst, this.#ofClients.newestFirst].map((ring) => ring.map(withoutSecrets)),
    );
  }
}

/** Only for those that are read: while an upstream is down, thousands may fail in a second. */
function withoutSecrets({ cause, ...failure }: FailedRequest): FailedRequest {
  return Object.freeze({ ...failure, ...(cause !== undefined && { cause: bounded(maskSecrets(cause)) }) });
}

/** A request without a route is one, too. */
function isOfClient({ error }: RequestEvent): boolean {
  if (error === undefined) return false;
  const { source, status } = errorKind(error);
  return source === "client" || status < 500;
}

/** Merges lists of failures: the last to end comes first, and there are at most as many as one process records. */
export function mergeFailures(failures: readonly (readonly FailedRequest[])[]): readonly FailedRequest[] {
  const sorted = failures.flat().sort((a, b) => b.time + b.durationMs - (a.time + a.durationMs));
  return Object.freeze(sorted.slice(0, limits.recentFailures));
}

/** Keeps the last `size` entries. */
class Ring {
  readonly #entries: FailedRequest[] = [];
  readonly #size: number;
  #next = 0;

  constructor(size: number) {
    this.#size = size;
  }

  get newestFirst(): FailedRequest[] {
    return [...this.#entries.slice(this.#next), ...this.#entries.slice(0, this.#next)].reverse();
  }

  push(failure: FailedRequest): void {
    this.#entries[this.#next] = failure;
    this.#next = (this.#next + 1) % this.#size;
  }
}

function toFailedRequest(event: RequestEvent): FailedRequest {
  const { time, requestId, status, error, route, pool, upstream, attempts, durationMs, traceparent } = event;
  const cause = causeOf(event);
  const traceId = event.traceId ?? /^[\da-f]{2}-([\da-f]{32})-/.exec(traceparent ?? "")?.[1];
  return Object.freeze({
    time,
    requestId: bounded(requestId),
    method: bounded(event.method),
    host: bounded(event.host),
    path: bounded(pathOf(event.url)),
    status,
    ...(error !== undefined && { error }),
    // Longer than what is shown, since the end of a URL decides what is user info in it.
    ...(cause !== undefined && { cause: cause.slice(0, maxCauseText) }),
    ...(route !== undefined && { route }),
    ...(pool !== undefined && { pool }),
    ...(upstream !== undefined && { upstream }),
    attempts: Object.freeze([...attempts]),
    durationMs: toMicroseconds(durationMs),
    ...(traceId !== undefined && { traceId }),
  });
}

/** That of the request's error, or else of its last attempt. */
function causeOf({ cause, attempts }: RequestEvent): string | undefined {
  const messages: string[] = [];
  for (let error: unknown = cause, depth = 0; error !== undefined && depth < maxCauses; depth++) {
    // What the app has thrown can be long.
    const message = messageOf(error).slice(0, maxCauseText);
    // An error often repeats what it wraps.
    if (message !== messages.at(-1)) messages.push(message);
    error = error instanceof Error ? error.cause : undefined;
  }
  return messages.length > 0 ? messages.join(": ") : attempts.at(-1)?.cause;
}

/**
 * Without the query, and without the authority of an absolute-form target, which may have user information. A target that
 * is no path, such as that of CONNECT, may have it too.
 */
function pathOf(target: string): string {
  const path = target.replace(/^[a-z][a-z\d+.-]*:\/\/[^/?#]*/i, "").replace(/[?#].*$/s, "");
  if (path === "") return "/";
  return path.startsWith("//") || !path.startsWith("/") ? path.replace(/^(\/*)[^/]*@/, "$1***@") : path;
}

/** Milliseconds with three decimals. */
function toMicroseconds(ms: number): number {
  return Math.round(ms * 1_000) / 1_000;
}

function bounded(text: string): string {
  return text.slice(0, limits.recordedText);
}
