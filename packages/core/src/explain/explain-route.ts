import type { ResolvedRoute } from "../config/resolved.ts";
import { matchesHosts, matchesMethods, matchesPath } from "../request/route-match.ts";
import type { Match, RouteExplanation } from "./explanation.ts";

/** What a route asks of a request. */
interface Asked {
  /** Normalized. */
  readonly host: string;
  /** Without query. */
  readonly path: string;
  readonly method: string;
}

/** Says of each thing that a route asks for whether a request has it. */
export function explainRoute(route: ResolvedRoute, asked: Asked): RouteExplanation {
  const host = explainHost(route, asked.host);
  const path = explainPath(route, asked.path);
  const method = explainMethod(route, asked.method);
  const matches = host.matches && path.matches && method.matches;
  return { name: route.name, pool: route.pool, matches, host, path, method };
}

function explainHost({ hosts }: ResolvedRoute, host: string): Match {
  if (hosts.length === 0) return { matches: true, because: "any host" };
  return say(matchesHosts(hosts, host), `${host || "no host"}`, hosts.join(" or "));
}

function explainPath({ path: prefix }: ResolvedRoute, path: string): Match {
  if (prefix === "") return { matches: true, because: "any path" };
  const matches = matchesPath(prefix, path);
  if (!matches && path.startsWith(prefix)) {
    return { matches, because: `${path} only begins like ${prefix}: a prefix is whole segments` };
  }
  return say(matches, path, `${prefix} or ${prefix}/*`);
}

function explainMethod({ methods }: ResolvedRoute, method: string): Match {
  if (methods === undefined) return { matches: true, because: "any method" };
  return say(matchesMethods(methods, method), method, [...methods].join(" or "));
}

function say(matches: boolean, found: string, wanted: string): Match {
  return { matches, because: `${found} is ${matches ? "" : "not "}${wanted}` };
}
