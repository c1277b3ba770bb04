import type { ErrorCode } from "../errors.ts";
import type { RequestFlag, RetryReason } from "../events.ts";
import { fieldValue } from "../http1/fields.ts";
import { publishEnd, requestChannel, requestEventChannel, startTrace } from "./channels.ts";
import type { RequestTrace, RunInContext, SpanIds } from "./messages.ts";

/** What is known of a request at its start. */
export type RequestStart = Pick<
  RequestTrace,
  | ("kind" | "requestId" | "behindApp" | "method" | "scheme" | "host" | "path" | "query" | "httpVersion")
  | ("client" | "peer" | "headers" | "route" | "pool")
>;

/** What is known of a request at its end. */
export type RequestEnd = Pick<
  RequestTrace,
  "status" | "grpcStatus" | "error" | "cause" | "route" | "pool" | "upstream" | "flags" | "bytesIn" | "bytesOut"
>;

/** The message of one request. Only created if the channel had a subscriber when the request started. */
export class TracedRequest implements RequestTrace {
  readonly kind: RequestTrace["kind"];
  readonly requestId: string | undefined;
  readonly behindApp: boolean;
  readonly method: string;
  readonly scheme: "http" | "https";
  readonly host: string;
  readonly path: string;
  readonly query: string;
  readonly httpVersion: string;
  readonly client: string;
  readonly peer: string;
  readonly headers: readonly string[];
  route: string | undefined;
  pool: string | undefined;
  span: SpanIds | undefined;
  run: RunInContext | undefined;
  status: number | undefined;
  grpcStatus: number | undefined;
  error: ErrorCode | undefined;
  cause: unknown;
  upstream: string | undefined;
  flags: readonly RequestFlag[] = [];
  bytesIn = 0;
  bytesOut = 0;
  /** The number of attempts that have started. */
  #attempts = 0;
  #wait: { readonly for: "queue" | "outage"; readonly since: number } | undefined;

  constructor(start: RequestStart) {
    this.kind = start.kind;
    this.requestId = start.requestId;
    this.behindApp = start.behindApp;
    this.method = start.method;
    this.scheme = start.scheme;
    this.host = start.host;
    this.path = start.path;
    this.query = start.query;
    this.httpVersion = start.httpVersion;
    this.client = start.client;
    this.peer = start.peer;
    this.headers = start.headers;
    this.route = start.route;
    this.pool = start.pool;
  }

  header(lowerName: string): string | undefined {
    return fieldValue(this.headers, lowerName);
  }

  /** Publishes the start, and calls `code` in the contexts of the subscribers. */
  start(code: () => void): void {
    startTrace(requestChannel, this, code);
  }

  /** Publishes the end. To be called once. */
  end(end: RequestEnd): void {
    Object.assign(this, end);
    publishEnd(requestChannel, this, end.error !== undefined);
  }

  /** The number of the next attempt. */
  nextAttempt(): number {
    return this.#attempts++;
  }

  retried(upstream: string, reason: RetryReason): void {
    requestEventChannel.publish({ request: this, type: "retry", upstream, reason });
  }

  /** `now` is on the monotonic clock. */
  waits(kind: "queue" | "outage", now: number): void {
    this.#wait ??= { for: kind, since: now };
  }

  /** Ends a wait, if there is one. */
  waited(now: number): void {
    const wait = this.#wait;
    if (wait === undefined) return;
    this.#wait = undefined;
    requestEventChannel.publish({ request: this, type: "wait", for: wait.for, waitedMs: now - wait.since });
  }
}
