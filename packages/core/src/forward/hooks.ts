/** The hooks with which an app reads and changes requests and responds to them. Hooks are trusted; what they set is checked before it is sent. */

import type { IncomingMessage } from "node:http";
import { didYouMean, show } from "../config/issues.ts";
import type { ResolvedRoute } from "../config/resolved.ts";
import type { ErrorCode } from "../errors.ts";
import { HeaderList } from "../http1/header-list.ts";
import { checkChangedHeaders, checkField, withAppHeaders } from "../request/app-headers.ts";
import type { Target } from "../request/request-target.ts";
import type { RoutedRequest } from "../request/routed-request.ts";
import type { Routing } from "../request/routing.ts";

const pathText = /^\/[\x21\x22\x24-\x7e]*$/;

/**
 * A response that a hook gives in place of the upstream's or the proxy's. Headers that frame it or belong to one connection are
 * ignored: the proxy sets them.
 */
export interface HookResponse {
  /** 200 to 599. */
  readonly status: number;
  /** Several values of one name are sent as several lines. */
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
  readonly body?: string | Uint8Array;
}

/** A request that a route has matched, before anything is sent. `Req` is the request as the framework in front has it. */
export interface RequestContext<Req = IncomingMessage> {
  /**
   * The request as the app knows it, with what was put on it in front of the proxy, such as `req.user`. To be read. Behind
   * `proxy.listen` and `createServer` it is a `ServerRequest`, which has the head and the addresses alone.
   */
  readonly req: Req;
  readonly requestId: string;
  /** The client's address, as far as it can be trusted. */
  readonly client: string;
  readonly method: string;
  readonly host: string;
  readonly route: string;
  /** The pool that will serve the request. The name of another pool sends it there. */
  pool: string;
  /** Path and query as received. The route's prefix rules apply to a changed value. */
  path: string;
  /**
   * The client's own headers, without hop-by-hop ones, framing, and those of the proxy. `Host`, `Via`, `X-Request-Id` and the
   * `X-Forwarded` headers replace the proxy's own when they are set. Headers that frame the message or belong to one
   * connection cannot be set: the request fails.
   */
  readonly headers: HeaderList;
  /** Responds at once; the request is not forwarded. */
  respond(response: HookResponse): void;
}

/** An upstream's response, before its head is sent to the client. */
export interface ResponseContext<Req = IncomingMessage> {
  /** As in `RequestContext`. */
  readonly req: Req;
  readonly requestId: string;
  readonly pool: string;
  readonly upstream: string;
  readonly status: number;
  /** As they will be sent, without hop-by-hop ones. Framing cannot be changed: the response fails. */
  readonly headers: HeaderList;
}

/** A locally generated error response, before it is sent. */
export interface ErrorContext<Req = IncomingMessage> {
  /** As in `RequestContext`. */
  readonly req: Req;
  readonly requestId: string;
  readonly code: ErrorCode;
  readonly status: number;
  /** What was thrown or failed underneath, where it is known. */
  readonly cause: unknown;
  /** Replaces the proxy's own response. */
  respond(response: HookResponse): void;
}

/** The hooks of a proxy. They stay the same over reloads. */
export interface Hooks<Req = IncomingMessage> {
  /** May be async: the request's body waits. An exception or a rejection is 500, and the request is not forwarded. */
  onRequest?(context: RequestContext<Req>): void | Promise<void>;
  /** An exception or an invalid header is 502, and the upstream's response is dropped. */
  onResponse?(context: ResponseContext<Req>): void;
  /** After an exception the proxy sends its own response. */
  onError?(context: ErrorContext<Req>): void;
}

/** The result of `onRequest`: the request to forward, a response, or an exception. */
export type HookOutcome = RoutedRequest | { readonly response: HookResponse } | { readonly thrown: unknown };

/** Where the exception of a hook is reported. */
interface ExceptionReporter {
  threw(where: "onResponse" | "onError", error: unknown, code?: ErrorCode): void;
}

/** Runs `onRequest`, and calls back during this call unless the hook is async. */
export function runRequestHook(
  hooks: Hooks,
  { req, method }: { readonly req: IncomingMessage; readonly method: string },
  routing: Routing,
  received: RoutedRequest,
  onOutcome: (outcome: HookOutcome) => void,
): void {
  let response: HookResponse | undefined;
  const { head, facts, target, route } = received;
  const context: RequestContext = {
    req,
    requestId: facts.requestId,
    client: facts.client,
    method,
    host: head.host,
    route: route.options.name,
    pool: route.pool.name,
    path: target.path + target.query,
    headers: new HeaderList([...head.passed]),
    respond: (given) => {
      response ??= checkedResponse(given);
    },
  };
  const fail = (error: unknown) => onOutcome({ thrown: error });
  const finish = () => {
    let outcome: HookOutcome;
    try {
      outcome = response === undefined ? changedRequest(received, context, routing) : { response };
    } catch (error) {
      return fail(error);
    }
    onOutcome(outcome);
  };
  let pending: unknown;
  try {
    pending = hooks.onRequest?.(context);
  } catch (error) {
    return fail(error);
  }
  if (isThenable(pending)) Promise.resolve(pending).then(finish, fail);
  else finish();
}

/** Runs `onResponse` on the headers, and returns the result; undefined when it failed. */
export function runResponseHook(
  hooks: Hooks,
  about: Omit<ResponseContext, "headers">,
  raw: string[],
  reporter: ExceptionReporter,
): string[] | undefined {
  const headers = new HeaderList([...raw]);
  const lengths = headers.getAll("content-length");
  try {
    watchRejection(hooks.onResponse?.({ ...about, headers }), "onResponse", reporter);
    checkChangedHeaders(headers.raw, raw);
  } catch (error) {
    reporter.threw("onResponse", error, "response_hook_failed");
    return undefined;
  }
  // The length is needed even if a hook has removed or repeated it.
  headers.delete("content-length");
  for (const length of lengths) headers.append("Content-Length", length);
  return headers.raw;
}

/** Returns the response that `onError` gives, if any. */
export function runErrorHook(
  hooks: Hooks,
  about: Omit<ErrorContext, "respond">,
  reporter: ExceptionReporter,
): HookResponse | undefined {
  let response: HookResponse | undefined;
  const respond = (given: HookResponse) => {
    response ??= checkedResponse(given);
  };
  try {
    watchRejection(hooks.onError?.({ ...about, respond }), "onError", reporter);
  } catch (error) {
    reporter.threw("onError", error);
    return undefined;
  }
  return response;
}

/** These hooks are not awaited. An async one can still reject, and a rejection that has no handler ends the process. */
function watchRejection(result: unknown, where: "onResponse" | "onError", reporter: ExceptionReporter): void {
  if (isThenable(result)) Promise.resolve(result).catch((error: unknown) => reporter.threw(where, error));
}

/** Throws during the call of `respond`, so that the stack names the hook, for a response that cannot be sent. */
function checkedResponse(given: HookResponse): HookResponse {
  const { status, headers = {}, body } = given;
  if (!Number.isInteger(status) || status < 200 || status > 599) {
    throw new RangeError(`the status of a response is a number from 200 to 599, found ${show(status)}`);
  }
  for (const [name, value] of Object.entries(headers)) {
    for (const line of [value].flat()) checkField(name, line);
  }
  if (body !== undefined && typeof body !== "string" && !(body instanceof Uint8Array)) {
    throw new TypeError(`the body of a response is a string or bytes, found ${show(body)}`);
  }
  return given;
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as PromiseLike<unknown> | null | undefined)?.then === "function";
}

/** Throws a `TypeError` for a header that cannot be sent, an unknown pool, and a malformed path. */
function changedRequest(received: RoutedRequest, context: RequestContext, routing: Routing): RoutedRequest {
  const { head, route } = received;
  const destination = routing.pools.get(context.pool);
  if (destination === undefined) {
    const name = String(context.pool);
    throw new TypeError(`there is no pool ${show(context.pool)}${didYouMean(name, [...routing.pools.keys()])}`);
  }
  return {
    ...received,
    head: withAppHeaders(head, context.headers.raw, head.passed),
    target: changedTarget(context.path, route.options),
    route: { options: route.options, ...destination },
  };
}

function changedTarget(text: string, { stripPrefix, path: prefix }: ResolvedRoute): Target {
  if (typeof text !== "string" || !pathText.test(text)) {
    throw new TypeError(
      `the path ${show(text)} is no path with a slash in front, without spaces, "#" and control characters`,
    );
  }
  const mark = text.indexOf("?");
  const path = mark === -1 ? text : text.slice(0, mark);
  if (stripPrefix && path !== prefix && !path.startsWith(`${prefix}/`)) {
    throw new TypeError(`the path ${show(text)} does not lie under ${show(prefix)}, which the route strips`);
  }
  return { path, query: mark === -1 ? "" : text.slice(mark) };
}
