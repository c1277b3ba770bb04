import { randomUUID } from "node:crypto";
import type { IncomingMessage } from "node:http";
import type { ClientExchange, IncomingRequest, ResponseLead } from "../client/client-exchange.ts";
import { LazyServerRequest } from "../client/server-request.ts";
import { limits } from "../config/defaults.ts";
import { type ErrorCode, errorKind, type ProxyError } from "../errors.ts";
import type { AttemptRecord, ExceptionEvent, RequestEvent, RequestFlag, RetryReason } from "../events.ts";
import { isGrpcType } from "../grpc/protocol.ts";
import { grpcStatusOfError } from "../grpc/status.ts";
import { fieldValue } from "../http1/fields.ts";
import type { Upstream } from "../pool/upstream.ts";
import { peerAddress } from "../request/client-address.ts";
import type { RequestHeadIn } from "../request/request-head.ts";
import type { Route } from "../request/route-match.ts";
import type { ReceivedRequest } from "../request/routed-request.ts";
import type { TracedRequest } from "../tracing/traced-request.ts";
import type { ForwardContext } from "./context.ts";

/** Responds in the proxy's place. Nothing has been written yet. */
export type OnError = (error: ProxyError, lead: ResponseLead) => void;

/** What a framework in front of the proxy knows of a request. */
export interface RecordOptions {
  /** The path that the framework has taken off the front of the target. */
  readonly mountPath?: string | undefined;
  /** The target as the client sent it. Default: the mount path and the target. */
  readonly originalUrl?: string | undefined;
  /** The request as hooks receive it. */
  readonly request?: object | undefined;
}

/** What is recorded of a request while it is in flight, and reported once at its end. */
export class RequestRecord {
  readonly head: RequestHeadIn | undefined;
  /** A hook may lead it to another pool. */
  route: Route | undefined;
  upstream: Upstream | undefined;
  error: ErrorCode | undefined;
  /** The last failure, of an attempt or of the app's own code, and what it came from. */
  failure: { readonly code: ErrorCode; readonly cause: unknown } | undefined;
  /** A `Set-Cookie` for a locally generated response. */
  setCookie: string | undefined;
  /** Responds in the proxy's place when the request fails. */
  onError: OnError | undefined;
  status = 0;
  /** The status with which the upstream has ended a gRPC call. */
  grpcStatus: number | undefined;
  bytesIn = 0;
  bytesOut = 0;
  /** Undefined unless the request is traced. */
  trace: TracedRequest | undefined;
  /** The target as the client sent it. */
  readonly url: string;
  /** The HTTP server of an app has received it. */
  readonly behindApp: boolean;
  /** The client's address, as far as it can be trusted. */
  readonly client: string;

  readonly #context: ForwardContext;
  readonly #request: IncomingRequest;
  readonly requestId: string;
  readonly #attempts: AttemptRecord[] = [];
  readonly #startedAt: number;
  readonly #time: number;
  #appRequest: object | undefined;
  #answeredByApp: Pick<ClientExchange, "status"> | undefined;
  #flags: Set<RequestFlag> | undefined;
  #finished = false;
  #tunnel = false;

  /** `received` is undefined for a request that is refused. */
  constructor(
    context: ForwardContext,
    request: IncomingRequest,
    received: ReceivedRequest | undefined,
    { mountPath = "", originalUrl = withMountPath(mountPath, request.target), request: appRequest }: RecordOptions = {},
  ) {
    this.#context = context;
    this.#request = request;
    this.#appRequest = appRequest;
    this.behindApp = appRequest !== undefined;
    this.url = originalUrl;
    this.client = received?.facts.client ?? peerAddress(request.remoteAddress);
    this.requestId = received?.facts.requestId ?? randomUUID();
    this.head = received?.head;
    this.route = received?.route;
    this.#startedAt = context.runtime.clock.now();
    this.#time = context.runtime.clock.wallNow();
  }

  /** The request as hooks receive it: a framework's or Node's own, or what a server without them has received. */
  get appRequest(): IncomingMessage {
    this.#appRequest ??= new LazyServerRequest(this.#request);
    return this.#appRequest as IncomingMessage;
  }

  get flags(): Set<RequestFlag> {
    this.#flags ??= new Set();
    return this.#flags;
  }

  attemptEnded(startedAt: number, attempt: AttemptRecord): void {
    if (this.#attempts.length === limits.recordedAttempts) this.#attempts.pop();
    this.#attempts.push(attempt);
    const { reporter, runtime } = this.#context;
    if (!reporter.wants("attempt")) return;
    const { pool, requestId } = this.names();
    reporter.attempt({ ...attempt, pool, requestId, durationMs: runtime.clock.now() - startedAt });
  }

  failed(code: ErrorCode, cause: unknown): void {
    this.error = code;
    this.failure = { code, cause };
  }

  retried(failed: Upstream, reason: RetryReason): void {
    this.flags.add("retried");
    this.route?.pool.traffic.countRetry(reason);
    const { reporter } = this.#context;
    if (reporter.wants("retry")) reporter.retry({ ...this.names(), upstream: failed.id, reason });
  }

  /** What was thrown or failed underneath `error`, where it is known. */
  get cause(): unknown {
    return this.failure?.code === this.error ? this.failure?.cause : undefined;
  }

  /** Reports an exception of the app's own code. `code` is the request's error, if it fails over it. */
  threw(where: ExceptionEvent["where"], error: unknown, code?: ErrorCode): void {
    if (code !== undefined) this.failed(code, error);
    const { reporter } = this.#context;
    reporter.exception({ where, requestId: this.requestId, pool: this.route?.pool.name, error });
  }

  tunnelChanged(change: "opened" | "closed"): void {
    this.#tunnel = true;
    const { reporter } = this.#context;
    if (!reporter.wants("tunnel")) return;
    const { bytesIn, bytesOut } = this;
    const durationMs = change === "opened" ? 0 : this.#elapsedMs();
    reporter.tunnel({ ...this.names(), change, durationMs, bytesIn, bytesOut });
  }

  /** The response is the app's. Its status is recorded once it is sent. */
  answeredByApp(client: Pick<ClientExchange, "status">): void {
    this.#answeredByApp = client;
  }

  /** Records that the client has left before it received the whole response. */
  clientAborted(): void {
    this.error = "client_aborted";
    this.status = errorKind("client_aborted").status;
  }

  /** Reports the request, the first time it is called. `sent`: the response was sent completely. */
  finish(sent = false): void {
    if (this.#finished) return;
    this.#finished = true;
    if (sent && this.#answeredByApp !== undefined) this.status = this.#answeredByApp.status;
    const { route, status, error } = this;
    const { reporter } = this.#context;
    const { method } = this.#request;
    if (route !== undefined) {
      route.pool.traffic.bytesIn += this.bytesIn;
      route.pool.traffic.bytesOut += this.bytesOut;
    }
    const grpcStatus = this.isGrpc ? this.#finalGrpcStatus() : undefined;
    const tunnel = this.#tunnel;
    const labels = { route: route?.options.name, pool: route?.pool.name, method, status, grpcStatus, error, tunnel };
    const durationMs = this.#elapsedMs();
    reporter.count(labels, durationMs);
    this.#endTrace(grpcStatus);
    if (error !== undefined || this.#attempts.length > 1) {
      reporter.problem({ pool: route?.pool, error, attempts: this.#attempts });
    }
    const failed = status >= 500 || (error !== undefined && error !== "client_aborted");
    const wanted = reporter.wants("request");
    if (!failed && !wanted) return;
    const event = this.#toEvent(grpcStatus, durationMs);
    if (failed) reporter.failed(event);
    if (wanted) reporter.request(event);
  }

  /** The request is a gRPC call. One whose head was refused may be one too. */
  get isGrpc(): boolean {
    return this.head?.grpc ?? isGrpcType(fieldValue(this.#request.rawHeaders, "content-type") ?? "");
  }

  /** That of the error, also where the upstream has sent another one before the response broke off. */
  #finalGrpcStatus(): number | undefined {
    return this.error === undefined ? this.grpcStatus : grpcStatusOfError(this.error);
  }

  #elapsedMs(): number {
    return this.#context.runtime.clock.now() - this.#startedAt;
  }

  #endTrace(grpcStatus: number | undefined): void {
    if (this.trace === undefined) return;
    const { route, upstream, status, error, cause, bytesIn, bytesOut } = this;
    this.trace.end({
      status,
      grpcStatus,
      error,
      cause,
      route: route?.options.name,
      pool: route?.pool.name,
      upstream: upstream?.id,
      flags: this.#flags === undefined ? [] : [...this.#flags],
      bytesIn,
      bytesOut,
    });
  }

  /** The names by which events and hooks identify the request. */
  names(): { readonly pool: string; readonly upstream: string; readonly requestId: string } {
    return { pool: this.route?.pool.name ?? "", upstream: this.upstream?.id ?? "", requestId: this.requestId };
  }

  #toEvent(grpcStatus: number | undefined, durationMs: number): RequestEvent {
    const { head, route, cause } = this;
    // Without a spread: an object literal with one has slow properties, which every listener would pay for.
    const event: Mutable<RequestEvent> = {
      time: this.#time,
      requestId: this.requestId,
      client: this.client,
      method: this.#request.method,
      host: head?.host ?? "",
      url: this.url,
      protocol: toProtocol(this.#request.httpVersion),
      status: this.status,
      bytesIn: this.bytesIn,
      bytesOut: this.bytesOut,
      durationMs,
      route: route?.options.name,
      pool: route?.pool.name,
      upstream: this.upstream?.id,
      attempts: this.#attempts,
      error: this.error,
      flags: this.#flags === undefined ? [] : [...this.#flags],
      traceparent: head?.traceparent,
      userAgent: head?.userAgent,
      referer: head?.referer,
    };
    if (grpcStatus !== undefined) event.grpcStatus = grpcStatus;
    if (cause !== undefined) event.cause = cause;
    const span = this.trace?.span;
    if (span !== undefined) {
      event.traceId = span.traceId;
      event.spanId = span.spanId;
    }
    return event;
  }
}

type Mutable<T> = { -readonly [Key in keyof T]: T[Key] };

/** Without a new string for the common version. */
function toProtocol(httpVersion: string): string {
  if (httpVersion === "1.1") return "HTTP/1.1";
  return httpVersion === "" ? "" : `HTTP/${httpVersion}`;
}

/** The target as the client sent it. In absolute-form, the mount path follows the authority. */
function withMountPath(mountPath: string, url: string): string {
  if (mountPath === "" || url.startsWith("/")) return mountPath + url;
  return url.replace(/^https?:\/\/[^/?#]*/i, (authority) => authority + mountPath);
}
