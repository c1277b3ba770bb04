import type { IncomingMessage, ServerResponse } from "node:http";
import createDebug from "debug";
import type { InFlight } from "../attempts/in-flight.ts";
import { onParseError } from "../client/node/incomplete-request.ts";
import { isEnding } from "../client/node/lingering-close.ts";
import { isPipelined, keepContext, startInTurn, waitForTurn } from "../client/node/pipelining.ts";
import { onResponseClosed } from "../client/node/response-closed.ts";
import { type ErrorCode, errorKind, ProxyError } from "../errors.ts";
import { isRefusal, type Refusal } from "../request/request-head.ts";
import { wholeServer } from "../request/request-target.ts";
import { isRouted, type ReceivedRequest, type RoutedRequest, readRequest } from "../request/routed-request.ts";
import type { Routing } from "../request/routing.ts";
import { ClientResponse } from "./client-response.ts";
import type { ForwardContext } from "./context.ts";
import { isSettled } from "./error-response.ts";
import { type Answer, runRequestHook } from "./hooks.ts";
import { ProxiedRequest } from "./proxied-request.ts";
import { RequestRecord } from "./request-record.ts";

const debug = createDebug("evenkeel:forward");

/** What an adapter knows about a request beside the request. */
export interface ForwardOptions {
  /** Called when no route matches. Default: the answer is 404. */
  readonly next?: ((error?: unknown) => void) | undefined;
  /** The path that the framework has taken off the front of `req.url`; the upstream is told in X-Forwarded-Prefix. */
  readonly mountPath?: string;
  /**
   * `req.url` begins with a slash that the client did not send, since the framework has taken its whole path off the front:
   * `/api?x=1` below a mount at `/api` is `/?x=1`. A route's prefix is then joined without that slash. Default: false.
   */
  readonly slashAdded?: boolean;
  /** The request's target as the client sent it, for events and logs. Default: the mount path and `req.url`. */
  readonly originalUrl?: string;
  /**
   * The request's body, when a parser in front of the proxy has read it already, or what puts it together once a route has
   * matched. A `ProxyError` that it throws is answered, message and all.
   */
  readonly body?: Uint8Array | (() => Uint8Array);
  /** The request's headers, names and values by turns, when a given body is no longer what `req.rawHeaders` says. */
  readonly rawHeaders?: readonly string[];
  /**
   * The request's headers as the framework gives them to the app, by lower-case name: what differs from `req.rawHeaders` is
   * what the app has decided, and goes on. Default: `req.headers`.
   */
  readonly headers?: Readonly<Record<string, unknown>> | undefined;
  /**
   * Called in place of an answer of the proxy's own to a request that a route has matched. Nothing has been written yet,
   * and whoever is called answers `res`. The `onError` hook is not asked. Default: the proxy answers.
   */
  readonly onError?: ((error: ProxyError) => void) | undefined;
  /** What the framework gives the app as the request: hooks get it as `context.req`. Default: `req`. */
  readonly request?: object | undefined;
  /**
   * Aborted when the app answers `res` itself after all, though the request was given to the proxy and nothing has been
   * written: the upstream's request ends, and the proxy leaves `res` alone.
   */
  readonly leftToApp?: AbortSignal | undefined;
  /** The answer, whatever the request is; the connection ends with it. */
  readonly refusal?: ErrorCode | undefined;
}

/** What there is to know about an upgrade. Its failures are always answered by the proxy: frameworks have no response for them. */
export interface ForwardUpgradeOptions extends Omit<ForwardOptions, "body" | "rawHeaders" | "onError" | "leftToApp"> {
  /** Headers of the app's own, names and values by turns, for whatever answers the upgrade; cookies are added to its own. */
  readonly responseHeaders?: readonly string[] | undefined;
}

/** Takes a request in: reads it, checks it, finds its route, and relays it or says why not. From then on it lives by its events. */
export function handleRequest(
  engine: ForwardContext,
  req: IncomingMessage,
  res: ServerResponse,
  options: ForwardOptions,
): void {
  // The connection has had its last answer: this was sent behind a request that was never read to its end.
  if (isEnding(req.socket)) return;
  if (isPipelined(res)) takeInTurn(engine, req, res, options);
  else takeIn(engine, req, res, options);
}

function takeIn(engine: ForwardContext, req: IncomingMessage, res: ServerResponse, options: ForwardOptions): void {
  const { routing } = engine;
  const arrival = readRequest(req, routing, options);
  if (!isRefusal(arrival) && arrival.route === undefined && options.next !== undefined) {
    options.next();
    return;
  }
  const record = createRecord(engine, req, arrival, options);
  options.leftToApp?.addEventListener("abort", () => record.answeredElsewhere(res));
  if (options.refusal !== undefined) {
    onResponseClosed(req, res, () => record.finish());
    return new ClientResponse(req, res, record, engine).reply(options.refusal, false);
  }
  if (!isRefusal(arrival) && isRouted(arrival)) {
    const { mountPath = "" } = options;
    record.onError = options.onError;
    const parsedBody = readBefore(req, arrival, options);
    if (parsedBody instanceof ProxyError) return refuse(engine, req, res, record, parsedBody.code, parsedBody.message);
    const relay = (routed: RoutedRequest) => {
      // The app may have answered while a hook took its time.
      if (options.leftToApp?.aborted === true) return onResponseClosed(req, res, () => record.finish());
      const started = new ProxiedRequest({ engine, routing, req, res, record, mountPath, parsedBody, arrival: routed });
      options.leftToApp?.addEventListener("abort", () => started.leaveToApp());
      started.start();
    };
    const start = () => {
      if (engine.hooks.onRequest === undefined) relay(arrival);
      else afterRequestHook(engine, routing, { req, res, record, arrival }, relay);
    };
    return start();
  }
  if (!isRefusal(arrival) && arrival.target.path === wholeServer) {
    onResponseClosed(req, res, () => record.finish());
    return new ClientResponse(req, res, record, engine).answerOptions();
  }
  if (isRefusal(arrival)) debug("refused with %s: %s", arrival.code, arrival.reason);
  refuse(engine, req, res, record, isRefusal(arrival) ? arrival.code : "no_route");
}

/** What a parser in front of the proxy has read of a request's body, or why nobody can tell any more. */
function readBefore(
  req: IncomingMessage,
  { head }: RoutedRequest,
  { body }: ForwardOptions,
): Uint8Array | ProxyError | undefined {
  try {
    const parsed = typeof body === "function" ? body() : body;
    if (parsed === undefined && head.bodyLength !== 0 && (req.readableDidRead || req.readableEnded)) {
      const message = "something in front of the proxy has read the request's body; mount the proxy in front of it";
      return new ProxyError("body_consumed", message);
    }
    return parsed;
  } catch (error) {
    if (error instanceof ProxyError) return error;
    throw error;
  }
}

/** The record of a request that has come in. */
export function createRecord(
  engine: ForwardContext,
  req: IncomingMessage,
  arrival: ReceivedRequest | Refusal,
  { mountPath = "", originalUrl, request }: ForwardOptions,
): RequestRecord {
  const record = new RequestRecord(engine, req, isRefusal(arrival) ? undefined : arrival, mountPath, originalUrl);
  if (request !== undefined) record.appRequest = request as IncomingMessage;
  if (isRefusal(arrival) && arrival.cause !== undefined) record.failed(arrival.code, arrival.cause);
  return record;
}

/**
 * Takes a pipelined request in once few enough are in flight on its connection. Until then nothing of it is read: a client can send
 * thousands in one packet, and each costs no more than Node's own work.
 */
function takeInTurn(engine: ForwardContext, req: IncomingMessage, res: ServerResponse, options: ForwardOptions): void {
  keepContext(res);
  if (startInTurn(req, res)) return takeIn(engine, req, res, options);
  const waiting = new Waiting(engine, () => req.socket.destroy());
  let fault: ErrorCode | undefined;
  onParseError(req, (code) => {
    fault = code;
  });
  waitForTurn(req, res, (gone) => {
    if (gone || isEnding(req.socket)) finishUnread(engine, req, options, waiting.failure);
    else if (waiting.told) takeIn(engine, req, res, { ...options, refusal: "closed" });
    else if (fault === undefined) takeIn(engine, req, res, options);
    else refuse(engine, req, res, createRecord(engine, req, readRequest(req, engine.routing, options), options), fault);
    waiting.end();
  });
}

/**
 * A request that waits for the responses to earlier ones on its connection, and that closing waits for. When closing runs out
 * of time, those are ended first: what cuts the connection cuts their responses.
 */
export class Waiting implements InFlight {
  /** Closing has run out of time. */
  told = false;
  readonly #engine: ForwardContext;
  readonly #cut: () => void;

  constructor(engine: ForwardContext, cut: () => void) {
    this.#engine = engine;
    this.#cut = cut;
    engine.active.add(this);
  }

  /** Why it has no response, if its connection ends now. */
  get failure(): ErrorCode {
    return this.told ? "closed" : "client_aborted";
  }

  destroy(): void {
    if (this.told) this.#cut();
    this.told = true;
  }

  end(): void {
    this.#engine.active.delete(this);
  }
}

/** Records a request whose turn will not come. One that no route matches is the app's, where there is an app. */
function finishUnread(engine: ForwardContext, req: IncomingMessage, options: ForwardOptions, code: ErrorCode): void {
  const arrival = readRequest(req, engine.routing, options);
  if (!isRefusal(arrival) && arrival.route === undefined && options.next !== undefined) return;
  finishUnanswered(createRecord(engine, req, arrival, options), code);
}

/** Ends the record of a request whose connection has ended before its turn. */
export function finishUnanswered(record: RequestRecord, code: ErrorCode): void {
  record.error = code;
  record.status = errorKind(code).status;
  record.finish();
}

/** Goes on with what `onRequest` has made of a request, or answers it if that is what the hook wants. */
export function afterRequestHook(
  engine: ForwardContext,
  routing: Routing,
  request: {
    readonly req: IncomingMessage;
    readonly res: ServerResponse;
    readonly record: RequestRecord;
    readonly arrival: RoutedRequest;
  },
  goOn: (arrival: RoutedRequest) => void,
): void {
  const { req, res, record, arrival } = request;
  // Closing waits for a request whose hook is at work, too.
  let closed = false;
  const atWork: InFlight = {
    destroy: () => {
      if (closed) return void res.destroy();
      closed = true;
      onResponseClosed(req, res, () => engine.active.delete(atWork));
      refuse(engine, req, res, record, "closed");
    },
  };
  engine.active.add(atWork);
  let fault: ErrorCode | undefined;
  onParseError(req, (code) => {
    fault = code;
  });
  runRequestHook(engine.hooks, { req: record.appRequest, method: req.method ?? "" }, routing, arrival, (outcome) => {
    if (closed) return;
    if ("thrown" in outcome) {
      record.threw("onRequest", outcome.thrown, "request_hook_failed");
      refuse(engine, req, res, record, "request_hook_failed");
    } else if ("answer" in outcome) answer(engine, req, res, record, outcome.answer);
    else if (fault !== undefined) refuse(engine, req, res, record, fault);
    else {
      record.route = outcome.route;
      goOn(outcome);
    }
    engine.active.delete(atWork);
  });
}

/** Gives a hook's answer. */
function answer(
  engine: ForwardContext,
  req: IncomingMessage,
  res: ServerResponse,
  record: RequestRecord,
  given: Answer,
): void {
  onResponseClosed(req, res, () => record.finish());
  new ClientResponse(req, res, record, engine).answer(given, isSettled(req, record.head?.bodyLength ?? -1));
}

/** Answers a request that never gets as far as a pool. */
export function refuse(
  engine: ForwardContext,
  req: IncomingMessage,
  res: ServerResponse,
  record: RequestRecord,
  code: ErrorCode,
  detail?: string,
): void {
  onResponseClosed(req, res, () => record.finish());
  new ClientResponse(req, res, record, engine).reply(code, isSettled(req, record.head?.bodyLength ?? -1), detail);
}
