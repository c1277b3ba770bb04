import type { ChangedHeaders } from "../client/changed-headers.ts";
import type { IncomingRequest } from "../client/client-exchange.ts";
import { withChangedHeaders } from "./app-headers.ts";
import { type ClientFacts, clientFacts, requestIdPattern } from "./forwarded-headers.ts";
import { isRefusal, type Refusal, type RequestHeadIn, readRequestHead, withoutClaims } from "./request-head.ts";
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

export function isRouted(request: ReceivedRequest): request is RoutedRequest {
  return request.route !== undefined;
}

/** What a framework in front of the proxy has made of a request: see `ForwardOptions`. */
interface FrameworkView {
  readonly mountPath?: string | undefined;
  readonly slashAdded?: boolean | undefined;
  readonly rawHeaders?: readonly string[] | undefined;
}

/** Reads, checks and routes a request. Every refusal of the request itself is decided here, before anything is sent. */
export function readRequest(
  request: IncomingRequest,
  routing: Routing,
  { mountPath = "", slashAdded = false, rawHeaders = request.rawHeaders }: FrameworkView = {},
): ReceivedRequest | Refusal {
  const { method, httpVersion, bodyFollows, changedHeaders: changes } = request;
  const maxHeaders = changes === undefined ? routing.maxHeaders : Math.min(routing.maxHeaders, changes.visibleLines);
  const received = readRequestHead({ method, httpVersion, rawHeaders, bodyFollows }, maxHeaders, changes);
  if (isRefusal(received)) return received;
  const parsed = parseTarget(request.target, received.host, method);
  if (isRefusal(parsed)) return parsed;
  const target = slashAdded ? { ...parsed, slashAdded } : parsed;
  // Below a mount path, the segment could leave the part of the app that the proxy serves.
  if ((routing.pathsMatter || mountPath !== "") && hasParentSegment(target.path)) {
    return { code: "bad_request", reason: "the path has a .. segment" };
  }
  const facts = clientFacts(request, received, routing.trustedProxies);
  const trusted = facts.trusted ? received : withoutClaims(received);
  const head = changes === undefined ? trusted : withAppChanges(trusted, changes);
  if (isRefusal(head)) return head;
  return {
    head,
    target,
    facts: changes === undefined ? facts : withAppRequestId(facts, changes),
    route:
      target.path === wholeServer
        ? undefined
        : matchRoute(routing.routes, normalizeHost(head.host), target.path, method),
  };
}

/** The head with the app's changes. A header that cannot be sent is the app's mistake, not the client's. */
function withAppChanges(head: RequestHeadIn, changes: ChangedHeaders): RequestHeadIn | Refusal {
  try {
    return withChangedHeaders(head, changes);
  } catch (error) {
    return {
      code: "request_hook_failed",
      reason: "the app has set a value in req.headers that cannot be sent",
      cause: error,
    };
  }
}

/** A request id that an app sets is the id in the proxy's events and logs, too. */
function withAppRequestId(facts: ClientFacts, changes: ChangedHeaders): ClientFacts {
  const [, requestId = ""] = changes.lines.get("x-request-id")?.[0] ?? [];
  return requestIdPattern.test(requestId) ? { ...facts, requestId } : facts;
}
