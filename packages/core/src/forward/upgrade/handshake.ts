import type { IncomingMessage } from "node:http";
import { type AttemptHandler, AttemptLoop } from "../../attempts/attempt-loop.ts";
import type { InFlight } from "../../attempts/in-flight.ts";
import { takeLoadReport } from "../../attempts/load-report.ts";
import { SessionAffinity } from "../../attempts/session-affinity.ts";
import type { ClientExchange, ClientHandler } from "../../client/client-exchange.ts";
import type { RawStream } from "../../client/raw-stream.ts";
import type { ErrorCode } from "../../errors.ts";
import { fieldValue } from "../../http1/fields.ts";
import type { Outcome, Upstream } from "../../pool/upstream.ts";
import type { RoutedRequest } from "../../request/routed-request.ts";
import type { Routing } from "../../request/routing.ts";
import { bindContext } from "../../runtime/async-context.ts";
import { InputTimeout } from "../../runtime/input-timeout.ts";
import type { TracedAttempt } from "../../tracing/traced-attempt.ts";
import { connectFailureCode, isHandshakeAlert } from "../../transport/failure-codes.ts";
import { TransportError } from "../../transport/transport-error.ts";
import { ClientResponse } from "../client-response.ts";
import type { ForwardContext } from "../context.ts";
import { clientHeaders } from "../headers/client-headers.ts";
import { upstreamHeaders, upstreamPath } from "../headers/upstream-headers.ts";
import type { RequestRecord } from "../request-record.ts";
import { type RelayedRefusal, refusalFault, relayRefusal } from "./handshake-refusal.ts";
import { closeTunnel, joinTunnel, requestTunnel, type TunnelAttempt, type TunnelHandler } from "./tunnel.ts";

export interface HandshakeInput {
  readonly context: ForwardContext;
  /** The routing that the request was read under. */
  readonly routing: Routing;
  readonly client: ClientExchange;
  readonly received: RoutedRequest;
  readonly record: RequestRecord;
  readonly mountPath: string;
}

/** One WebSocket handshake: it ends with a tunnel, with the upstream's refusal, or with an error response. */
export class Handshake implements ClientHandler, TunnelHandler, AttemptHandler, InFlight {
  readonly #in: HandshakeInput;
  /** A handshake has no body. */
  readonly replayable = true;
  readonly #response: ClientResponse;
  readonly #affinity: SessionAffinity | undefined;
  readonly #attempts: AttemptLoop;
  /** The connection of the attempt in progress stands. */
  #connected = false;
  #startedAt = 0;
  #attempt: TunnelAttempt | undefined;
  #timer: InputTimeout | undefined;
  #refusal: RelayedRefusal | undefined;
  #tunnel: { readonly client: RawStream; readonly upstream: RawStream } | undefined;
  #closing = false;
  /** The response is decided: no further attempt is made. */
  #decided = false;

  constructor(input: HandshakeInput) {
    this.#in = input;
    const { client, received, record, context } = input;
    const { route } = received;
    this.#response = new ClientResponse(client, record, context);
    this.#affinity = route.sticky && new SessionAffinity(route.sticky, received, record);
    this.#attempts = new AttemptLoop(
      {
        to: route,
        runtime: context.runtime,
        method: "GET",
        key: route.keyOf?.(received),
        affinity: this.#affinity,
        notes: record,
      },
      this,
    );
  }

  start(): void {
    this.#in.context.inFlight.add(this);
    this.#in.client.start(this);
    this.#attempts.start();
  }

  /** The first call closes a tunnel with 1001, and responds 503 to a handshake. The second one closes what is left. */
  destroy(): void {
    const isFirst = !this.#closing;
    this.#closing = true;
    if (this.#tunnel !== undefined) {
      const { client, upstream } = this.#tunnel;
      if (isFirst) return closeTunnel(client, upstream);
      client.stream.destroy();
      upstream.stream.destroy();
    } else if (isFirst && (!this.#decided || this.#refusal !== undefined)) this.onGiveUp("closed");
    else this.#in.client.cutOff();
  }

  // Called by the attempts.

  onAttempt(upstream: Upstream, _freshConnection: boolean, trace: TracedAttempt | undefined): void {
    const { received, routing, mountPath, client, context } = this.#in;
    const { route, facts, target, head } = received;
    const { options } = route.pool;
    const { clock } = context.runtime;
    this.#connected = false;
    this.#startedAt = clock.now();
    this.#timer = new InputTimeout(clock, () => this.#onConnectTimeout(), options.timeouts.connectMs);
    const { forwarded } = routing;
    // A refusal is relayed without trailers.
    const accepted = { ...head, wantsTrailers: false };
    const path = upstreamPath(target, route.options, upstream.address);
    const headers = upstreamHeaders(accepted, facts, route.options, upstream.address, { forwarded, mountPath });
    this.#attempt = requestTunnel(
      {
        address: upstream.address,
        tls: options.tls,
        responseHead: options.connections.responseHead,
        connector: route.pool.connector,
        path,
        headers: trace?.start(path, headers) ?? headers,
        run: trace?.run,
        // An app cannot change it in `req.headers`: the upstream gets the client's.
        key: fieldValue(client.rawHeaders, "sec-websocket-key") ?? "",
      },
      this,
    );
  }

  onGiveUp(code: ErrorCode, cause?: unknown): void {
    const { record } = this.#in;
    if (code === "policy_failed") record.threw("policy", cause, code);
    if (this.#refusal !== undefined) return this.#refusal.breakOff(code);
    record.error = code;
    this.#stop(code, code);
    this.#response.fail(code, false);
  }

  // Called by the client.

  onBody(): void {}
  onBodyEnd(): void {}

  onFault(code: ErrorCode): void {
    if (!this.#decided) this.onGiveUp(code);
  }

  onWritable(): void {
    this.#response.onWritable();
    this.#refusal?.resume();
  }

  /** The client has left, or the response was sent. A tunnel ends by `#onTunnelClosed`. */
  onClosed(finished: boolean): void {
    const { context, record } = this.#in;
    this.#stop("aborted", "client_aborted");
    if (!finished && record.error !== "closed" && !record.flags.has("truncated")) record.clientAborted();
    this.#response.release();
    context.inFlight.delete(this);
    record.finish();
  }

  // Called by the upstream.

  onConnected(): void {
    this.#connected = true;
    const { clock } = this.#in.context.runtime;
    this.#attempts.connected(clock.now() - this.#startedAt);
    this.#clearTimer();
    const { retry, timeouts } = this.#in.received.route.pool.options;
    const { headersMs } = timeouts;
    const timeoutMs = Math.min(retry.perTryTimeoutMs || headersMs, headersMs);
    this.#timer = new InputTimeout(clock, () => this.#failed("headers_timeout"), timeoutMs);
  }

  onSwitch(raw: readonly string[], upstream: RawStream): void {
    const { client, context, record, received } = this.#in;
    this.#clearTimer();
    this.#decided = true;
    const changes = received.route.options.responseHeaders;
    const headers = this.#bound(clientHeaders(takeLoadReport(record, raw), changes, 101));
    const taken = client.takeOver(headers);
    if (taken === undefined) {
      upstream.stream.destroy();
      return this.onGiveUp("internal");
    }
    this.#tunnel = { client: taken, upstream };
    record.status = 101;
    record.error = undefined;
    this.#attempts.responded(101);
    const onClosed = this.#attempts.becomeTunnel(this);
    joinTunnel(
      context.runtime.clock,
      taken,
      upstream,
      bindContext(() => {
        onClosed();
        this.#onTunnelClosed(taken, upstream);
      }),
    );
    record.tunnelChanged("opened");
  }

  #onTunnelClosed(client: RawStream, upstream: RawStream): void {
    const { context, record } = this.#in;
    record.bytesIn = client.bytesRead;
    record.bytesOut = upstream.bytesRead;
    record.tunnelChanged("closed");
    context.inFlight.delete(this);
    record.finish();
  }

  onRefusal(upstreamResponse: IncomingMessage): void {
    const { context, received, record } = this.#in;
    const { statusCode = 502, statusMessage = "", rawHeaders } = upstreamResponse;
    const { options } = received.route.pool;
    const fault = refusalFault(upstreamResponse, options.connections.responseHead);
    if (fault !== undefined) return this.#failed(fault);
    this.#clearTimer();
    this.#decided = true;
    this.#attempts.responded(statusCode);
    const changes = received.route.options.responseHeaders;
    const headers = this.#bound(clientHeaders(takeLoadReport(record, rawHeaders), changes, statusCode));
    this.#response.begin(statusCode, statusMessage, [...headers, "Connection", "close"], false);
    const limits = { clock: context.runtime.clock, idleMs: options.timeouts.idleMs };
    this.#refusal = relayRefusal(upstreamResponse, this.#response, limits, (failure) => {
      record.error = failure;
      const outcome = failure === undefined ? { status: statusCode } : { status: statusCode, error: failure };
      this.#attempts.settle(failure ?? "success", outcome);
    });
  }

  onMismatch(): void {
    this.#failed("upgrade_failed");
  }

  onError(error: Error): void {
    if (error instanceof TransportError) this.#failed(error.code, error);
    else if (this.#connected) this.#failed(isHandshakeAlert(error) ? "tls_failed" : "reset", error);
    else this.#failed(connectFailureCode(error, this.#in.record.upstream?.address.tls ?? false), error);
  }

  #failed(code: ErrorCode, cause?: unknown): void {
    if (this.#decided) return;
    this.#clearTimer();
    this.#attempt?.abort();
    this.#in.record.failed(code, cause);
    this.#attempts.failed({ code, cause, reused: false, sent: this.#connected });
  }

  #bound(headers: string[]): string[] {
    return this.#affinity === undefined ? headers : this.#affinity.bind(headers, this.#in.record.upstream);
  }

  /** Ends the attempt in progress, and every wait for another. */
  #stop(outcome: Outcome, error: ErrorCode): void {
    this.#decided = true;
    this.#attempts.stop();
    this.#clearTimer();
    this.#attempt?.abort();
    this.#attempts.settle(outcome, { error });
  }

  #onConnectTimeout(): void {
    const error = this.#attempt?.connectTimeout();
    this.#failed(error?.code ?? "connect_timeout", error);
  }

  #clearTimer(): void {
    this.#timer?.clear();
  }
}
