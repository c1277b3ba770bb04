import type { ResolvedRoute } from "../config/resolved.ts";
import { matchesHosts, matchesMethods, matchesPath } from "../request/route-match.ts";
import type { Match, RouteExplanation } from "./explanation.ts";

/** The parts of a request that routes match. */
interface RouteInput {
  /** Normalized. */
  readonly host: string;
  /** Without query. */
  readonly path: string;
  readonly method: string;
}

/** Explains for host, path and method whether a route matches. */
export function explainRoute(route: ResolvedRoute, input: RouteInput): RouteExplanation {
  const host = explainHost(route, input.host);
  const path = explainPath(route, input.path);
  const method = explainMethod(route, input.method);
  const matches = host.matches && path.matches && method.matches;
  return { name: route.name, pool: route.pool, matches, host, path, method };
}

function explainHost({ hosts }: ResolvedRoute, host: string): Match {
  if (hosts.length === 0) return { matches: true, because: "any host" };
  return matchOf(matchesHosts(hosts, host), `${host || "no host"}`, hosts.join(" or "));
}

function explainPath({ path: prefix }: ResolvedRoute, path: string): Match {
  if (prefix === "") return { matches: true, because: "any path" };
  const matches = matchesPath(prefix, path);
  if (!matches && path.startsWith(prefix)) {
    return { matches, because: `${path} begins with ${prefix}, but a prefix matches whole segments only` };
  }
  return matchOf(matches, path, `${prefix} or ${prefix}/*`);
}

function explainMethod({ methods }: ResolvedRoute, method: string): Match {
  if (methods === undefined) return { matches: true, because: "any method" };
  return matchOf(matchesMethods(methods, method), method, [...methods].join(" or "));
}

function matchOf(matches: boolean, found: string, wanted: string): Match {
  return { matches, because: `${found} is ${matches ? "" : "not "}${wanted}` };
}
