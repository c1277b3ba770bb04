import createDebug from "debug";
import type { InFlight } from "../attempts/in-flight.ts";
import type { ClientExchange, ClientHandler, IncomingRequest } from "../client/client-exchange.ts";
import { type ErrorCode, errorKind, ProxyError } from "../errors.ts";
import { isRefusal, type Refusal } from "../request/request-head.ts";
import { wholeServer } from "../request/request-target.ts";
import { isRouted, type ReceivedRequest, type RoutedRequest } from "../request/routed-request.ts";
import type { Routing } from "../request/routing.ts";
import { tracesRequests } from "../tracing/channels.ts";
import { ClientResponse } from "./client-response.ts";
import type { ForwardContext } from "./context.ts";
import { isSettled } from "./error-response.ts";
import { type HookResponse, runRequestHook } from "./hooks.ts";
import { ProxiedRequest } from "./proxied-request.ts";
import { type OnError, type RecordOptions, RequestRecord } from "./request-record.ts";
import { traceRequest } from "./trace-request.ts";

const debug = createDebug("evenkeel:forward");

/** What a server or an adapter knows of a request beside the exchange. */
export interface RequestOptions extends RecordOptions {
  /** The target begins with a slash that the client did not send: see `ForwardOptions.slashAdded`. */
  readonly slashAdded?: boolean | undefined;
  /** Header names and values by turns that replace the received ones. */
  readonly rawHeaders?: readonly string[] | undefined;
  /** The whole body, if it was read in front of the proxy. A `ProxyError` that a function throws is the response. */
  readonly body?: Uint8Array | (() => Uint8Array) | undefined;
  /** Responds in place of the proxy to a request that a route matches. */
  readonly onError?: OnError | undefined;
  /** Aborted when an app responds itself after all. */
  readonly leftToApp?: AbortSignal | undefined;
  /** Refuses the request with this code. */
  readonly refusal?: ErrorCode | undefined;
}

/** Forwards a request that was read under `routing`, or sends an error response. */
export function handleRequest(
  context: ForwardContext,
  routing: Routing,
  client: ClientExchange,
  received: ReceivedRequest | Refusal,
  options: RequestOptions,
): void {
  const record = createRecord(context, client, received, options);
  if (context.tracing && tracesRequests()) handleTraced(context, routing, client, received, record, options);
  else handleRecorded(context, routing, client, received, record, options);
}

/** Apart, so that a request that is not traced costs no closure. */
function handleTraced(
  context: ForwardContext,
  routing: Routing,
  client: ClientExchange,
  received: ReceivedRequest | Refusal,
  record: RequestRecord,
  options: RequestOptions,
): void {
  traceRequest("request", client, received, record, () =>
    handleRecorded(context, routing, client, received, record, options),
  );
}

function handleRecorded(
  context: ForwardContext,
  routing: Routing,
  client: ClientExchange,
  received: ReceivedRequest | Refusal,
  record: RequestRecord,
  options: RequestOptions,
): void {
  options.leftToApp?.addEventListener("abort", () => record.answeredByApp(client));
  if (options.refusal !== undefined) return refuse(context, client, record, options.refusal, { last: true });
  if (client.fault !== undefined) return refuse(context, client, record, client.fault);
  if (isRefusal(received)) {
    debug("refused with %s: %s", received.code, received.reason);
    return refuse(context, client, record, received.code);
  }
  if (isRouted(received)) return startForwarding(context, routing, { client, received, record }, options);
  if (received.target.path !== wholeServer) return refuse(context, client, record, "no_route");
  respond(context, client, record, (response) => response.respondToOptions());
}

/** A request that a route matches. */
interface RoutedExchange {
  readonly client: ClientExchange;
  readonly received: RoutedRequest;
  readonly record: RequestRecord;
}

function startForwarding(
  context: ForwardContext,
  routing: Routing,
  { client, received, record }: RoutedExchange,
  options: RequestOptions,
): void {
  record.onError = options.onError;
  const parsedBody = bodyReadBefore(client, received, options);
  if (parsedBody instanceof ProxyError) {
    return refuse(context, client, record, parsedBody.code, { detail: parsedBody.message });
  }
  const forward = (routed: RoutedRequest) => {
    // The app may have responded while a hook was running.
    if (options.leftToApp?.aborted === true) return client.start(new RecordOnClose(record));
    const { mountPath = "" } = options;
    const proxied = new ProxiedRequest({ context, routing, client, record, mountPath, parsedBody, received: routed });
    options.leftToApp?.addEventListener("abort", () => proxied.leaveToApp());
    proxied.start();
  };
  if (context.hooks.onRequest === undefined) forward(received);
  else afterRequestHook(context, routing, { client, received, record }, forward);
}

/** The body that a parser in front of the proxy has read, or why it is lost. */
function bodyReadBefore(
  client: ClientExchange,
  { head }: RoutedRequest,
  { body }: RequestOptions,
): Uint8Array | ProxyError | undefined {
  try {
    const parsed = typeof body === "function" ? body() : body;
    if (parsed === undefined && head.bodyLength !== 0 && client.bodyTaken) {
      const message = "something in front of the proxy has read the request's body; mount the proxy in front of it";
      return new ProxyError("body_consumed", message);
    }
    return parsed;
  } catch (error) {
    if (error instanceof ProxyError) return error;
    throw error;
  }
}

export function createRecord(
  context: ForwardContext,
  request: IncomingRequest,
  received: ReceivedRequest | Refusal,
  options: RecordOptions,
): RequestRecord {
  const record = new RequestRecord(context, request, isRefusal(received) ? undefined : received, options);
  if (isRefusal(received) && received.cause !== undefined) record.failed(received.code, received.cause);
  return record;
}

/** Reports a request whose connection has closed before the proxy could handle it. */
export function recordUnhandled(record: RequestRecord, code: ErrorCode): void {
  record.error = code;
  record.status = errorKind(code).status;
  record.finish();
}

/** Continues with the request as `onRequest` has left it, or sends the response that the hook gives. */
export function afterRequestHook(
  context: ForwardContext,
  routing: Routing,
  { client, received, record }: RoutedExchange,
  forward: (received: RoutedRequest) => void,
): void {
  // Closing waits for a request whose hook is running, too.
  let closed = false;
  const running: InFlight = {
    destroy: () => {
      if (closed) return client.cutOff();
      closed = true;
      refuse(context, client, record, "closed", { onClosed: () => context.inFlight.delete(running) });
    },
  };
  context.inFlight.add(running);
  const about = { req: record.appRequest, method: client.method };
  runRequestHook(context.hooks, about, routing, received, (outcome) => {
    if (closed) return;
    if ("thrown" in outcome) {
      record.threw("onRequest", outcome.thrown, "request_hook_failed");
      refuse(context, client, record, "request_hook_failed");
    } else if ("response" in outcome) sendHookResponse(context, client, record, outcome.response);
    else if (client.fault !== undefined) refuse(context, client, record, client.fault);
    else {
      record.route = outcome.route;
      forward(outcome);
    }
    context.inFlight.delete(running);
  });
}

function sendHookResponse(
  context: ForwardContext,
  client: ClientExchange,
  record: RequestRecord,
  given: HookResponse,
): void {
  const settled = isSettled(client, record.head?.bodyLength ?? -1);
  respond(context, client, record, (response) => response.sendHookResponse(given, settled));
}

interface RefusalOptions {
  /** For the client to read, beside the code. */
  readonly detail?: string;
  /** The connection closes after the response, whatever the state of the request's body. */
  readonly last?: boolean;
  readonly onClosed?: () => void;
}

/** Sends an error response to a request that is not forwarded. */
export function refuse(
  context: ForwardContext,
  client: ClientExchange,
  record: RequestRecord,
  code: ErrorCode,
  { detail, last = false, onClosed }: RefusalOptions = {},
): void {
  const settled = !last && isSettled(client, record.head?.bodyLength ?? -1);
  respond(context, client, record, (response) => response.fail(code, settled, detail), onClosed);
}

function respond(
  context: ForwardContext,
  client: ClientExchange,
  record: RequestRecord,
  send: (response: ClientResponse) => void,
  onClosed?: () => void,
): void {
  client.start(new RecordOnClose(record, onClosed));
  send(new ClientResponse(client, record, context));
}

/** The client of a locally generated response: nothing of the request is read, and its end is recorded. */
class RecordOnClose implements ClientHandler {
  readonly #record: RequestRecord;
  readonly #onClosed: (() => void) | undefined;

  constructor(record: RequestRecord, onClosed?: () => void) {
    this.#record = record;
    this.#onClosed = onClosed;
  }

  onBody(): void {}
  onBodyEnd(): void {}
  onWritable(): void {}

  /** The response is complete, or the app's. */
  onFault(): void {}

  onClosed(finished: boolean): void {
    // The app was to respond, and nothing was sent.
    if (!finished && this.#record.status === 0) this.#record.clientAborted();
    this.#record.finish(finished);
    this.#onClosed?.();
  }
}
