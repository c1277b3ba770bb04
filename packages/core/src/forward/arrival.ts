import type { Routing } from "./engine.ts";
import { type ClientFacts, clientFacts } from "./forwarded-headers.ts";
import {
  isRefusal,
  type RawRequest,
  type Refusal,
  type RequestHeadIn,
  readRequestHead,
  withoutClaims,
} from "./request-head.ts";
import { hasParentSegment, matchRoute, normalizeHost, type Route } from "./routes.ts";
import { parseTarget, type Target, wholeServer } from "./target.ts";

/** A request that has been read, checked and routed. */
export interface Arrival {
  readonly head: RequestHeadIn;
  readonly facts: ClientFacts;
  readonly target: Target;
  /** Undefined when no route matches. */
  readonly route: Route | undefined;
}

/** A request that a route matches. */
export interface RoutedArrival extends Arrival {
  readonly route: Route;
}

export function isRouted(arrival: Arrival): arrival is RoutedArrival {
  return arrival.route !== undefined;
}

/** What a framework has made of a request's target: see `ForwardOptions`. */
interface Mount {
  readonly mountPath?: string;
  readonly slashAdded?: boolean;
}

/** Reads, checks and routes a request; its own decisions are all made here, before anything is sent anywhere. */
export function readArrival(req: RawRequest, routing: Routing, mount: Mount = {}): Arrival | Refusal {
  const { mountPath = "", slashAdded = false } = mount;
  const head = readRequestHead(req, routing.maxHeaders);
  if (isRefusal(head)) return head;
  const parsed = parseTarget(req.url ?? "", head.host, req.method);
  if (isRefusal(parsed)) return parsed;
  const target = slashAdded ? { ...parsed, slashAdded } : parsed;
  // Below a mount path, it could lead out of what the app has given to the proxy.
  if ((routing.pathsMatter || mountPath !== "") && hasParentSegment(target.path)) {
    return { code: "bad_request", reason: "the path has a .. segment" };
  }
  const facts = clientFacts(req, head, routing.trustedProxies);
  return {
    head: facts.trusted ? head : withoutClaims(head),
    target,
    facts,
    route:
      target.path === wholeServer
        ? undefined
        : matchRoute(routing.routes, normalizeHost(head.host), target.path, req.method ?? ""),
  };
}
