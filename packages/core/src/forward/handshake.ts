import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { type ErrorCode, errorKind } from "../errors.ts";
import type { Outcome, Upstream } from "../pool/upstream.ts";
import { bindContext } from "../runtime/async-context.ts";
import type { Timer } from "../runtime/clock.ts";
import { connectFailureCode, isHandshakeAlert } from "../wire/failure-codes.ts";
import { WireError } from "../wire/wire-error.ts";
import type { Active } from "./active-set.ts";
import { heedLoad } from "./announced-load.ts";
import type { RoutedArrival } from "./arrival.ts";
import type { ClientResponse } from "./client-response.ts";
import { CurrentAttempt } from "./current-attempt.ts";
import type { Engine, Routing } from "./engine.ts";
import { onceOver } from "./once-over.ts";
import { refusalFault, relayRefusal } from "./refused-upgrade.ts";
import type { RequestRecord } from "./request-record.ts";
import { clientHeaders } from "./response-head.ts";
import { decideAfterFailure, retryPauseMs } from "./retry.ts";
import { joinEnds, requestTunnel, sayGoodbye, type TunnelHandler, type TunnelSide } from "./tunnel.ts";
import { type ChoiceOwner, UpstreamChoice } from "./upstream-choice.ts";
import { upstreamHeaders, upstreamPath } from "./upstream-request.ts";

interface HandshakeInput {
  readonly engine: Engine;
  readonly routing: Routing;
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  readonly socket: Duplex;
  /** Bytes that the client sent behind its request. */
  readonly head: Buffer;
  /** The socket as a side of the tunnel, if there is to be one. */
  readonly client: TunnelSide;
  readonly arrival: RoutedArrival;
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
export class Handshake implements TunnelHandler, ChoiceOwner, Active {
  readonly #in: HandshakeInput;
  readonly #attempt: CurrentAttempt;
  readonly #choice: UpstreamChoice;
  #retriesUsed = 0;
  #connected = false;
  #giveUpRequest: (() => void) | undefined;
  #timer: Timer;
  /** When it has to be over, on the clock, and what ends it then. */
  #deadline = Infinity;
  #deadlineTimer: Timer;
  #breakOffRefusal: ((code: ErrorCode) => void) | undefined;
  #upstreamSocket: Duplex | undefined;
  #goodbyeSaid = false;
  #over = false;

  constructor(input: HandshakeInput) {
    this.#in = input;
    this.#attempt = new CurrentAttempt(input.record, input.engine.runtime.clock);
    this.#choice = new UpstreamChoice(input.arrival, input.record, this);
  }

  start(): void {
    const { engine, socket, res } = this.#in;
    const { pool } = this.#in.arrival.route;
    const { clock } = engine.runtime;
    engine.active.add(this);
    socket.on("error", this.#onClientGone);
    socket.on("end", this.#onClientGone);
    onceOver(this.#in.req, res, this.#onClientGone);
    pool.retryBudget.deposit();
    const { totalMs } = pool.options.timeouts;
    if (totalMs > 0) {
      this.#deadline = clock.now() + totalMs;
      this.#deadlineTimer = clock.setTimeout(() => this.#onDeadline(), totalMs);
    }
    this.#choice.next();
  }

  /** The first time with a goodbye, where there is a tunnel. */
  destroy(): void {
    const { socket } = this.#in;
    if (this.#upstreamSocket !== undefined && !this.#goodbyeSaid) {
      this.#goodbyeSaid = true;
      return sayGoodbye(socket, this.#upstreamSocket);
    }
    socket.destroy();
    this.#upstreamSocket?.destroy();
  }

  onNoneLeft(code: ErrorCode): void {
    this.#reply(code);
  }

  onChosen(upstream: Upstream): void {
    const { arrival, routing, mountPath, socket, head } = this.#in;
    const { route, facts, target } = arrival;
    const { options } = route.pool;
    this.#connected = false;
    this.#attempt.begin(route.pool, upstream);
    this.#timer = this.#after(options.timeouts.connectMs, "connect_timeout");
    const { forwarded } = routing;
    // A response that ends a handshake is relayed without trailers.
    const asked = { ...arrival.head, wantsTrailers: false };
    const headers = upstreamHeaders(asked, facts, route.options, upstream.address, { forwarded, mountPath });
    this.#giveUpRequest = requestTunnel(
      {
        address: upstream.address,
        tls: options.tls,
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
    this.#clearTimer();
    const { retry, timeouts } = this.#in.arrival.route.pool.options;
    const { headersMs } = timeouts;
    this.#timer = this.#after(Math.min(retry.perTryTimeoutMs || headersMs, headersMs), "headers_timeout");
  }

  onSwitch(raw: readonly string[], upstream: TunnelSide, open: (headers: readonly string[]) => void): void {
    const { engine, socket, client, res, record, arrival } = this.#in;
    this.#clearTimer();
    this.#clearDeadline();
    this.#over = true;
    socket.off("error", this.#onClientGone).off("end", this.#onClientGone);
    this.#upstreamSocket = upstream.socket;
    record.status = 101;
    record.error = undefined;
    this.#attempt.answered(101);
    const closeTunnel = this.#attempt.becomeTunnel();
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
    open([
      ...this.#choice.bind(clientHeaders(heedLoad(record, raw), changes, 101)),
      "Connection",
      "Upgrade",
      "Upgrade",
      "websocket",
    ]);
    record.tunnelChanged("opened");
  }

  onRefusal(upstreamResponse: IncomingMessage): void {
    const { arrival, record, response } = this.#in;
    const { statusCode = 502, statusMessage = "", rawHeaders } = upstreamResponse;
    const fault = refusalFault(upstreamResponse);
    if (fault !== undefined) return this.#failed(fault);
    this.#clearTimer();
    this.#over = true;
    this.#attempt.answered(statusCode);
    const headers = clientHeaders(heedLoad(record, rawHeaders), arrival.route.options.responseHeaders, statusCode);
    response.begin(statusCode, statusMessage, [...this.#choice.bind(headers), "Connection", "close"], false);
    const { idleMs } = arrival.route.pool.options.timeouts;
    this.#breakOffRefusal = relayRefusal(upstreamResponse, response, idleMs, (failure) => {
      record.error = failure;
      this.#attempt.settle(failure ?? "success", {
        status: statusCode,
        ...(failure !== undefined && { error: failure }),
      });
    });
  }

  onMismatch(): void {
    this.#failed("upgrade_failed");
  }

  onError(error: Error): void {
    if (error instanceof WireError) this.#failed(error.code, error);
    else if (this.#connected) this.#failed(isHandshakeAlert(error) ? "tls_failed" : "reset", error);
    else this.#failed(connectFailureCode(error, this.#in.record.upstream?.address.tls ?? false), error);
  }

  #failed(code: ErrorCode, cause?: unknown): void {
    if (this.#over) return;
    const { engine, record, arrival } = this.#in;
    const { pool } = arrival.route;
    this.#clearTimer();
    this.#giveUpRequest?.();
    record.failed(code, cause);
    this.#attempt.settle(code, { error: code, cause });
    const { clock, random } = engine.runtime;
    const pauseMs = retryPauseMs(random);
    const decision = decideAfterFailure(
      { code, cause: undefined, reused: false, sent: this.#connected },
      {
        options: pool.options.retry,
        budget: pool.retryBudget,
        method: "GET",
        retriesUsed: this.#retriesUsed,
        staleRetried: true,
        untriedLeft: this.#choice.someLeft,
        replayable: true,
        pauseMs,
        leftMs: this.#deadline - clock.now(),
      },
    );
    if (decision === "give-up") return this.#reply(code);
    record.retried(record.upstream as Upstream, code);
    if (decision === "move") return this.#choice.next();
    this.#retriesUsed++;
    this.#timer = clock.setTimeout(() => this.#choice.next(), pauseMs);
  }

  #reply(code: ErrorCode): void {
    this.#over = true;
    this.#clearDeadline();
    this.#in.response.reply(code, false);
  }

  #onDeadline(): void {
    const code = "total_timeout";
    if (this.#breakOffRefusal !== undefined) return this.#breakOffRefusal(code);
    this.#in.record.error = code;
    this.#stop(code, code);
    this.#reply(code);
  }

  /** The client has left before there was a tunnel, or has its answer. */
  readonly #onClientGone = bindContext((): void => {
    // What ends a tunnel is counted with it.
    if (this.#upstreamSocket !== undefined) return;
    const { engine, record, socket, res } = this.#in;
    this.#stop("aborted", "client_aborted");
    if (!res.writableFinished && !record.flags.has("truncated")) {
      record.status = errorKind("client_aborted").status;
      record.error = "client_aborted";
    }
    this.#in.response.release();
    engine.active.delete(this);
    record.finish();
    if (!res.writableFinished) socket.destroy();
  });

  /** Ends whatever is under way or waited for. */
  #stop(outcome: Outcome, error: ErrorCode): void {
    this.#over = true;
    this.#choice.stopWaiting();
    this.#clearTimer();
    this.#clearDeadline();
    this.#giveUpRequest?.();
    this.#attempt.settle(outcome, { error });
  }

  #after(ms: number, code: ErrorCode): Timer {
    return this.#in.engine.runtime.clock.setTimeout(() => this.#failed(code), ms);
  }

  #clearTimer(): void {
    this.#in.engine.runtime.clock.clearTimeout(this.#timer);
  }

  #clearDeadline(): void {
    this.#in.engine.runtime.clock.clearTimeout(this.#deadlineTimer);
  }
}
