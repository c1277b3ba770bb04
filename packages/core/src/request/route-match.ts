import type { AffinityCookie } from "../attempts/affinity-cookie.ts";
import type { Balancer } from "../balancer/balancer.ts";
import type { ResolvedRoute } from "../config/resolved.ts";
import type { Pool } from "../pool/pool.ts";
import type { KeyReader } from "./hash-key.ts";

/** A pool, and how an upstream of it is selected for a request. */
export interface Destination {
  readonly pool: Pool;
  readonly balancer: Balancer;
  /** Undefined when the pool's policy uses no key. */
  readonly keyOf: KeyReader | undefined;
  /** Undefined without session affinity. */
  readonly sticky: AffinityCookie | undefined;
}

/** A route with its destination. */
export interface Route extends Destination {
  readonly options: ResolvedRoute;
}

/** Returns the first route that matches, in the order of the options. `host` is normalized, `path` has no query. */
export function matchRoute(routes: readonly Route[], host: string, path: string, method: string): Route | undefined {
  return routes.find(
    ({ options }) =>
      matchesHosts(options.hosts, host) && matchesPath(options.path, path) && matchesMethods(options.methods, method),
  );
}

/** Lower case, without a port and without a trailing dot. */
export function normalizeHost(host: string): string {
  const withoutPort = host.startsWith("[") ? host.slice(0, host.indexOf("]") + 1) : host.replace(/:\d*$/, "");
  return withoutPort.replace(/\.$/, "").toLowerCase();
}

/** An empty list matches every host. */
export function matchesHosts(patterns: readonly string[], host: string): boolean {
  return patterns.length === 0 || patterns.some((pattern) => matchesHost(pattern, host));
}

export function matchesMethods(methods: ReadonlySet<string> | undefined, method: string): boolean {
  return methods === undefined || methods.has(method);
}

/** Whole segments: `/api` matches `/api` and `/api/x`, not `/apix`. */
export function matchesPath(prefix: string, path: string): boolean {
  return path.startsWith(prefix) && (path.length === prefix.length || prefix === "" || path[prefix.length] === "/");
}

function matchesHost(pattern: string, host: string): boolean {
  return pattern.startsWith("*.")
    ? host.endsWith(pattern.slice(1)) && host.length > pattern.length - 1
    : host === pattern;
}

/**
 * Whether a path has `..` as a segment, plain or percent-encoded. This includes the places where a lenient upstream finds one:
 * after an encoded slash or a backslash, and before a `;` parameter.
 */
export function hasParentSegment(path: string): boolean {
  if (!path.includes("..") && !/%2e/i.test(path)) return false;
  const plain = path
    .replace(/%2e/gi, ".")
    .replace(/%2f/gi, "/")
    .replace(/%5c|\\/gi, "/");
  return plain.split("/").some((segment) => segment.split(";")[0] === "..");
}
