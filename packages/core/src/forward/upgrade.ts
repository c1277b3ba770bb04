import type { IncomingMessage } from "node:http";
import { ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { type ErrorCode, errorKind } from "../errors.ts";
import type { Attempt } from "../pool/attempt.ts";
import type { Outcome, Upstream } from "../pool/upstream.ts";
import type { Timer } from "../runtime/clock.ts";
import { connectFailureCode } from "../wire/failure-codes.ts";
import { isRouted, type RoutedArrival, readArrival } from "./arrival.ts";
import { ClientResponse } from "./client-response.ts";
import type { Active } from "./active-set.ts";
import type { Engine, Routing } from "./engine.ts";
import { type ForwardOptions, handleRequest } from "./handler.ts";
import { isRefusal } from "./request-head.ts";
import { RequestRecord } from "./request-record.ts";
import { clientHeaders } from "./response-head.ts";
import { decideAfterFailure, retryPauseMs } from "./retry.ts";
import { joinEnds, requestTunnel, sayGoodbye, type TunnelHandler } from "./tunnel.ts";
import { upstreamHeaders, upstreamPath } from "./upstream-request.ts";

/**
 * Takes an upgrade in. Only WebSocket is tunnelled; any other upgrade is an ordinary request whose Upgrade header goes no
 * further (RFC 9110 section 7.8 lets a server ignore it), and whose connection ends with the answer, since nobody knows
 * whether the bytes behind it are the next request.
 */
export function handleUpgrade(
  engine: Engine,
  req: IncomingMessage,
  socket: Duplex,
  head: Buffer,
  options: ForwardOptions,
): void {
  const { routing } = engine;
  const arrival = readArrival(req, routing);
  const res = responseOn(req, socket);
  if (isRefusal(arrival) || !isRouted(arrival) || !wantsWebSocket(req)) return handleRequest(engine, req, res, options);
  const record = new RequestRecord(engine, req, arrival);
  const response = new ClientResponse(req, res, record);
  if (!isHandshake(req, arrival.head.bodyLength)) {
    res.once("close", () => record.finish());
    return response.reply("bad_request", false);
  }
  const { mountPath = "" } = options;
  new Upgrade({ engine, routing, req, res, socket, head, arrival, record, response, mountPath }).start();
}

interface UpgradeInput {
  readonly engine: Engine;
  readonly routing: Routing;
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  readonly socket: Duplex;
  /** Bytes that the client sent behind its request. */
  readonly head: Buffer;
  readonly arrival: RoutedArrival;
  readonly record: RequestRecord;
  readonly response: ClientResponse;
  readonly mountPath: string;
}

/** One upgrade on its way: pick, ask, and either join the sockets or relay what the upstream says instead. */
class Upgrade implements TunnelHandler, Active {
  readonly #in: UpgradeInput;
  readonly #tried: Upstream[] = [];
  #retriesUsed = 0;
  #attempt: Attempt | undefined;
  #connected = false;
  #giveUpRequest: (() => void) | undefined;
  #timer: Timer;
  #upstreamSocket: Duplex | undefined;
  #over = false;

  constructor(input: UpgradeInput) {
    this.#in = input;
  }

  start(): void {
    const { engine, socket, res } = this.#in;
    engine.active.add(this);
    socket.on("error", this.#onClientGone);
    socket.on("end", this.#onClientGone);
    res.once("close", this.#onClientGone);
    this.#in.arrival.route.pool.retryBudget.deposit();
    this.#pick();
  }

  destroy(): void {
    if (this.#upstreamSocket === undefined) this.#in.socket.destroy();
    else sayGoodbye(this.#in.socket, this.#upstreamSocket);
  }

  #pick(): void {
    const { pool, balancer } = this.#in.arrival.route;
    const upstream = balancer.pick({ exclude: this.#tried });
    if (upstream === undefined) return this.#reply(this.#in.record.error ?? "none_available");
    if (pool.panic) this.#in.record.flags.add("panic");
    this.#ask(upstream);
  }

  #ask(upstream: Upstream): void {
    const { arrival, record, req, routing, mountPath, socket, head } = this.#in;
    const { route, facts, target } = arrival;
    const { options } = route.pool;
    this.#tried.push(upstream);
    this.#connected = false;
    record.upstream = upstream;
    this.#attempt = route.pool.begin(upstream);
    this.#timer = this.#after(options.timeouts.connectMs, "connect_timeout");
    const { forwarded } = routing;
    const headers = upstreamHeaders(arrival.head, facts, route.options, upstream.address, { forwarded, mountPath });
    this.#giveUpRequest = requestTunnel(
      {
        address: upstream.address,
        tls: options.tls,
        path: upstreamPath(target, route.options, upstream.address),
        headers,
        key: String(req.headers["sec-websocket-key"]),
      },
      { socket, head },
      this,
    );
  }

  onConnected(): void {
    this.#connected = true;
    this.#clearTimer();
    this.#timer = this.#after(this.#in.arrival.route.pool.options.timeouts.headersMs, "headers_timeout");
  }

  onSwitch(raw: readonly string[], upstreamSocket: Duplex, open: (headers: readonly string[]) => void): void {
    const { engine, socket, res, record, arrival } = this.#in;
    this.#clearTimer();
    this.#over = true;
    socket.off("error", this.#onClientGone).off("end", this.#onClientGone);
    res.off("close", this.#onClientGone);
    this.#upstreamSocket = upstreamSocket;
    record.status = 101;
    record.error = undefined;
    const closeTunnel = arrival.route.pool.openTunnel(record.upstream as Upstream);
    this.#settle("success", { status: 101 });
    res.detachSocket(socket as Socket);
    const changes = arrival.route.options.responseHeaders;
    const sent = bytesRead(socket);
    joinEnds(engine.runtime.clock, socket, upstreamSocket, () => {
      record.bytesIn = bytesRead(socket) - sent;
      record.bytesOut = bytesRead(upstreamSocket);
      closeTunnel();
      record.tunnelChanged("closed");
      engine.active.delete(this);
      record.finish();
    });
    open([...clientHeaders(raw, changes), "Connection", "Upgrade", "Upgrade", "websocket"]);
    record.tunnelChanged("opened");
  }

  onRefusal(upstreamResponse: IncomingMessage): void {
    const { arrival, response, res } = this.#in;
    const { statusCode = 502, statusMessage = "", rawHeaders } = upstreamResponse;
    this.#clearTimer();
    this.#over = true;
    response.begin(statusCode, statusMessage, [
      ...clientHeaders(rawHeaders, arrival.route.options.responseHeaders),
      "Connection",
      "close",
    ]);
    upstreamResponse.on("data", (chunk: Buffer) => {
      if (!response.write(chunk, () => upstreamResponse.resume())) upstreamResponse.pause();
    });
    upstreamResponse.on("error", () => {});
    upstreamResponse.on("close", () => {
      this.#settle(upstreamResponse.complete ? "success" : "response_truncated", { status: statusCode });
      if (upstreamResponse.complete) response.end();
      else response.cutOff();
    });
    res.flushHeaders();
  }

  onMismatch(): void {
    this.#failed("upgrade_failed");
  }

  onError(error: Error): void {
    if (this.#connected) this.#failed("reset");
    else this.#failed(connectFailureCode(error, this.#in.arrival.route.pool.options.tls !== undefined));
  }

  #failed(code: ErrorCode): void {
    if (this.#over) return;
    const { engine, record, arrival } = this.#in;
    const { pool } = arrival.route;
    this.#clearTimer();
    this.#giveUpRequest?.();
    record.error = code;
    this.#settle(code, { error: code });
    const decision = decideAfterFailure(
      { code, cause: undefined, reused: false, sent: this.#connected },
      {
        options: pool.options.retry,
        budget: pool.retryBudget,
        method: "GET",
        retriesUsed: this.#retriesUsed,
        staleRetried: true,
        untriedLeft: pool.candidatesExcept(this.#tried).length > 0,
        replayable: true,
      },
    );
    if (decision === "give-up") return this.#reply(code);
    record.retried(record.upstream as Upstream, code);
    if (decision === "move") return this.#pick();
    this.#retriesUsed++;
    this.#timer = engine.runtime.clock.setTimeout(() => this.#pick(), retryPauseMs(engine.runtime.random));
  }

  #reply(code: ErrorCode): void {
    this.#over = true;
    this.#in.response.reply(code, false);
  }

  /** The client has left before there was a tunnel, or has its answer. */
  readonly #onClientGone = (): void => {
    const { engine, record, socket, res } = this.#in;
    this.#over = true;
    this.#clearTimer();
    this.#giveUpRequest?.();
    this.#settle("aborted", { error: "client_aborted" });
    if (!res.writableFinished && !record.flags.has("truncated")) {
      record.status = errorKind("client_aborted").status;
      record.error = "client_aborted";
    }
    engine.active.delete(this);
    record.finish();
    if (!res.writableFinished) socket.destroy();
  };

  #after(ms: number, code: ErrorCode): Timer {
    return this.#in.engine.runtime.clock.setTimeout(() => this.#failed(code), ms);
  }

  #clearTimer(): void {
    this.#in.engine.runtime.clock.clearTimeout(this.#timer);
  }

  #settle(outcome: Outcome, how: { readonly status?: number; readonly error?: ErrorCode }): void {
    const attempt = this.#attempt;
    if (attempt === undefined) return;
    this.#attempt = undefined;
    this.#in.record.attemptEnded(attempt.startedAt, { upstream: attempt.upstream.id, ...how });
    attempt.settle(outcome);
  }
}

/** Node hands an upgrade over as a bare socket; an ordinary answer needs a response on it, and ends the connection. */
function responseOn(req: IncomingMessage, socket: Duplex): ServerResponse {
  const res = new ServerResponse(req);
  res.shouldKeepAlive = false;
  res.assignSocket(socket as Socket);
  res.on("finish", () => socket.end());
  return res;
}

function wantsWebSocket(req: IncomingMessage): boolean {
  const { method, httpVersionMinor, headers } = req;
  return method === "GET" && httpVersionMinor === 1 && headers.upgrade?.toLowerCase() === "websocket";
}

/** RFC 6455 section 4.2.1. */
function isHandshake(req: IncomingMessage, bodyLength: number): boolean {
  const key = req.headers["sec-websocket-key"];
  return bodyLength === 0 && key !== undefined && /^[A-Za-z0-9+/]{22}==$/.test(key) && req.headers["sec-websocket-version"] === "13";
}

function bytesRead(socket: Duplex): number {
  return "bytesRead" in socket ? (socket as Socket).bytesRead : 0;
}
