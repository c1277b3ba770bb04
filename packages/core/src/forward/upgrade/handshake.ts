import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { type AttemptHandler, AttemptLoop } from "../../attempts/attempt-loop.ts";
import type { InFlight } from "../../attempts/in-flight.ts";
import { takeLoadReport } from "../../attempts/load-report.ts";
import { SessionAffinity } from "../../attempts/session-affinity.ts";
import { appHeadersBeside } from "../../client/node/app-response-headers.ts";
import { onResponseClosed } from "../../client/node/response-closed.ts";
import { type ErrorCode, errorKind } from "../../errors.ts";
import type { Outcome, Upstream } from "../../pool/upstream.ts";
import type { RoutedRequest } from "../../request/routed-request.ts";
import type { Routing } from "../../request/routing.ts";
import { bindContext } from "../../runtime/async-context.ts";
import { InputTimeout } from "../../runtime/input-timeout.ts";
import { connectFailureCode, isHandshakeAlert } from "../../transport/failure-codes.ts";
import { TransportError } from "../../transport/transport-error.ts";
import type { ClientResponse } from "../client-response.ts";
import type { ForwardContext } from "../context.ts";
import { clientHeaders } from "../headers/client-headers.ts";
import { upstreamHeaders, upstreamPath } from "../headers/upstream-headers.ts";
import type { RequestRecord } from "../request-record.ts";
import { refusalFault, relayRefusal } from "./handshake-refusal.ts";
import {
  joinEnds,
  requestTunnel,
  sayGoodbye,
  type TunnelAttempt,
  type TunnelHandler,
  type TunnelSide,
} from "./tunnel.ts";

interface HandshakeInput {
  readonly engine: ForwardContext;
  readonly routing: Routing;
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  readonly socket: Duplex;
  /** Bytes that the client sent behind its request. */
  readonly head: Buffer;
  /** The socket as a side of the tunnel, if there is to be one. */
  readonly client: TunnelSide;
  readonly arrival: RoutedRequest;
  readonly record: RequestRecord;
  readonly response: ClientResponse;
  readonly mountPath: string;
}

/** An app cannot change it in `req.headers`: the upstream gets the client's. */
function webSocketKey(headers: readonly string[]): string {
  const index = headers.findIndex((text, place) => place % 2 === 0 && /^sec-websocket-key$/i.test(text));
  return String(headers[index + 1]);
}

/** One WebSocket handshake on its way: pick, ask, and either join the sockets or relay what the upstream says instead. */
export class Handshake implements TunnelHandler, AttemptHandler, InFlight {
  readonly #in: HandshakeInput;
  /** A handshake has no body. */
  readonly replayable = true;
  readonly #affinity: SessionAffinity | undefined;
  readonly #attempts: AttemptLoop;
  #connected = false;
  #startedAt = 0;
  #tunnel: TunnelAttempt | undefined;
  #timer: InputTimeout | undefined;
  #breakOffRefusal: ((code: ErrorCode) => void) | undefined;
  #upstreamSocket: Duplex | undefined;
  #toldToEnd = false;
  #over = false;

  constructor(input: HandshakeInput) {
    this.#in = input;
    const { arrival, record, engine } = input;
    const { route } = arrival;
    this.#affinity = route.sticky && new SessionAffinity(route.sticky, arrival, record);
    this.#attempts = new AttemptLoop(
      {
        to: route,
        runtime: engine.runtime,
        method: "GET",
        key: route.keyOf?.(arrival),
        affinity: this.#affinity,
        notes: record,
      },
      this,
    );
  }

  start(): void {
    const { engine, socket, res } = this.#in;
    engine.active.add(this);
    socket.on("error", this.#onClientGone);
    socket.on("end", this.#onClientGone);
    onResponseClosed(this.#in.req, res, this.#onClientGone);
    this.#attempts.start();
  }

  /** The first time, a tunnel is closed with 1001, and a handshake answered 503. What is left the second time is cut. */
  destroy(): void {
    const { socket } = this.#in;
    const isFirst = !this.#toldToEnd;
    this.#toldToEnd = true;
    if (isFirst && this.#upstreamSocket !== undefined) return sayGoodbye(socket, this.#upstreamSocket);
    if (isFirst && (!this.#over || this.#breakOffRefusal !== undefined)) return this.onGiveUp("closed");
    socket.destroy();
    this.#upstreamSocket?.destroy();
  }

  onAttempt(upstream: Upstream): void {
    const { arrival, routing, mountPath, socket, head } = this.#in;
    const { route, facts, target } = arrival;
    const { options } = route.pool;
    this.#connected = false;
    const { clock } = this.#in.engine.runtime;
    this.#startedAt = clock.now();
    this.#timer = new InputTimeout(clock, () => this.#onConnectTimeout(), options.timeouts.connectMs);
    const { forwarded } = routing;
    // A response that ends a handshake is relayed without trailers.
    const asked = { ...arrival.head, wantsTrailers: false };
    const headers = upstreamHeaders(asked, facts, route.options, upstream.address, { forwarded, mountPath });
    this.#tunnel = requestTunnel(
      {
        address: upstream.address,
        tls: options.tls,
        responseHead: options.connections.responseHead,
        connector: route.pool.connector,
        path: upstreamPath(target, route.options, upstream.address),
        headers,
        key: webSocketKey(arrival.head.passed),
      },
      { socket, head },
      this,
    );
  }

  onConnected(): void {
    this.#connected = true;
    this.#attempts.connected(this.#in.engine.runtime.clock.now() - this.#startedAt);
    this.#clearTimer();
    const { retry, timeouts } = this.#in.arrival.route.pool.options;
    const { headersMs } = timeouts;
    this.#timer = this.#after(Math.min(retry.perTryTimeoutMs || headersMs, headersMs), "headers_timeout");
  }

  onSwitch(raw: readonly string[], upstream: TunnelSide, open: (headers: readonly string[]) => void): void {
    const { engine, socket, client, res, record, arrival } = this.#in;
    this.#clearTimer();
    this.#over = true;
    socket.off("error", this.#onClientGone).off("end", this.#onClientGone);
    this.#upstreamSocket = upstream.socket;
    record.status = 101;
    record.error = undefined;
    this.#attempts.responded(101);
    const closeTunnel = this.#attempts.becomeTunnel(this);
    res.detachSocket(socket as Socket);
    const changes = arrival.route.options.responseHeaders;
    const onOver = bindContext(() => {
      record.bytesIn = client.bytesRead;
      record.bytesOut = upstream.bytesRead;
      closeTunnel();
      record.tunnelChanged("closed");
      engine.active.delete(this);
      record.finish();
    });
    joinEnds(engine.runtime.clock, socket, upstream.socket, onOver);
    const headers = this.#bound(clientHeaders(takeLoadReport(record, raw), changes, 101));
    open([...headers, ...appHeadersBeside(res, headers), "Connection", "Upgrade", "Upgrade", "websocket"]);
    record.tunnelChanged("opened");
  }

  onRefusal(upstreamResponse: IncomingMessage): void {
    const { engine, arrival, record, response } = this.#in;
    const { statusCode = 502, statusMessage = "", rawHeaders } = upstreamResponse;
    const fault = refusalFault(upstreamResponse, arrival.route.pool.options.connections.responseHead);
    if (fault !== undefined) return this.#failed(fault);
    this.#clearTimer();
    this.#over = true;
    this.#attempts.responded(statusCode);
    const headers = clientHeaders(
      takeLoadReport(record, rawHeaders),
      arrival.route.options.responseHeaders,
      statusCode,
    );
    response.begin(statusCode, statusMessage, [...this.#bound(headers), "Connection", "close"], false);
    const { idleMs } = arrival.route.pool.options.timeouts;
    this.#breakOffRefusal = relayRefusal(
      upstreamResponse,
      response,
      { clock: engine.runtime.clock, idleMs },
      (failure) => {
        record.error = failure;
        this.#attempts.settle(failure ?? "success", {
          status: statusCode,
          ...(failure !== undefined && { error: failure }),
        });
      },
    );
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
    if (this.#over) return;
    this.#clearTimer();
    this.#tunnel?.abort();
    this.#in.record.failed(code, cause);
    this.#attempts.failed({ code, cause, reused: false, sent: this.#connected });
  }

  onGiveUp(code: ErrorCode, cause?: unknown): void {
    if (code === "policy_failed") this.#in.record.threw("policy", cause, code);
    if (this.#breakOffRefusal !== undefined) return this.#breakOffRefusal(code);
    this.#in.record.error = code;
    this.#stop(code, code);
    this.#in.response.reply(code, false);
  }

  #bound(headers: string[]): string[] {
    return this.#affinity === undefined ? headers : this.#affinity.bind(headers, this.#in.record.upstream);
  }

  /** The client has left before there was a tunnel, or has its answer. */
  readonly #onClientGone = bindContext((): void => {
    // What ends a tunnel is counted with it.
    if (this.#upstreamSocket !== undefined) return;
    const { engine, record, socket, res } = this.#in;
    this.#stop("aborted", "client_aborted");
    if (!res.writableFinished && record.error !== "closed" && !record.flags.has("truncated")) {
      record.status = errorKind("client_aborted").status;
      record.error = "client_aborted";
    }
    this.#in.response.release();
    engine.active.delete(this);
    record.finish();
    if (!res.writableFinished) socket.destroy();
  });

  /** Ends the attempt in progress, and every wait for another. */
  #stop(outcome: Outcome, error: ErrorCode): void {
    this.#over = true;
    this.#attempts.stop();
    this.#clearTimer();
    this.#tunnel?.abort();
    this.#attempts.settle(outcome, { error });
  }

  #onConnectTimeout(): void {
    const error = this.#tunnel?.connectTimeout();
    this.#failed(error?.code ?? "connect_timeout", error);
  }

  #after(ms: number, code: ErrorCode): InputTimeout {
    return new InputTimeout(this.#in.engine.runtime.clock, () => this.#failed(code), ms);
  }

  #clearTimer(): void {
    this.#timer?.clear();
  }
}
