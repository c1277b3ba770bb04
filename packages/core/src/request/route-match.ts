import type { AffinityCookie } from "../attempts/affinity-cookie.ts";
import type { Balancer } from "../balancer/balancer.ts";
import type { ResolvedRoute } from "../config/resolved.ts";
import type { Pool } from "../pool/pool.ts";
import type { KeyReader } from "./hash-key.ts";

/** A pool, with what chooses there. */
export interface Destination {
  readonly pool: Pool;
  readonly balancer: Balancer;
  /** Undefined when the pool's policy has no use for a key. */
  readonly keyOf: KeyReader | undefined;
  /** Undefined unless the pool keeps its clients. */
  readonly sticky: AffinityCookie | undefined;
}

/** A route with where it leads. */
export interface Route extends Destination {
  readonly options: ResolvedRoute;
}

/** The first route that matches, in the order they were written. `host` is normalized, `path` is without query. */
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

/** No hosts are every host. */
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
 * Whether a path has `..` as a segment, plain or percent-encoded, also where a lax upstream would see one: behind an
 * encoded slash, a backslash, or in front of a `;` parameter.
 */
export function hasParentSegment(path: string): boolean {
  if (!path.includes("..") && !/%2e/i.test(path)) return false;
  const plain = path
    .replace(/%2e/gi, ".")
    .replace(/%2f/gi, "/")
    .replace(/%5c|\\/gi, "/");
  return plain.split("/").some((segment) => segment.split(";")[0] === "..");
}
