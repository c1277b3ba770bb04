/**
 * Explains what would happen to a request, and why. The functions of real requests read, check and route it. The pool supplies
 * its candidates, the policy their probabilities. Nothing is sent or counted, and later picks are not affected.
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
import { createSyntheticRequest } from "./synthetic-request.ts";

/** `time` is milliseconds since 1970. Throws an `OptionsError` for an invalid description. */
export function explain(request: ExplainRequest, routing: Routing, time: number): Explanation {
  const synthetic = createSyntheticRequest(request);
  const { method, target: url, remoteAddress: client = "" } = synthetic;
  const received = readRequest(synthetic, routing);
  if (isRefusal(received)) {
    const understood = { method, url, host: "", client };
    const why = refusal(received.code, received.reason);
    return freezeDeep({ time, request: understood, refusal: why, routes: [], route: null, pool: null });
  }
  const understood = { method, url, host: received.head.host, client: received.facts.client };
  const host = normalizeHost(received.head.host);
  const { path } = received.target;
  const routes = routing.routes.map(({ options }) => explainRoute(options, { host, path, method }));
  if (!isRouted(received)) {
    return freezeDeep({ time, request: understood, refusal: refusalOf(received), routes, route: null, pool: null });
  }
  const { pool, code } = explainPool(received);
  const route = routing.routes.indexOf(received.route);
  return freezeDeep({ time, request: understood, refusal: code && refusal(code, pool.because), routes, route, pool });
}

function refusalOf({ target }: ReceivedRequest): Explanation["refusal"] {
  if (target.path !== wholeServer) return refusal("no_route", "no route matches");
  return { code: null, status: 204, reason: "the proxy itself responds to OPTIONS *" };
}

function refusal(code: ErrorCode, reason: string): Explanation["refusal"] {
  return { code, status: errorKind(code).status, reason };
}
