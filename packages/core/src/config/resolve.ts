import type * as z from "zod";
import { defaults } from "./defaults.ts";
import { parseDuration, parseSize } from "./duration.ts";
import { type ConfigIssue, didYouMean, OptionsError, toConfigIssues } from "./issues.ts";
import type {
  HealthCheckOptions,
  HeaderChanges,
  ManyPoolsOptions,
  OnePoolOptions,
  PoolOptions,
  PoolSettings,
  ProxyOptions,
  RetryOptions,
  RouteOptions,
  UpstreamOptions,
} from "./options.ts";
import type {
  ResolvedHeaderChanges,
  ResolvedHealthCheck,
  ResolvedOptions,
  ResolvedPool,
  ResolvedRetry,
  ResolvedRoute,
  ResolvedUpstream,
  StatusRange,
} from "./resolved.ts";
import { allowedKeys, healthCheckSchema, manyPoolsSchema, onePoolSchema, poolSchema } from "./schema.ts";
import { defaultUpstreamId, parseUpstreamUrl } from "./upstream-url.ts";

/**
 * Checks a proxy's options and fills in the defaults.
 *
 * Throws an `OptionsError` that lists every mistake at once.
 */
export function resolveOptions(options: ProxyOptions): ResolvedOptions {
  const short = typeof options === "object" && options !== null && !("pools" in options) && !("routes" in options);
  const many: ManyPoolsOptions = short
    ? toManyPools(check<OnePoolOptions>(onePoolSchema, options))
    : check<ManyPoolsOptions>(manyPoolsSchema, options);

  const issues: ConfigIssue[] = [];
  const pools = new Map<string, ResolvedPool>();
  for (const [name, pool] of Object.entries(many.pools)) {
    const path = short ? [] : ["pools", name];
    pools.set(name, toResolvedPool(mergeSettings(many.defaults, pool), path, issues));
  }
  if (pools.size === 0) issues.push({ path: ["pools"], message: "expected at least one pool" });
  const routes = toResolvedRoutes(many, [...pools.keys()], issues);
  if (issues.length > 0) throw new OptionsError(issues);

  return Object.freeze({
    trustedProxies: many.trustedProxies ?? [],
    forwarded: many.forwarded ?? defaults.forwarded,
    maxHeaders: many.maxHeaders ?? defaults.maxHeaders,
    routes,
    pools,
  });
}

/** Checks the options of a pool that stands alone. Throws an `OptionsError`. */
export function resolvePool(options: PoolOptions): ResolvedPool {
  const issues: ConfigIssue[] = [];
  const pool = toResolvedPool(check<PoolOptions>(poolSchema, options), [], issues);
  if (issues.length > 0) throw new OptionsError(issues);
  return pool;
}

/** Checks one member's options. Throws an `OptionsError`. */
export function resolveUpstream(options: string | UpstreamOptions): ResolvedUpstream {
  const [upstream] = resolvePool({ upstreams: [options] }).upstreams;
  return upstream as ResolvedUpstream;
}

/** Checks the options of a health checker. Throws an `OptionsError`. */
export function resolveHealthCheck(options: HealthCheckOptions): ResolvedHealthCheck {
  return toResolvedHealthCheck(check<HealthCheckOptions>(healthCheckSchema, options));
}

function check<T>(schema: z.ZodType, options: unknown): T {
  const result = schema.safeParse(options);
  if (result.success) return result.data as T;
  throw new OptionsError(toConfigIssues(result.error.issues, options, (path) => allowedKeys(schema, path)));
}

function toManyPools({ trustedProxies, forwarded, maxHeaders, ...pool }: OnePoolOptions): ManyPoolsOptions {
  return {
    ...(trustedProxies && { trustedProxies }),
    ...(forwarded !== undefined && { forwarded }),
    ...(maxHeaders !== undefined && { maxHeaders }),
    pools: { default: pool },
  };
}

/** A pool's own tables are laid over those of `[defaults]` key by key, so that one changed key keeps the others. */
function mergeSettings(base: PoolSettings | undefined, own: PoolOptions): PoolOptions {
  if (base === undefined) return own;
  const merged: Record<string, unknown> = { ...own };
  for (const [key, value] of Object.entries(base)) {
    const mine = (own as Record<string, unknown>)[key];
    merged[key] = mine === undefined ? value : isTable(value) && isTable(mine) ? { ...value, ...mine } : mine;
  }
  return merged as PoolOptions;
}

function isTable(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function toResolvedPool(pool: PoolOptions, path: readonly (string | number)[], issues: ConfigIssue[]): ResolvedPool {
  const timeouts = { ...defaults.timeouts, ...pool.timeouts };
  const queue = { ...defaults.queue, ...pool.queue };
  const connections = { ...defaults.connections, ...pool.connections };
  const tls = { ...defaults.tls, ...pool.tls };
  if ((tls.cert === undefined) !== (tls.key === undefined)) {
    issues.push({ path: [...path, "tls"], message: "cert and key go together: give both or neither" });
  }
  return Object.freeze({
    upstreams: toResolvedUpstreams(pool.upstreams ?? [], path, issues),
    balance: pool.balance ?? defaults.balance,
    panic: pool.panic ?? defaults.panic,
    healthCheck: pool.healthCheck && toResolvedHealthCheck(pool.healthCheck),
    retry: toResolvedRetry(pool.retry ?? {}),
    timeouts: {
      connectMs: milliseconds(timeouts.connect),
      headersMs: milliseconds(timeouts.headers),
      idleMs: milliseconds(timeouts.idle),
      totalMs: milliseconds(timeouts.total),
    },
    queue: { max: queue.max, timeoutMs: milliseconds(queue.timeout) },
    connections: {
      max: connections.max,
      keepAliveMs: milliseconds(connections.keepAlive),
      http2: connections.http2,
    },
    tls: { ca: tls.ca, cert: tls.cert, key: tls.key, servername: tls.servername, verify: tls.verify },
  });
}

function toResolvedUpstreams(
  entries: readonly (string | UpstreamOptions)[],
  path: readonly (string | number)[],
  issues: ConfigIssue[],
): ResolvedUpstream[] {
  const firstWithId = new Map<string, number>();
  return entries.flatMap((entry, index) => {
    const options = typeof entry === "string" ? { url: entry } : entry;
    const address = parseUpstreamUrl(options.url);
    if (typeof address === "string") return [];
    const id = options.id ?? defaultUpstreamId(address);
    const first = firstWithId.get(id);
    if (first !== undefined) {
      issues.push({
        path: [...path, "upstreams", index],
        message: `the id "${id}" is already taken by upstreams[${first}]; give one of them another id`,
      });
    }
    firstWithId.set(id, first ?? index);
    return Object.freeze({
      id,
      url: options.url,
      address,
      weight: options.weight ?? defaults.upstream.weight,
      backup: options.backup ?? defaults.upstream.backup,
      maxInFlight: options.maxInFlight ?? Infinity,
    });
  });
}

function toResolvedHealthCheck(options: HealthCheckOptions): ResolvedHealthCheck {
  const check = { ...defaults.healthCheck, ...options };
  const intervalMs = milliseconds(check.interval);
  const pattern = /^\/(.*)\/$/s.exec(check.expectBody ?? "");
  return Object.freeze({
    type: check.type,
    path: check.path,
    method: check.method,
    headers: check.headers ?? {},
    port: check.port,
    intervalMs,
    fastIntervalMs: Math.min(milliseconds(check.fastInterval), intervalMs),
    timeoutMs: milliseconds(check.timeout),
    healthyThreshold: check.healthyThreshold,
    unhealthyThreshold: check.unhealthyThreshold,
    jitter: check.jitter,
    expectStatus: check.expectStatus.map(toStatusRange),
    expectBody: pattern === null ? check.expectBody : new RegExp(pattern[1] ?? ""),
    initialState: check.initialState,
  });
}

function toResolvedRetry(options: RetryOptions): ResolvedRetry {
  const retry = { ...defaults.retry, ...options };
  const on = new Set<string>(retry.on);
  return Object.freeze({
    attempts: retry.attempts,
    onConnectFailure: on.has("connect-failure"),
    onReset: on.has("reset"),
    onTimeout: on.has("timeout"),
    onStatus: new Set([...on].map(Number).filter((status) => status > 0)),
    methods: new Set<string>(retry.methods),
    budget: retry.budget,
    minRetriesPerSecond: retry.minRetriesPerSecond,
    bodyBufferBytes: bytes(retry.bodyBuffer),
    perTryTimeoutMs: milliseconds(retry.perTryTimeout),
  });
}

function toResolvedRoutes(options: ManyPoolsOptions, pools: readonly string[], issues: ConfigIssue[]): ResolvedRoute[] {
  if (options.routes === undefined) {
    if (pools.length > 1) {
      issues.push({ path: ["routes"], message: "with more than one pool, routes must say which requests go where" });
    }
    return pools[0] === undefined ? [] : [toResolvedRoute({ pool: pools[0] })];
  }
  return options.routes.map((route, index) => {
    if (!pools.includes(route.pool)) {
      const message = `there is no pool "${route.pool}"${didYouMean(route.pool, pools)}`;
      issues.push({ path: ["routes", index, "pool"], message });
    }
    return toResolvedRoute(route);
  });
}

function toResolvedRoute(route: RouteOptions): ResolvedRoute {
  const hosts = (typeof route.host === "string" ? [route.host] : (route.host ?? [])).map(normalizeHost);
  const path = (route.path ?? defaults.route.path).replace(/\/+$/, "");
  return Object.freeze({
    name: `${hosts.join(",")}${path}/*`,
    hosts,
    path,
    methods: route.methods && new Set(route.methods),
    pool: route.pool,
    stripPrefix: route.stripPrefix ?? defaults.route.stripPrefix,
    addPrefix: (route.addPrefix ?? "").replace(/\/+$/, ""),
    preserveHost: route.preserveHost ?? defaults.route.preserveHost,
    maxBodyBytes: route.maxBodySize === undefined ? Infinity : bytes(route.maxBodySize),
    requestHeaders: route.requestHeaders && toResolvedHeaderChanges(route.requestHeaders),
    responseHeaders: route.responseHeaders && toResolvedHeaderChanges(route.responseHeaders),
  });
}

function toResolvedHeaderChanges({ set = {}, remove = [] }: HeaderChanges): ResolvedHeaderChanges {
  const names = [...Object.keys(set), ...remove];
  return { set: Object.entries(set), drop: new Set(names.map((name) => name.toLowerCase())) };
}

function normalizeHost(host: string): string {
  return host.toLowerCase().replace(/\.$/, "");
}

function toStatusRange(text: string): StatusRange {
  const [from, to] = text.split("-").map(Number);
  return { from: from ?? 0, to: to ?? from ?? 0 };
}

/** The schema has let only valid durations through. */
function milliseconds(text: string): number {
  return parseDuration(text) ?? 0;
}

function bytes(text: string): number {
  return parseSize(text) ?? 0;
}
