/**
 * Checks between two or more keys of the options, which a schema cannot express.
 *
 * They check the user's input, independently of the schema, so that all mistakes are reported at once. They ignore values of
 * the wrong type: the schema reports those.
 */

import { defaults as builtIn } from "../defaults.ts";
import { type ConfigIssue, didYouMean } from "../issues.ts";
import { isTable, mergeKeys } from "../merge.ts";
import type { UpstreamAddress } from "../resolved.ts";
import { defaultUpstreamId, parseUpstreamUrl } from "../upstream-url.ts";

type Path = readonly (string | number)[];

/** Checks options with named pools. */
export function crossCheckPools(options: unknown): ConfigIssue[] {
  if (!isTable(options) || !isTable(options["pools"])) return [];
  const { pools, defaults } = options;
  const names = Object.keys(pools);
  const shared = isTable(defaults) ? defaults["tls"] : undefined;
  return [
    ...names.flatMap((name) => checkUpstreamIds(pools[name], ["pools", name])),
    ...names.flatMap((name) => checkDiscovery(pools[name], ["pools", name])),
    ...names.flatMap((name) => checkHttp2(pools[name], ["pools", name])),
    ...checkTls(names, pools, shared),
    ...checkStickyCookies(pools, isTable(defaults) ? defaults["sticky"] : undefined),
    ...checkRoutes(options["routes"], names),
  ];
}

/** Checks the options of a single pool at the top, with routes. */
export function crossCheckOnePool(options: unknown): ConfigIssue[] {
  const routes = isTable(options) ? options["routes"] : undefined;
  return [...crossCheckPool(options), ...checkRoutes(routes, ["default"])];
}

/** Checks the options of a pool. */
export function crossCheckPool(options: unknown): ConfigIssue[] {
  if (!isTable(options)) return [];
  const tls = isHalfPair(options["tls"]) ? [halfPairIssue(["tls"])] : [];
  return [...checkUpstreamIds(options, []), ...checkDiscovery(options, []), ...checkHttp2(options, []), ...tls];
}

/**
 * HTTP/2 is negotiated over TLS only, and "h2c" is for upstreams without it. A value that applies to none of a pool's upstreams
 * is a mistake; in the defaults it may be for other pools.
 */
function checkHttp2(pool: unknown, path: Path): ConfigIssue[] {
  if (!isTable(pool) || !isTable(pool["connections"]) || pool["discovery"] !== undefined) return [];
  const { http2 } = pool["connections"];
  if ((http2 !== true && http2 !== "h2c") || !Array.isArray(pool["upstreams"])) return [];
  const addresses = pool["upstreams"].map(upstreamAddress).filter((address) => address !== undefined);
  if (addresses.length === 0 || addresses.some(({ tls }) => tls === (http2 === true))) return [];
  const message =
    http2 === true
      ? 'true is for https upstreams, and this pool has none; set "h2c" if its upstreams support HTTP/2 without TLS'
      : '"h2c" is for http upstreams, and this pool has none; set true to negotiate HTTP/2 with its https upstreams';
  return [{ path: [...path, "connections", "http2"], message }];
}

function checkDiscovery(pool: unknown, path: Path): ConfigIssue[] {
  const discovery = isTable(pool) ? pool["discovery"] : undefined;
  if (!isTable(discovery) || discovery["type"] !== "srv" || discovery["port"] === undefined) return [];
  const message = 'SRV records contain the ports: remove this key, or set type = "dns"';
  return [{ path: [...path, "discovery", "port"], message }];
}

function checkUpstreamIds(pool: unknown, path: Path): ConfigIssue[] {
  if (!isTable(pool) || !Array.isArray(pool["upstreams"])) return [];
  const issues: ConfigIssue[] = [];
  const firstWithId = new Map<string, number>();
  for (const [index, entry] of pool["upstreams"].entries()) {
    const id = upstreamId(entry);
    if (id === undefined) continue;
    const first = firstWithId.get(id);
    if (first === undefined) {
      firstWithId.set(id, index);
    } else {
      const message = `the id ${JSON.stringify(id)} is already taken by upstreams[${first}]; give one of them another id`;
      issues.push({ path: [...path, "upstreams", index], message });
    }
  }
  return issues;
}

function upstreamId(entry: unknown): string | undefined {
  if (isTable(entry) && entry["id"] !== undefined) return typeof entry["id"] === "string" ? entry["id"] : undefined;
  const address = upstreamAddress(entry);
  return address && defaultUpstreamId(address);
}

function upstreamAddress(entry: unknown): UpstreamAddress | undefined {
  const url = isTable(entry) ? entry["url"] : entry;
  const address = typeof url === "string" ? parseUpstreamUrl(url) : "";
  return typeof address === "string" ? undefined : address;
}

/** A pool's certificate can be in the pool and its key in the defaults, so the merged table is checked. */
function checkTls(names: readonly string[], pools: Readonly<Record<string, unknown>>, shared: unknown): ConfigIssue[] {
  const issues: ConfigIssue[] = [];
  let inDefaults = names.length === 0 && isHalfPair(shared);
  for (const name of names) {
    const pool = pools[name];
    const own = isTable(pool) ? pool["tls"] : undefined;
    if (isTable(own)) {
      if (isHalfPair(mergeKeys(isTable(shared) ? shared : {}, own))) issues.push(halfPairIssue(["pools", name, "tls"]));
    } else {
      inDefaults ||= isHalfPair(shared);
    }
  }
  return inDefaults ? [halfPairIssue(["defaults", "tls"]), ...issues] : issues;
}

/** Two pools with the same cookie would overwrite each other's binding of a client with every response. */
function checkStickyCookies(pools: Readonly<Record<string, unknown>>, shared: unknown): ConfigIssue[] {
  const firstWith = new Map<unknown, string>();
  return Object.entries(pools).flatMap(([name, pool]) => {
    const own = isTable(pool) ? (pool["sticky"] ?? shared) : undefined;
    if (!isTable(own)) return [];
    const { cookie } = mergeKeys({ ...builtIn.sticky, ...(isTable(shared) && shared) }, own) as { cookie: unknown };
    const first = firstWith.get(cookie);
    if (first === undefined) firstWith.set(cookie, name);
    if (first === undefined || typeof cookie !== "string") return [];
    const message = `the cookie ${JSON.stringify(cookie)} is already taken by the pool ${JSON.stringify(first)}; give one of them another name`;
    return [{ path: ["pools", name, "sticky", "cookie"], message }];
  });
}

function isHalfPair(tls: unknown): boolean {
  return isTable(tls) && (tls["cert"] === undefined) !== (tls["key"] === undefined);
}

function halfPairIssue(path: Path): ConfigIssue {
  return { path, message: "cert and key go together: set both or neither" };
}

function checkRoutes(routes: unknown, pools: readonly string[]): ConfigIssue[] {
  if (pools.length === 0) return [{ path: ["pools"], message: "expected at least one pool" }];
  if (routes === undefined && pools.length > 1) {
    return [{ path: ["routes"], message: "several pools need routes that assign requests to them" }];
  }
  if (!Array.isArray(routes)) return [];
  return routes.flatMap((route: unknown, index) => {
    if (!isTable(route)) return [];
    const { pool } = route;
    if (pool === undefined && pools.length > 1) {
      const message = `expected the name of a pool, found nothing; allowed here: ${pools.join(", ")}`;
      return [{ path: ["routes", index, "pool"], message }];
    }
    if (typeof pool !== "string" || pools.includes(pool)) return [];
    const message = `there is no pool ${JSON.stringify(pool)}${didYouMean(pool, pools)}`;
    return [{ path: ["routes", index, "pool"], message }];
  });
}
