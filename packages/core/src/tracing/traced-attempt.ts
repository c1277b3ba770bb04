import type { UpstreamAddress } from "../config/resolved.ts";
import { headerRule, refusedReason } from "../config/settable-header.ts";
import type { ErrorCode } from "../errors.ts";
import { fieldText, token } from "../http1/grammar.ts";
import { type HeaderChangeSet, withHeaderChanges } from "../http1/header-changes.ts";
import { attemptChannel, publishEnd, startTrace } from "./channels.ts";
import type { AttemptTrace, PickTrace, RunInContext } from "./messages.ts";
import type { TracedRequest } from "./traced-request.ts";

/** The upstream of an attempt. */
export interface AttemptDestination {
  readonly pool: string;
  readonly upstream: { readonly id: string; readonly address: UpstreamAddress };
  readonly http2: boolean | "h2c";
}

/** What is known of an attempt at its end. */
export type AttemptEnd = Pick<AttemptTrace, "status" | "grpcStatus" | "error" | "cause" | "connectMs" | "headersMs">;

/** The message of one attempt of a traced request. */
export class TracedAttempt implements AttemptTrace {
  readonly request: TracedRequest;
  readonly number: number;
  readonly pool: string;
  readonly upstream: string;
  readonly address: UpstreamAddress;
  readonly httpVersion: "1.1" | "2" | undefined;
  readonly method: string;
  readonly pick: PickTrace;
  target = "";
  run: RunInContext | undefined;
  status: number | undefined;
  grpcStatus: number | undefined;
  error: ErrorCode | undefined;
  cause: string | undefined;
  connectMs: number | undefined;
  headersMs: number | undefined;
  /** By lower-case name. Undefined removes the header. */
  #changes: Map<string, readonly [name: string, value: string] | undefined> | undefined;
  #started = false;

  constructor(request: TracedRequest, { pool, upstream, http2 }: AttemptDestination, pick: PickTrace) {
    this.request = request;
    this.number = request.nextAttempt();
    this.pool = pool;
    this.upstream = upstream.id;
    this.address = upstream.address;
    this.httpVersion = versionFor(upstream.address, http2, request.kind);
    this.method = request.method;
    this.pick = pick;
  }

  setHeader(name: string, value: string): void {
    if (!token.test(name) || headerRule(name) !== "free") {
      throw new TypeError(`the header ${JSON.stringify(name)} cannot be set: ${refusedReason}`);
    }
    if (!fieldText.test(value)) throw new TypeError(`the header ${JSON.stringify(name)} has a value that is no text`);
    this.#change(name, [name, value]);
  }

  removeHeader(name: string): void {
    this.#change(name, undefined);
  }

  /** Publishes the start. Returns the headers with the changes of the subscribers. */
  start(target: string, headers: string[]): string[] {
    this.target = target;
    this.#started = true;
    startTrace(attemptChannel, this, () => {});
    return this.#changes === undefined ? headers : withHeaderChanges(headers, toChangeSet(this.#changes));
  }

  /** Publishes the end, if it has started. To be called once. */
  end(end: AttemptEnd): void {
    if (!this.#started) return;
    Object.assign(this, end);
    publishEnd(attemptChannel, this, end.error !== undefined);
  }

  /** Headers that the proxy itself removes or sets are not changed. */
  #change(name: string, change: readonly [name: string, value: string] | undefined): void {
    if (headerRule(name) !== "free") return;
    this.#changes ??= new Map();
    this.#changes.set(name.toLowerCase(), change);
  }
}

function toChangeSet(changes: ReadonlyMap<string, readonly [string, string] | undefined>): HeaderChangeSet {
  return { set: [...changes.values()].filter((change) => change !== undefined), drop: new Set(changes.keys()) };
}

function versionFor(
  { tls }: UpstreamAddress,
  http2: boolean | "h2c",
  kind: TracedRequest["kind"],
): AttemptTrace["httpVersion"] {
  if (http2 === false || kind === "upgrade") return "1.1";
  if (tls) return undefined;
  return http2 === "h2c" ? "2" : "1.1";
}
