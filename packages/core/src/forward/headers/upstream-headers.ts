import type { ResolvedRoute, UpstreamAddress } from "../../config/resolved.ts";
import { withHeaderChanges } from "../../http1/header-changes.ts";
import { appendForwarded, type ClientFacts } from "../../request/forwarded-headers.ts";
import type { RequestHeadIn } from "../../request/request-head.ts";
import type { Target } from "../../request/request-target.ts";

/** The path that goes to the upstream: byte for byte, but for whole-segment prefix work and the upstream's own path. */
export function upstreamPath(target: Target, route: ResolvedRoute, address: UpstreamAddress): string {
  let { path } = target;
  if (route.stripPrefix) path = path.slice(route.path.length);
  if (target.slashAdded === true && path.startsWith("/")) path = path.slice(1);
  path = address.basePath + route.addPrefix + path;
  return (path.startsWith("/") ? path : `/${path}`) + target.query;
}

/** The Host that goes to the upstream: the client's own, or its address. */
export function upstreamHost(head: RequestHeadIn, route: ResolvedRoute, address: UpstreamAddress): string {
  return route.preserveHost && head.host !== "" && head.hostDeleted !== true ? head.host : address.host;
}

/**
 * The headers that go to the upstream: Host first, then the client's own in their order, then the proxy's, or what an app has
 * set in their place. The route's changes come last.
 */
export function upstreamHeaders(
  head: RequestHeadIn,
  facts: ClientFacts,
  route: ResolvedRoute,
  address: UpstreamAddress,
  options: { readonly forwarded: boolean; readonly mountPath: string },
): string[] {
  const headers = ["Host", upstreamHost(head, route, address), ...head.passed];
  if (head.wantsTrailers) headers.push("TE", "trailers");
  const prefix = options.mountPath + (route.stripPrefix ? route.path : "");
  appendForwarded(headers, head, facts, { forwarded: options.forwarded, prefix });
  return withHeaderChanges(withHeaderChanges(headers, head.replacing), route.requestHeaders);
}
