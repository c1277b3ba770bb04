/**
 * Says what would become of a request, and why. The request is read, checked and routed by the very functions that real
 * ones go through; the pool is asked for its candidates as for a pick, and the policy for its chances. Nothing is sent
 * and nothing counted: the picks that follow are those that would have followed anyway.
 */

import { type ErrorCode, errorKind } from "../errors.ts";
import { isRefusal } from "../request/request-head.ts";
import { wholeServer } from "../request/request-target.ts";
import { normalizeHost } from "../request/route-match.ts";
import { isRouted, type ReceivedRequest, readRequest } from "../request/routed-request.ts";
import type { Routing } from "../request/routing.ts";
import { freezeDeep } from "../runtime/freeze-deep.ts";
import { explainPool } from "./explain-pool.ts";
import { explainRoute } from "./explain-route.ts";
import type { ExplainRequest, Explanation } from "./explanation.ts";
import { makeUpRequest } from "./synthetic-request.ts";

/** `time` is milliseconds since 1970. Throws an `OptionsError` for what describes no request. */
export function explain(request: ExplainRequest, routing: Routing, time: number): Explanation {
  const made = makeUpRequest(request);
  const { method, url, socket } = made;
  const arrival = readRequest(made, routing);
  if (isRefusal(arrival)) {
    const asked = { method, url, host: "", client: socket.remoteAddress };
    const why = refusal(arrival.code, arrival.reason);
    return freezeDeep({ time, request: asked, refusal: why, routes: [], route: null, pool: null });
  }
  const asked = { method, url, host: arrival.head.host, client: arrival.facts.client };
  const host = normalizeHost(arrival.head.host);
  const { path } = arrival.target;
  const routes = routing.routes.map(({ options }) => explainRoute(options, { host, path, method }));
  if (!isRouted(arrival)) {
    return freezeDeep({ time, request: asked, refusal: refusalOf(arrival), routes, route: null, pool: null });
  }
  const { pool, code } = explainPool(arrival);
  const route = routing.routes.indexOf(arrival.route);
  return freezeDeep({ time, request: asked, refusal: code && refusal(code, pool.because), routes, route, pool });
}

function refusalOf({ target }: ReceivedRequest): Explanation["refusal"] {
  if (target.path !== wholeServer) return refusal("no_route", "no route matches");
  return { code: null, status: 204, reason: "OPTIONS * is about the proxy itself, which answers it" };
}

function refusal(code: ErrorCode, reason: string): Explanation["refusal"] {
  return { code, status: errorKind(code).status, reason };
}
