import { isIP } from "node:net";
import type { HeaderChangeSet } from "../http1/header-changes.ts";
import { type Checked, checkHealthCheck, checkManyPools, checkOnePool, checkPool, isOnePoolForm } from "./check.ts";
import { defaults } from "./defaults.ts";
import { parseSeconds, parseSize } from "./duration.ts";
import { OptionsError } from "./issues.ts";
import { mergeKeys, mergeTables } from "./merge.ts";
import type {
  DiscoveryOptions,
  DynamicWeightOptions,
  HeaderChanges,
  HealthCheckOptions,
  ManyPoolsOptions,
  OnePoolOptions,
  OutlierDetectionOptions,
  PoolOptions,
  ProxyOptions,
  RetryOptions,
  RouteOptions,
  SlowStartOptions,
  StickyOptions,
  UpstreamOptions,
} from "./options.ts";
import { milliseconds, toResolvedHealthCheck, toStatusRange } from "./resolve-health-check.ts";
import type {
  ResolvedDiscovery,
  ResolvedHealthCheck,
  ResolvedOptions,
  ResolvedOutlierDetection,
  ResolvedPool,
  ResolvedRetry,
  ResolvedRoute,
  ResolvedSlowStart,
  ResolvedSticky,
  ResolvedUpstream,
  ResolvedWeights,
  UpstreamAddress,
} from "./resolved.ts";
import { defaultUpstreamId, parseUpstreamUrl } from "./upstream-url.ts";

/**
 * Checks a proxy's options and fills in the defaults.
 *
 * Throws an `OptionsError` that lists every mistake at once.
 */
export function resolveOptions(options: ProxyOptions): ResolvedOptions {
  const many = isOnePoolForm(options)
    ? toManyPools(dataOrThrow(checkOnePool(options)))
    : dataOrThrow(checkManyPools(options));
  const latencyBounds = toLatencyBounds(many.latencyBuckets);
  const pools = Object.entries(many.pools).map(
    ([name, pool]) => [name, toResolvedPool(mergeTables(many.defaults ?? {}, pool), latencyBounds)] as const,
  );
  return Object.freeze({
    trustedProxies: many.trustedProxies ?? defaults.trustedProxies,
    forwarded: many.forwarded ?? defaults.forwarded,
    maxHeaders: many.maxHeaders ?? defaults.maxHeaders,
    requestBodyTimeoutMs: milliseconds(many.requestBodyTimeout ?? defaults.requestBodyTimeout),
    requestBodyMinRate: many.requestBodyMinRate ?? defaults.requestBodyMinRate,
    sendTimeoutMs: milliseconds(many.sendTimeout ?? defaults.sendTimeout),
    latencyBounds,
    routes: (many.routes ?? [{}]).map((route) => toResolvedRoute(route, pools[0]?.[0] ?? "")),
    pools: new Map(pools),
    written: many,
  });
}

/** In seconds. */
export function toLatencyBounds(buckets: readonly string[] = defaults.latencyBuckets): readonly number[] {
  return Object.freeze(buckets.map((bucket) => parseSeconds(bucket) ?? 0));
}

/** Checks the options of a pool without a proxy. Throws an `OptionsError`. */
export function resolvePool(options: PoolOptions): ResolvedPool {
  return toResolvedPool(dataOrThrow(checkPool(options)), toLatencyBounds());
}

/** Checks the options of an upstream. Throws an `OptionsError`. */
export function resolveUpstream(options: string | UpstreamOptions): ResolvedUpstream {
  const [upstream] = resolvePool({ upstreams: [options] }).upstreams;
  return upstream as ResolvedUpstream;
}

/** Checks the options of a health checker. Throws an `OptionsError`. */
export function resolveHealthCheck(options: HealthCheckOptions): ResolvedHealthCheck {
  return toResolvedHealthCheck(dataOrThrow(checkHealthCheck(options)));
}

/** Checks the options of an outlier detector. Throws an `OptionsError`. */
export function resolveOutlierDetection(options: OutlierDetectionOptions): ResolvedOutlierDetection {
  const pool = resolvePool({ outlierDetection: options });
  return pool.outlierDetection as ResolvedOutlierDetection;
}

function dataOrThrow<T>({ issues, data }: Checked<T>): T {
  if (issues.length > 0) throw new OptionsError(issues);
  return data as T;
}

function toManyPools(options: OnePoolOptions): ManyPoolsOptions {
  const {
    trustedProxies,
    forwarded,
    maxHeaders,
    requestBodyTimeout,
    requestBodyMinRate,
    sendTimeout,
    latencyBuckets,
    routes,
    ...pool
  } = options;
  const limits = { maxHeaders, requestBodyTimeout, requestBodyMinRate, sendTimeout };
  const shared = { trustedProxies, forwarded, ...limits, latencyBuckets, routes };
  return mergeKeys({ pools: { default: pool } }, shared) as ManyPoolsOptions;
}

function toResolvedPool(pool: PoolOptions, latencyBounds: readonly number[]): ResolvedPool {
  const timeouts = mergeKeys(defaults.timeouts, pool.timeouts ?? {});
  const queue = mergeKeys(defaults.queue, pool.queue ?? {});
  const connections = mergeKeys(defaults.connections, pool.connections ?? {});
  const tls = mergeKeys(defaults.tls, pool.tls ?? {});
  return Object.freeze({
    upstreams: (pool.upstreams ?? []).map(toResolvedUpstream),
    balance: pool.balance ?? defaults.balance,
    hashOn: pool.hashOn ?? defaults.hashOn,
    hashBalanceFactor: pool.hashBalanceFactor ?? defaults.hashBalanceFactor,
    ...toResolvedDynamics(pool),
    panic: pool.panic ?? defaults.panic,
    closeTunnelsWhen: new Set(pool.closeTunnelsWhen ?? defaults.closeTunnelsWhen),
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
      maxAgeMs: milliseconds(connections.maxAge),
      maxRequests: connections.maxRequests,
      http2: connections.http2,
      pingIntervalMs: milliseconds(connections.pingInterval),
      pingTimeoutMs: milliseconds(connections.pingTimeout),
      responseHead: { bytes: bytes(connections.maxResponseHeaderSize), fields: connections.maxResponseHeaders },
    },
    tls: {
      ca: tls.ca,
      cert: tls.cert,
      key: tls.key,
      // The host name of an upstream found in DNS is an address. Its certificate contains the name that was looked up.
      servername:
        tls.servername ?? (pool.discovery?.scheme === "https" ? serviceDomain(pool.discovery.name) : undefined),
      verify: tls.verify,
    },
    latencyBounds,
  });
}

/** The entry must be a table with a valid URL: the schema has checked it and has converted strings to tables. */
function toResolvedUpstream(entry: string | UpstreamOptions): ResolvedUpstream {
  const options = entry as UpstreamOptions;
  const address = parseUpstreamUrl(options.url) as UpstreamAddress;
  return Object.freeze({
    id: options.id ?? defaultUpstreamId(address),
    url: options.url,
    address,
    weight: options.weight ?? defaults.upstream.weight,
    tier: (options.backup ?? defaults.upstream.backup) ? 1 : 0,
    maxInFlight: options.maxInFlight ?? Infinity,
  });
}

/** The settings by which availability, weights and membership change at run time. */
function toResolvedDynamics({ outlierDetection = {}, slowStart, sticky, weights, discovery }: PoolOptions) {
  return {
    outlierDetection: outlierDetection === false ? undefined : toResolvedOutlierDetection(outlierDetection),
    slowStart: slowStart && toResolvedSlowStart(slowStart),
    sticky: sticky && toResolvedSticky(sticky),
    weights: weights && toResolvedWeights(weights),
    discovery: discovery && toResolvedDiscovery(discovery),
  };
}

function toResolvedOutlierDetection(options: OutlierDetectionOptions): ResolvedOutlierDetection {
  const detection = mergeKeys(defaults.outlierDetection, options);
  return Object.freeze({
    consecutiveFailures: detection.consecutiveFailures,
    failureRatio: detection.failureRatio,
    windowMs: milliseconds(detection.window),
    minimumRequests: detection.minimumRequests,
    baseEjectionMs: milliseconds(detection.baseEjectionTime),
    maxEjectionMs: milliseconds(detection.maxEjectionTime),
    maxEjectionPercent: detection.maxEjectionPercent,
    failureStatuses: detection.failureStatuses.map(toStatusRange),
  });
}

function toResolvedSlowStart(options: SlowStartOptions): ResolvedSlowStart {
  const { window, minWeightPercent } = mergeKeys(defaults.slowStart, options);
  return Object.freeze({ windowMs: milliseconds(window), minFactor: minWeightPercent / 100 });
}

function toResolvedSticky(options: StickyOptions): ResolvedSticky {
  const { cookie, onMissing } = mergeKeys(defaults.sticky, options);
  const { secret, ttl } = options;
  return Object.freeze({ cookie, secret, ttlMs: ttl === undefined ? 0 : milliseconds(ttl), onMissing });
}

function toResolvedWeights(options: DynamicWeightOptions): ResolvedWeights {
  const { mode, interval, header } = mergeKeys(defaults.weights, options);
  return Object.freeze({ mode, intervalMs: milliseconds(interval), header: header.toLowerCase() });
}

function toResolvedDiscovery(options: DiscoveryOptions): ResolvedDiscovery {
  const { type, scheme, refresh, hold, family } = mergeKeys(defaults.discovery, options);
  const { name, port = scheme === "https" ? 443 : 80, servers } = options;
  const domain = serviceDomain(name);
  const [refreshMs, holdMs] = [milliseconds(refresh), milliseconds(hold)];
  return Object.freeze({ type, name, domain, port, scheme, refreshMs, holdMs, family, servers });
}

/**
 * Returns `example.com` for `_https._tcp.example.com.`: the domain that the certificate of the service must contain. The
 * targets of SRV records prove nothing, because they are as easy to forge as the records (RFC 6125 section 6.2.1).
 */
function serviceDomain(name: string): string {
  return name.replace(/\.$/, "").replace(/^_[^.]+\._[^.]+\.(?=.)/, "");
}

function toResolvedRetry(options: RetryOptions): ResolvedRetry {
  const retry = mergeKeys(defaults.retry, options);
  const on = new Set(retry.on.map(String));
  return Object.freeze({
    attempts: retry.attempts,
    onConnectFailure: on.has("connect-failure"),
    onReset: on.has("reset"),
    onTimeout: on.has("timeout"),
    onGrpcUnavailable: on.has("grpc-unavailable"),
    onStatus: new Set([...on].map(Number).filter((status) => status > 0)),
    methods: new Set<string>(retry.methods),
    budget: retry.budget,
    minRetriesPerSecond: retry.minRetriesPerSecond,
    bodyBufferBytes: bytes(retry.bodyBuffer),
    perTryTimeoutMs: milliseconds(retry.perTryTimeout),
    connectForMs: milliseconds(retry.connectFor),
  });
}

/** A route without a pool gets the only pool: the cross checks have rejected it if there are several. */
function toResolvedRoute(route: RouteOptions, onlyPool: string): ResolvedRoute {
  const hosts = (typeof route.host === "string" ? [route.host] : (route.host ?? [])).map(normalizeHost);
  const path = (route.path ?? defaults.route.path).replace(/\/+$/, "");
  return Object.freeze({
    name: `${hosts.join(",")}${path}/*`,
    hosts,
    path,
    methods: route.methods && new Set(route.methods),
    pool: route.pool ?? onlyPool,
    stripPrefix: route.stripPrefix ?? defaults.route.stripPrefix,
    addPrefix: (route.addPrefix ?? "").replace(/\/+$/, ""),
    preserveHost: route.preserveHost ?? defaults.route.preserveHost,
    maxBodyBytes: route.maxBodySize === undefined ? Infinity : bytes(route.maxBodySize),
    requestHeaders: route.requestHeaders && toHeaderChangeSet(route.requestHeaders),
    responseHeaders: route.responseHeaders && toHeaderChangeSet(route.responseHeaders),
  });
}

function toHeaderChangeSet({ set = {}, remove = [] }: HeaderChanges): HeaderChangeSet {
  const names = [...Object.keys(set), ...remove];
  return { set: Object.entries(set), drop: new Set(names.map((name) => name.toLowerCase())) };
}

/** The form of a host in a `Host` header: lower case, an IPv6 address in brackets. */
function normalizeHost(host: string): string {
  return isIP(host) === 6 ? `[${host.toLowerCase()}]` : host.toLowerCase().replace(/\.$/, "");
}

function bytes(text: string): number {
  return parseSize(text) ?? 0;
}
