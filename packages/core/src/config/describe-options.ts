/**
 * The options in force, for people: in the words and units of a configuration file, with defaults filled in, and without
 * secrets. It is plain JSON.
 */

import type { Policy } from "../policy.ts";
import { defaults } from "./defaults.ts";
import { mergeKeys, mergeTables } from "./merge.ts";
import type { PoolOptions, RouteOptions, UpstreamOptions } from "./options.ts";
import type { ResolvedOptions } from "./resolved.ts";
import { withoutSecrets } from "./secrets.ts";
import { defaultUpstreamId, parseUpstreamUrl } from "./upstream-url.ts";

type Json = Readonly<Record<string, unknown>>;

/** What has changed at run time, such as a weight that an operator has set, is not in it. */
export function describeOptions({ written }: ResolvedOptions): Json {
  const { pools, routes = [{}], defaults: shared = {}, ...top } = written;
  const names = Object.keys(pools);
  // The name of a pool is no key, so it says nothing about what is secret.
  const described = Object.entries(pools).map(([name, pool]) => {
    return [name, withoutSecrets(describePool(mergeTables(shared, pool)))];
  });
  const others = {
    ...mergeKeys(pick(defaults, topKeys), top),
    routes: routes.map((route) => describeRoute(route, names[0] ?? "")),
  };
  return { ...(withoutSecrets(others) as Json), pools: Object.fromEntries(described) };
}

const topKeys = [
  "trustedProxies",
  "forwarded",
  "maxHeaders",
  "requestBodyTimeout",
  "requestBodyMinRate",
  "sendTimeout",
  "latencyBuckets",
] as const;
const poolKeys = ["balance", "hashOn", "hashBalanceFactor", "panic", "closeTunnelsWhen"] as const;
/** Tables that are in force without being written. */
const tables = ["outlierDetection", "retry", "timeouts", "queue", "connections", "tls"] as const;
/** Tables that are in force only if they are written. */
const optionalTables = ["healthCheck", "slowStart", "sticky", "weights", "discovery"] as const;

function describePool(pool: PoolOptions): Json {
  const { balance = defaults.balance, upstreams = [] } = pool;
  const own = [
    ...tables.map((key) => [key, pool[key] === false ? false : mergeKeys(defaults[key], pool[key] ?? {})]),
    ...optionalTables.flatMap((key) => (pool[key] === undefined ? [] : [[key, mergeKeys(defaults[key], pool[key])]])),
  ];
  return {
    ...mergeKeys(pick(defaults, poolKeys), pool),
    balance: typeof balance === "string" ? balance : (balance as Policy).name,
    ...Object.fromEntries(own),
    upstreams: upstreams.map((upstream) => describeUpstream(upstream as UpstreamOptions)),
  };
}

/** The schema has converted strings to tables. */
function describeUpstream(upstream: UpstreamOptions): Json {
  const address = parseUpstreamUrl(upstream.url);
  const id = typeof address === "string" ? upstream.url : defaultUpstreamId(address);
  return mergeKeys({ id, ...defaults.upstream }, upstream);
}

function describeRoute(route: RouteOptions, onlyPool: string): Json {
  return mergeKeys({ ...defaults.route, pool: onlyPool }, route);
}

function pick<T extends object, Key extends keyof T>(table: T, keys: readonly Key[]): Pick<T, Key> {
  return Object.fromEntries(keys.map((key) => [key, table[key]])) as Pick<T, Key>;
}
