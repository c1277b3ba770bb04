/** What an app may do with requests in code: look at them, change them, answer them. Hooks are trusted; what they set is checked where it is sent. */

import { validateHeaderName, validateHeaderValue } from "node:http";
import createDebug from "debug";
import type { ErrorCode } from "../errors.ts";
import type { RoutedArrival } from "./arrival.ts";
import type { Routing } from "./engine.ts";
import { HeaderList } from "./header-list.ts";

const debug = createDebug("evenkeel:forward");

/** An answer in place of the upstream's or the proxy's. Its length and connection headers are the proxy's. */
export interface Answer {
  /** 200 to 599. */
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
}

/** A request that a route has matched, before anything is sent. */
export interface RequestContext {
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
  /** The client's own headers, without those of the hop, of framing, and of the proxy. */
  readonly headers: HeaderList;
  /** Answers at once; nothing is forwarded. */
  respond(answer: Answer): void;
}

/** An upstream's answer, before its head goes to the client. */
export interface ResponseContext {
  readonly requestId: string;
  readonly pool: string;
  readonly upstream: string;
  readonly status: number;
  /** As they will be sent, without those of the hop. Framing cannot be changed here. */
  readonly headers: HeaderList;
}

/** An answer that the proxy is about to give in its own name. */
export interface ErrorContext {
  readonly requestId: string;
  readonly code: ErrorCode;
  readonly status: number;
  /** Takes the place of the proxy's own words. */
  respond(answer: Answer): void;
}

/** The hooks of a proxy. They stay the same over reloads. */
export interface Hooks {
  /** May take its time: the request's body waits. A throw or a rejection is 500, and nothing is forwarded. */
  onRequest?(context: RequestContext): void | Promise<void>;
  /** A throw is 502, as is a header out of grammar, and the upstream's answer is dropped. */
  onResponse?(context: ResponseContext): void;
  /** A throw leaves the proxy's own words in place. */
  onError?(context: ErrorContext): void;
}

/** What came of `onRequest`: the request as it goes on, an answer, or a failure. */
export type HookOutcome = RoutedArrival | { readonly answer: Answer } | "failed";

/** Runs `onRequest`, and calls back in the same turn unless the hook takes its time. */
export function runRequestHook(
  hooks: Hooks,
  method: string,
  routing: Routing,
  arrival: RoutedArrival,
  onOutcome: (outcome: HookOutcome) => void,
): void {
  let answer: Answer | undefined;
  const { head, facts, target, route } = arrival;
  const context: RequestContext = {
    requestId: facts.requestId,
    client: facts.client,
    method,
    host: head.host,
    route: route.options.name,
    pool: route.pool.name,
    path: target.path + target.query,
    headers: new HeaderList([...head.passed]),
    respond: (given) => {
      answer ??= given;
    },
  };
  const finish = () => onOutcome(answer === undefined ? changedArrival(arrival, context, routing) : { answer });
  const fail = (error: unknown) => {
    debug("onRequest failed: %O", error);
    onOutcome("failed");
  };
  try {
    const pending = hooks.onRequest?.(context);
    if (pending === undefined) finish();
    else pending.then(finish, fail);
  } catch (error) {
    fail(error);
  }
}

/** Lets `onResponse` at the headers, and returns what it leaves; undefined when it failed. */
export function runResponseHook(
  hooks: Hooks,
  about: Omit<ResponseContext, "headers">,
  raw: string[],
): string[] | undefined {
  const headers = new HeaderList(raw);
  const lengths = headers.getAll("content-length");
  try {
    hooks.onResponse?.({ ...about, headers });
    for (const [name, value] of headers) {
      validateHeaderName(name);
      validateHeaderValue(name, value);
    }
  } catch (error) {
    debug("onResponse failed: %O", error);
    return undefined;
  }
  // Framing is not a hook's to change.
  for (const name of ["content-length", "transfer-encoding", "connection"]) headers.delete(name);
  for (const length of lengths) headers.append("Content-Length", length);
  return headers.raw;
}

/** What `onError` wants to be said instead, if anything. */
export function runErrorHook(hooks: Hooks, about: Omit<ErrorContext, "respond">): Answer | undefined {
  let answer: Answer | undefined;
  try {
    hooks.onError?.({
      ...about,
      respond: (given) => {
        answer ??= given;
      },
    });
  } catch (error) {
    debug("onError failed: %O", error);
    return undefined;
  }
  return answer;
}

function changedArrival(arrival: RoutedArrival, context: RequestContext, routing: Routing): HookOutcome {
  const destination = routing.pools.get(context.pool);
  if (destination === undefined || !context.path.startsWith("/")) {
    debug("onRequest set a pool that does not exist or a path without a slash: %s %s", context.pool, context.path);
    return "failed";
  }
  const mark = context.path.indexOf("?");
  const path = mark === -1 ? context.path : context.path.slice(0, mark);
  const { options } = arrival.route;
  // The prefix that is to be stripped has to be there.
  if (options.stripPrefix && !path.startsWith(options.path)) return "failed";
  return {
    ...arrival,
    head: { ...arrival.head, passed: context.headers.raw },
    target: { path, query: mark === -1 ? "" : context.path.slice(mark) },
    route: { options, ...destination },
  };
}
