import { randomUUID } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { limits } from "../config/defaults.ts";
import type { ErrorCode, ProxyError } from "../errors.ts";
import type { AttemptRecord, ExceptionEvent, RequestEvent, RequestFlag } from "../events.ts";
import type { Upstream } from "../pool/upstream.ts";
import { peerAddress } from "../request/client-address.ts";
import type { RequestHeadIn } from "../request/request-head.ts";
import type { Route } from "../request/route-match.ts";
import type { ReceivedRequest } from "../request/routed-request.ts";
import type { ForwardContext } from "./context.ts";

/** What is noted of a request while it is on its way, and told once at its end. */
export class RequestRecord {
  readonly head: RequestHeadIn | undefined;
  /** A hook may lead it to another pool. */
  route: Route | undefined;
  upstream: Upstream | undefined;
  error: ErrorCode | undefined;
  /** The last failure, of an attempt or of the app's own code, and what it came from. */
  failure: { readonly code: ErrorCode; readonly cause: unknown } | undefined;
  /** A `Set-Cookie` that goes with an answer of the proxy's own. */
  setCookie: string | undefined;
  /** Who answers in the proxy's place when it fails. */
  onError: ((error: ProxyError) => void) | undefined;
  /** The request as hooks get it; of another type than Node's where a framework has its own. */
  appRequest: IncomingMessage;
  status = 0;
  bytesIn = 0;
  bytesOut = 0;

  readonly #engine: ForwardContext;
  readonly #req: IncomingMessage;
  readonly #url: string;
  readonly #client: string;
  readonly requestId: string;
  readonly #attempts: AttemptRecord[] = [];
  readonly #startedAt: number;
  readonly #time: number;
  #answeredBy: ServerResponse | undefined;
  #flags: Set<RequestFlag> | undefined;
  #finished = false;

  /** `mountPath` is what a framework has taken off the front of the request's path. */
  constructor(
    engine: ForwardContext,
    req: IncomingMessage,
    arrival: ReceivedRequest | undefined,
    mountPath: string,
    originalUrl: string = putBack(mountPath, req.url ?? ""),
  ) {
    this.#engine = engine;
    this.#req = req;
    this.appRequest = req;
    // Frameworks change it while they pass a request around.
    this.#url = originalUrl;
    this.#client = arrival?.facts.client ?? peerAddress(req.socket.remoteAddress);
    this.requestId = arrival?.facts.requestId ?? randomUUID();
    this.head = arrival?.head;
    this.route = arrival?.route;
    this.#startedAt = engine.runtime.clock.now();
    this.#time = engine.runtime.clock.wallNow();
  }

  get flags(): Set<RequestFlag> {
    this.#flags ??= new Set();
    return this.#flags;
  }

  attemptEnded(startedAt: number, attempt: AttemptRecord): void {
    if (this.#attempts.length === limits.recordedAttempts) this.#attempts.pop();
    this.#attempts.push(attempt);
    const { reporter, runtime } = this.#engine;
    if (!reporter.wants("attempt")) return;
    const { pool, requestId } = this.names();
    reporter.attempt({ ...attempt, pool, requestId, durationMs: runtime.clock.now() - startedAt });
  }

  failed(code: ErrorCode, cause: unknown): void {
    this.error = code;
    this.failure = { code, cause };
  }

  retried(failed: Upstream, reason: ErrorCode | `${number}`): void {
    this.flags.add("retried");
    this.route?.pool.traffic.countRetry(reason);
    const { reporter } = this.#engine;
    if (reporter.wants("retry")) reporter.retry({ ...this.names(), upstream: failed.id, reason });
  }

  /** What was thrown or failed underneath `error`, where it is known. */
  get cause(): unknown {
    return this.failure?.code === this.error ? this.failure?.cause : undefined;
  }

  /** Reports an exception of the app's own code. `code` is the request's error, if it fails over it. */
  threw(where: ExceptionEvent["where"], error: unknown, code?: ErrorCode): void {
    if (code !== undefined) this.failed(code, error);
    const { reporter } = this.#engine;
    reporter.exception({ where, requestId: this.requestId, pool: this.route?.pool.name, error });
  }

  tunnelChanged(change: "opened" | "closed"): void {
    const { reporter } = this.#engine;
    if (!reporter.wants("tunnel")) return;
    const { bytesIn, bytesOut } = this;
    const durationMs = change === "opened" ? 0 : this.#elapsedMs();
    reporter.tunnel({ ...this.names(), change, durationMs, bytesIn, bytesOut });
  }

  /** The answer is the app's; its status will be what the app has made it. */
  answeredElsewhere(res: ServerResponse): void {
    this.#answeredBy = res;
  }

  /** Tells it, the first time it is called. */
  finish(): void {
    if (this.#finished) return;
    this.#finished = true;
    if (this.#answeredBy?.writableFinished === true) this.status = this.#answeredBy.statusCode;
    const { route, status } = this;
    const { reporter } = this.#engine;
    const method = this.#req.method ?? "";
    if (route !== undefined) {
      route.pool.traffic.bytesIn += this.bytesIn;
      route.pool.traffic.bytesOut += this.bytesOut;
    }
    reporter.count({ route: route?.options.name, pool: route?.pool.name, method, status }, this.#elapsedMs());
    if (reporter.wants("request")) reporter.request(this.#toEvent());
  }

  #elapsedMs(): number {
    return this.#engine.runtime.clock.now() - this.#startedAt;
  }

  /** What events and hooks call it and where it is. */
  names(): { readonly pool: string; readonly upstream: string; readonly requestId: string } {
    return { pool: this.route?.pool.name ?? "", upstream: this.upstream?.id ?? "", requestId: this.requestId };
  }

  #toEvent(): RequestEvent {
    const { head, route } = this;
    return {
      time: this.#time,
      requestId: this.requestId,
      client: this.#client,
      method: this.#req.method ?? "",
      host: head?.host ?? "",
      url: this.#url,
      protocol: this.#req.httpVersion === "" ? "" : `HTTP/${this.#req.httpVersion}`,
      status: this.status,
      bytesIn: this.bytesIn,
      bytesOut: this.bytesOut,
      durationMs: this.#elapsedMs(),
      route: route?.options.name,
      pool: route?.pool.name,
      upstream: this.upstream?.id,
      attempts: this.#attempts,
      error: this.error,
      ...(this.cause !== undefined && { cause: this.cause }),
      flags: [...(this.#flags ?? [])],
      traceparent: head?.traceparent,
      userAgent: head?.userAgent,
      referer: head?.referer,
    };
  }
}

/** The target as the client sent it. In an absolute-form, the mount path stood behind the authority. */
function putBack(mountPath: string, url: string): string {
  if (mountPath === "" || url.startsWith("/")) return mountPath + url;
  return url.replace(/^https?:\/\/[^/?#]*/i, (authority) => authority + mountPath);
}
