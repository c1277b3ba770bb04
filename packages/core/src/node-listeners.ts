/** The listeners of Node's HTTP server: `request`, `upgrade` and `clientError`. Adapters call them with what a framework knows. */

import type { IncomingMessage, ServerResponse } from "node:http";
import type { Http2ServerRequest, Http2ServerResponse } from "node:http2";
import type { Duplex } from "node:stream";
import createDebug from "debug";
import type { InFlight } from "./attempts/in-flight.ts";
import type { IncomingRequest } from "./client/client-exchange.ts";
import type { ParserError } from "./client/node/head-overflow.ts";
import { offersWebSocket, serveAsRequest } from "./client/node/ignored-upgrade.ts";
import { incomingRequest, isHttp2, type NodeRequestHead } from "./client/node/incoming-request.ts";
import { connectionOf, type NodeConnection } from "./client/node/node-connection.ts";
import { NodeExchange } from "./client/node/node-exchange.ts";
import { handleParseError } from "./client/node/parse-errors.ts";
import { isPipelined, keepContext } from "./client/node/pipelining.ts";
import { claimUpgrade, declineUpgrade, isClaimed } from "./client/node/shared-upgrades.ts";
import { createUpgradeExchange } from "./client/node/upgrade-exchange.ts";
import { inTurn, isResponding } from "./client/node/upgrade-turn.ts";
import { CompatExchange } from "./client/node-http2/compat-exchange.ts";
import type { ErrorCode, ProxyError } from "./errors.ts";
import type { ForwardContext } from "./forward/context.ts";
import { createRecord, handleRequest, type RequestOptions, recordUnhandled, refuse } from "./forward/handle-request.ts";
import { RequestRecord } from "./forward/request-record.ts";
import { handleUpgrade } from "./forward/upgrade/handle-upgrade.ts";
import { isRefusal, type Refusal } from "./request/request-head.ts";
import { isRouted, type ReceivedRequest, readRequest } from "./request/routed-request.ts";
import type { Routing } from "./request/routing.ts";

const debug = createDebug("evenkeel:forward");

/** A request of Node's HTTP server, or of its HTTP/2 server. */
export type AppRequest = IncomingMessage | Http2ServerRequest;
export type AppResponse = ServerResponse | Http2ServerResponse;

/** What an adapter knows of a request beside the request. */
export interface ForwardOptions {
  /** Called when no route matches. Default: the response is 404. */
  readonly next?: ((error?: unknown) => void) | undefined;
  /** The path that the framework has taken off the front of `req.url`; the upstream receives it in X-Forwarded-Prefix. */
  readonly mountPath?: string;
  /**
   * `req.url` begins with a slash that the client did not send, since the framework has taken its whole path off the front:
   * `/api?x=1` below a mount at `/api` is `/?x=1`. A route's prefix is then joined without that slash. Default: false.
   */
  readonly slashAdded?: boolean;
  /** The request's target as the client sent it, for events and logs. Default: the mount path and `req.url`. */
  readonly originalUrl?: string;
  /**
   * The request's body, if a parser in front of the proxy has read it, or a function that restores it once a route has
   * matched. A `ProxyError` that the function throws is the response, message included.
   */
  readonly body?: Uint8Array | (() => Uint8Array);
  /** The request's headers, names and values by turns, when `req.rawHeaders` no longer describes a given body. */
  readonly rawHeaders?: readonly string[];
  /**
   * The request's headers as the framework gives them to the app, by lower-case name. Where they differ from
   * `req.rawHeaders`, the app has changed them, and the change is forwarded. Default: `req.headers`.
   */
  readonly headers?: Readonly<Record<string, unknown>> | undefined;
  /**
   * Called in place of a locally generated response to a request that a route has matched. Nothing has been written yet; the
   * function has to respond through `res`. The `onError` hook is not called. Default: the proxy responds.
   */
  readonly onError?: ((error: ProxyError) => void) | undefined;
  /** The request as the framework gives it to the app: `context.req` of hooks. Default: `req`. */
  readonly request?: object | undefined;
  /**
   * Aborted when the app responds through `res` itself, though the request was given to the proxy and nothing has been
   * written: the upstream's request ends, and the proxy writes nothing to `res`.
   */
  readonly leftToApp?: AbortSignal | undefined;
}

/** What an adapter knows of an upgrade. The proxy itself responds to a failure: frameworks have no response for upgrades. */
export interface ForwardUpgradeOptions extends Omit<ForwardOptions, "body" | "rawHeaders" | "onError" | "leftToApp"> {
  /** Headers that the app has set, names and values by turns, for any response to the upgrade. Cookies add up. */
  readonly responseHeaders?: readonly string[] | undefined;
}

export type UpgradeListener = (req: IncomingMessage, socket: Duplex, head: Buffer, next?: () => void) => void;

/** The exchange of a request that an app has received. */
type AppExchange = NodeExchange | CompatExchange;

/** Forwards a request, now or once enough earlier requests of its connection have their responses. */
export function forwardRequest(
  context: ForwardContext,
  req: AppRequest,
  res: AppResponse,
  options: ForwardOptions,
): void {
  if (isHttp2(req)) {
    const { clock } = context.runtime;
    return forward(context, new CompatExchange(req, res as Http2ServerResponse, clock, options.headers), options);
  }
  forwardHttp1Request(context, req, res as ServerResponse, options);
}

function forwardHttp1Request(
  context: ForwardContext,
  req: IncomingMessage,
  res: ServerResponse,
  options: ForwardOptions,
): void {
  const connection = connectionOf(req.socket);
  // The client has sent this behind a request that was never read to its end.
  if (connection.ending) return;
  const exchange = new NodeExchange(req, res, connection, context.runtime.clock, options.headers);
  if (isPipelined(res)) forwardInTurn(context, exchange, { res, connection }, options);
  else forward(context, exchange, options);
}

/** `refusal`: the request is refused with this code, whatever it is. */
function forward(context: ForwardContext, exchange: AppExchange, options: ForwardOptions, refusal?: ErrorCode): void {
  const { routing } = context;
  const received = readRequest(exchange, routing, options);
  if (options.next !== undefined && isUnmatched(received)) {
    exchange.decline();
    return options.next();
  }
  handleRequest(context, routing, exchange, received, requestOptions(exchange, options, refusal));
}

function isUnmatched(received: ReceivedRequest | Refusal): boolean {
  return !isRefusal(received) && !isRouted(received);
}

function requestOptions(exchange: AppExchange, options: ForwardOptions, refusal?: ErrorCode): RequestOptions {
  const { mountPath, originalUrl, body, onError, request = exchange.req, leftToApp } = options;
  return {
    mountPath,
    originalUrl,
    body,
    request,
    leftToApp,
    refusal,
    onError:
      onError &&
      ((error, lead) => {
        exchange.release(lead);
        onError(error);
      }),
  };
}

/**
 * Forwards a pipelined request once few enough are in flight on its connection. Until then nothing of it is read: a client can
 * send thousands in one packet, and each costs no more than Node's own work.
 */
function forwardInTurn(
  context: ForwardContext,
  exchange: NodeExchange,
  { res, connection }: { readonly res: ServerResponse; readonly connection: NodeConnection },
  options: ForwardOptions,
): void {
  keepContext(res);
  if (connection.pipelining.start(exchange)) return forward(context, exchange, options);
  const waiting = new WaitingRequest(context, () => connection.socket.destroy());
  connection.pipelining.wait(exchange, (gone) => {
    if (gone || connection.ending) recordUnread(context, exchange, options, waiting.failure);
    else forward(context, exchange, options, waiting.timedOut ? "closed" : undefined);
    waiting.end();
  });
}

/**
 * A request that waits for the responses to earlier ones on its connection, and that closing waits for. When closing times out,
 * the earlier ones are ended first: a cut connection would cut their responses.
 */
class WaitingRequest implements InFlight {
  /** Closing has timed out. */
  timedOut = false;
  readonly #context: ForwardContext;
  readonly #cut: () => void;

  constructor(context: ForwardContext, cut: () => void) {
    this.#context = context;
    this.#cut = cut;
    context.inFlight.add(this);
  }

  /** Why the request has no response, if its connection closes now. */
  get failure(): ErrorCode {
    return this.timedOut ? "closed" : "client_aborted";
  }

  destroy(): void {
    if (this.timedOut) this.#cut();
    this.timedOut = true;
  }

  end(): void {
    this.#context.inFlight.delete(this);
  }
}

/** Records a request that was never started. A request that no route matches is the app's, where there is an app. */
function recordUnread(context: ForwardContext, exchange: NodeExchange, options: ForwardOptions, code: ErrorCode): void {
  const received = readRequest(exchange, context.routing, options);
  if (options.next !== undefined && isUnmatched(received)) return;
  recordUnhandled(createRecord(context, exchange, received, requestOptions(exchange, options)), code);
}

/** Whether the proxy responds to a request rather than calling `next`: a route matches it, or it is refused. */
export function wantsRequest(req: NodeRequestHead | AppRequest, routing: Routing, mountPath: string): boolean {
  return !isUnmatched(readRequest(incomingRequest(req as NodeRequestHead), routing, { mountPath }));
}

/** The listener of a proxy to a server's `upgrade` event, alone or beside other listeners. */
export function createUpgradeListener(context: () => ForwardContext): UpgradeListener {
  return (req, socket, head, next = () => declineUpgrade(req, socket, head)) => {
    if (!isClaimed(req)) forwardUpgrade(context(), req, socket, head, { next });
  };
}

/**
 * Forwards an upgrade. Returns false when it is left to `options.next`. Only WebSocket handshakes become tunnels: any other
 * upgrade is served as an ordinary request of its server (RFC 9110 section 7.8 lets a server ignore the offer).
 */
export function forwardUpgrade(
  context: ForwardContext,
  req: IncomingMessage,
  socket: Duplex,
  head: Buffer,
  options: ForwardUpgradeOptions,
): boolean {
  const { routing } = context;
  // The last response on the connection is being sent. Node has removed its own listeners.
  if (connectionOf(req.socket).ending) {
    claimUpgrade(req);
    socket.on("error", () => {});
    return true;
  }
  const request = incomingRequest(req, options.headers);
  const received = readRequest(request, routing, options);
  if (options.next !== undefined && isUnmatched(received)) {
    options.next();
    return false;
  }
  claimUpgrade(req);
  const upgrade = { context, routing, req, socket, request, received, options };
  if (offersWebSocket(req) || req.method === "CONNECT") upgradeInTurn(upgrade, head);
  else serveAsRequest(req, socket, head, options.originalUrl);
  return true;
}

interface Upgrade {
  readonly context: ForwardContext;
  /** The routing that the request was read under. */
  readonly routing: Routing;
  readonly req: IncomingMessage;
  readonly socket: Duplex;
  readonly request: IncomingRequest;
  readonly received: ReceivedRequest | Refusal;
  readonly options: ForwardUpgradeOptions;
}

/** A client may send a handshake before it has received the responses to earlier requests. Those are sent first. */
function upgradeInTurn(upgrade: Upgrade, head: Buffer): void {
  const { context, socket } = upgrade;
  if (!isResponding(socket)) return startUpgrade(upgrade, head, createUpgradeRecord(upgrade), undefined);
  const record = createUpgradeRecord(upgrade);
  const waiting = new WaitingRequest(context, () => socket.destroy());
  inTurn(socket, head, (rest) => {
    if (rest === undefined) recordUnhandled(record, waiting.failure);
    else startUpgrade(upgrade, rest, record, waiting.timedOut ? "closed" : undefined);
    waiting.end();
  });
}

function createUpgradeRecord({ context, req, request, received, options }: Upgrade): RequestRecord {
  return createRecord(context, request, received, { ...options, request: options.request ?? req });
}

function startUpgrade(
  { context, routing, req, socket, received, options }: Upgrade,
  head: Buffer,
  record: RequestRecord,
  refusal: ErrorCode | undefined,
): void {
  const { headers, responseHeaders, mountPath } = options;
  const exchange = createUpgradeExchange(req, socket, head, { clock: context.runtime.clock, headers, responseHeaders });
  if (exchange === undefined) return void socket.destroy();
  handleUpgrade(context, routing, exchange, received, record, { refusal, mountPath });
}

/** Sends an error response where the bytes received are no request, in its turn, and closes the connection. */
export function forwardClientError(context: ForwardContext, error: ParserError, socket: Duplex): void {
  handleParseError(error, socket, context.runtime.clock, (exchange, code) => {
    debug("no request, %s: %O", code, error);
    const record = new RequestRecord(context, exchange, undefined, { request: exchange.req });
    refuse(context, exchange, record, code);
  });
}
