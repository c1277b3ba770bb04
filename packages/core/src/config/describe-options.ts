/**
 * The options in force, for people: in the words and units of a configuration file, with defaults filled in, and without
 * secrets. It is plain JSON.
 */

import type { Policy } from "../policy.ts";
import { defaults } from "./defaults.ts";
import { isTable, mergeKeys, mergeTables } from "./merge.ts";
import type { PoolOptions, RouteOptions, UpstreamOptions } from "./options.ts";
import type { ResolvedOptions } from "./resolved.ts";
import { isHeaderTable, isSecretName, maskSecrets } from "./secrets.ts";
import { defaultUpstreamId, parseUpstreamUrl } from "./upstream-url.ts";

type Json = Readonly<Record<string, unknown>>;

/** In place of a secret, whatever its length. */
const masked = "***";

/** Headers whose values are no credentials. The value of any other one is masked. */
const plainHeaders =
  /^(?:accept(?:-.*)?|access-control-.*|cache-control|content-.*|cross-origin-.*|host|permissions-policy|referrer-policy|server|strict-transport-security|timing-allow-origin|user-agent|vary|x-content-type-options|x-frame-options|x-robots-tag)$/i;

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

function withoutSecrets(value: unknown, key = ""): unknown {
  if (Array.isArray(value)) return value.map((item) => withoutSecrets(item, key));
  if (isTable(value)) {
    const entries = Object.entries(value).filter(([, inner]) => inner !== undefined);
    return Object.fromEntries(
      entries.map(([name, inner]) => [
        name,
        isHeaderTable(key) ? maskHeader(name, inner) : withoutSecrets(inner, name),
      ]),
    );
  }
  if (typeof value !== "string") return value;
  if (key === "key" || isSecretName(key)) return masked;
  if (value.includes("-----BEGIN ")) return "PEM";
  return maskSecrets(key === "path" ? withoutQueryValues(value) : value);
}

/** Any parameter of a probe can be a credential, whatever its name. */
function withoutQueryValues(path: string): string {
  return path.replace(/([?&][^=&]*=)[^&]*/g, `$1${masked}`);
}

function maskHeader(name: string, value: unknown): unknown {
  return plainHeaders.test(name) && typeof value === "string" ? maskSecrets(value) : masked;
}
