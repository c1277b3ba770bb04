/** What an app may do with requests in code: look at them, change them, answer them. Hooks are trusted; what they set is checked where it is sent. */

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
 * An answer in place of the upstream's or the proxy's. Headers that frame it or belong to one connection are left out: those
 * are the proxy's.
 */
export interface Answer {
  /** 200 to 599. */
  readonly status: number;
  /** Several values of one name are sent as several lines. */
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
  readonly body?: string | Uint8Array;
}

/** A request that a route has matched, before anything is sent. `Req` is the request as the framework in front has it. */
export interface RequestContext<Req = IncomingMessage> {
  /** The request as the app knows it, with what was put on it in front of the proxy, such as `req.user`. To be read. */
  readonly req: Req;
  readonly requestId: string;
  /** The client's address, as far as it can be believed. */
  readonly client: string;
  readonly method: string;
  readonly host: string;
  readonly route: string;
  /** The pool that will serve it; another one's name sends it there. */
  pool: string;
  /** Path and query as they came; what is set here goes through the route's prefix work. */
  path: string;
  /**
   * The client's own headers, without those of the hop, of framing, and of the proxy. `Host`, `Via`, `X-Request-Id` and the
   * `X-Forwarded` ones take the place of the proxy's own when they are set. Headers that frame the message or belong to one
   * connection cannot be set: the request fails.
   */
  readonly headers: HeaderList;
  /** Answers at once; nothing is forwarded. */
  respond(answer: Answer): void;
}

/** An upstream's answer, before its head goes to the client. */
export interface ResponseContext<Req = IncomingMessage> {
  /** As in `RequestContext`. */
  readonly req: Req;
  readonly requestId: string;
  readonly pool: string;
  readonly upstream: string;
  readonly status: number;
  /** As they will be sent, without those of the hop. Framing cannot be changed here: the response fails. */
  readonly headers: HeaderList;
}

/** An answer that the proxy is about to give in its own name. */
export interface ErrorContext<Req = IncomingMessage> {
  /** As in `RequestContext`. */
  readonly req: Req;
  readonly requestId: string;
  readonly code: ErrorCode;
  readonly status: number;
  /** What was thrown or failed underneath, where it is known. */
  readonly cause: unknown;
  /** Takes the place of the proxy's own words. */
  respond(answer: Answer): void;
}

/** The hooks of a proxy. They stay the same over reloads. */
export interface Hooks<Req = IncomingMessage> {
  /** May take its time: the request's body waits. A throw or a rejection is 500, and nothing is forwarded. */
  onRequest?(context: RequestContext<Req>): void | Promise<void>;
  /** A throw is 502, as is a header out of grammar, and the upstream's answer is dropped. */
  onResponse?(context: ResponseContext<Req>): void;
  /** A throw leaves the proxy's own words in place. */
  onError?(context: ErrorContext<Req>): void;
}

/** The result of `onRequest`: the request as it goes on, an answer, or what was thrown. */
export type HookOutcome = RoutedRequest | { readonly answer: Answer } | { readonly thrown: unknown };

/** Where the exception of a hook is reported. */
interface ExceptionReporter {
  threw(where: "onResponse" | "onError", error: unknown, code?: ErrorCode): void;
}

/** Runs `onRequest`, and calls back in the same turn unless the hook takes its time. */
export function runRequestHook(
  hooks: Hooks,
  { req, method }: { readonly req: IncomingMessage; readonly method: string },
  routing: Routing,
  arrival: RoutedRequest,
  onOutcome: (outcome: HookOutcome) => void,
): void {
  let answer: Answer | undefined;
  const { head, facts, target, route } = arrival;
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
      answer ??= checkedAnswer(given);
    },
  };
  const fail = (error: unknown) => onOutcome({ thrown: error });
  const finish = () => {
    let outcome: HookOutcome;
    try {
      outcome = answer === undefined ? changedArrival(arrival, context, routing) : { answer };
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

/** Runs `onResponse` on the headers, and returns what it leaves; undefined when it failed. */
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
  // The length is needed even where a hook has removed or repeated it.
  headers.delete("content-length");
  for (const length of lengths) headers.append("Content-Length", length);
  return headers.raw;
}

/** Returns the answer that `onError` gives instead, if any. */
export function runErrorHook(
  hooks: Hooks,
  about: Omit<ErrorContext, "respond">,
  reporter: ExceptionReporter,
): Answer | undefined {
  let answer: Answer | undefined;
  const respond = (given: Answer) => {
    answer ??= checkedAnswer(given);
  };
  try {
    watchRejection(hooks.onError?.({ ...about, respond }), "onError", reporter);
  } catch (error) {
    reporter.threw("onError", error);
    return undefined;
  }
  return answer;
}

/** These hooks are not awaited. An async one can still reject, and a rejection that has no handler ends the process. */
function watchRejection(result: unknown, where: "onResponse" | "onError", reporter: ExceptionReporter): void {
  if (isThenable(result)) Promise.resolve(result).catch((error: unknown) => reporter.threw(where, error));
}

/** Throws at the call of `respond`, so that the stack leads to the hook, for an answer that cannot be sent. */
function checkedAnswer(given: Answer): Answer {
  const { status, headers = {}, body } = given;
  if (!Number.isInteger(status) || status < 200 || status > 599) {
    throw new RangeError(`an answer has a status from 200 to 599, found ${show(status)}`);
  }
  for (const [name, value] of Object.entries(headers)) {
    for (const line of [value].flat()) checkField(name, line);
  }
  if (body !== undefined && typeof body !== "string" && !(body instanceof Uint8Array)) {
    throw new TypeError(`an answer has a string or bytes as its body, found ${show(body)}`);
  }
  return given;
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as PromiseLike<unknown> | null | undefined)?.then === "function";
}

/** Throws a `TypeError` for what cannot be sent or does not exist. */
function changedArrival(arrival: RoutedRequest, context: RequestContext, routing: Routing): RoutedRequest {
  const { head, route } = arrival;
  const destination = routing.pools.get(context.pool);
  if (destination === undefined) {
    const name = String(context.pool);
    throw new TypeError(`there is no pool ${show(context.pool)}${didYouMean(name, [...routing.pools.keys()])}`);
  }
  return {
    ...arrival,
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
