import { withChangedHeaders } from "./app-headers.ts";
import { type ChangedHeaders, changedHeaders, type HeaderObject } from "./changed-headers.ts";
import { type ClientFacts, clientFacts, requestIdPattern } from "./forwarded-headers.ts";
import {
  isRefusal,
  type RawRequest,
  type Refusal,
  type RequestHeadIn,
  readRequestHead,
  withoutClaims,
} from "./request-head.ts";
import { parseTarget, type Target, wholeServer } from "./request-target.ts";
import { hasParentSegment, matchRoute, normalizeHost, type Route } from "./route-match.ts";
import type { Routing } from "./routing.ts";

/** A request that has been read, checked and routed. */
export interface ReceivedRequest {
  readonly head: RequestHeadIn;
  readonly facts: ClientFacts;
  readonly target: Target;
  /** Undefined when no route matches. */
  readonly route: Route | undefined;
}

/** A request that a route matches. */
export interface RoutedRequest extends ReceivedRequest {
  readonly route: Route;
}

export function isRouted(arrival: ReceivedRequest): arrival is RoutedRequest {
  return arrival.route !== undefined;
}

/** What a framework has made of a request: see `ForwardOptions`. */
interface Seen {
  readonly mountPath?: string;
  readonly slashAdded?: boolean;
  readonly rawHeaders?: readonly string[];
  readonly headers?: HeaderObject | undefined;
}

/** Reads, checks and routes a request; its own decisions are all made here, before anything is sent anywhere. */
export function readRequest(req: RawRequest, routing: Routing, seen: Seen = {}): ReceivedRequest | Refusal {
  const { mountPath = "", slashAdded = false, rawHeaders } = seen;
  const changes = changedHeaders(req, seen.headers);
  const maxHeaders = changes === undefined ? routing.maxHeaders : Math.min(routing.maxHeaders, maxHeadersOf(req));
  const received = readRequestHead(rawHeaders === undefined ? req : withLines(req, rawHeaders), maxHeaders, changes);
  if (isRefusal(received)) return received;
  const parsed = parseTarget(req.url ?? "", received.host, req.method);
  if (isRefusal(parsed)) return parsed;
  const target = slashAdded ? { ...parsed, slashAdded } : parsed;
  // Below a mount path, it could lead out of what the app has given to the proxy.
  if ((routing.pathsMatter || mountPath !== "") && hasParentSegment(target.path)) {
    return { code: "bad_request", reason: "the path has a .. segment" };
  }
  const told = clientFacts(req, received, routing.trustedProxies);
  const believed = told.trusted ? received : withoutClaims(received);
  const head = changes === undefined ? believed : decidedByApp(believed, changes);
  if (isRefusal(head)) return head;
  return {
    head,
    target,
    facts: changes === undefined ? told : withAppRequestId(told, changes),
    route:
      target.path === wholeServer
        ? undefined
        : matchRoute(routing.routes, normalizeHost(head.host), target.path, req.method ?? ""),
  };
}

/** The request as it is read, with header lines that say what its body is now. */
function withLines(req: RawRequest, rawHeaders: readonly string[]): RawRequest {
  const { method, url, httpVersionMajor, httpVersionMinor, socket } = req;
  return { method, url, rawHeaders, httpVersionMajor, httpVersionMinor, socket };
}

/**
 * How many lines Node has put into `req.headers`. The app has not seen the rest, and could not have decided on it; it is neither
 * dropped without a word nor passed on.
 */
function maxHeadersOf({ socket }: RawRequest): number {
  const count = (socket as { server?: { maxHeadersCount?: number | null } }).server?.maxHeadersCount ?? nodeMaxHeaders;
  return count > 0 ? count : Infinity;
}

/** What Node takes where an app has set no `maxHeadersCount`. */
const nodeMaxHeaders = 1_000;

/** The head with what an app has set. A header that cannot be sent is the app's mistake, not the client's. */
function decidedByApp(head: RequestHeadIn, changes: ChangedHeaders): RequestHeadIn | Refusal {
  try {
    return withChangedHeaders(head, changes);
  } catch (error) {
    return { code: "request_hook_failed", reason: "the app has set in req.headers what cannot be sent", cause: error };
  }
}

/** An app that names its requests has the same name in the proxy's events and logs. */
function withAppRequestId(facts: ClientFacts, changes: ChangedHeaders): ClientFacts {
  const [, requestId = ""] = changes.lines.get("x-request-id")?.[0] ?? [];
  return requestIdPattern.test(requestId) ? { ...facts, requestId } : facts;
}
