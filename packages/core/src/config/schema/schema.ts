/**
 * The schema of the options. resolve.ts converts options that have passed it.
 *
 * Every table is strict: an unknown key is an error at every level, `__proto__` included.
 */

import * as z from "zod";
import { limits } from "../defaults.ts";
import type { HealthCheckOptions, ManyPoolsOptions, OnePoolOptions, PoolOptions } from "../options.ts";
import { buckets } from "./bucket-schema.ts";
import {
  balanceFactor,
  bodyPattern,
  changeableName,
  cookieName,
  dnsName,
  dnsServer,
  duration,
  flag,
  flagOr,
  fraction,
  hashKey,
  headerName,
  headerValue,
  hostPattern,
  integer,
  list,
  method,
  network,
  oneOf,
  path,
  policy,
  poolName,
  record,
  removableName,
  retryCondition,
  serviceName,
  size,
  statusRange,
  table,
  target,
  text,
  upstreamId,
  upstreamUrl,
} from "./field-schemas.ts";
import { headerChanges } from "./header-schema.ts";
import { policyNames } from "./policy-names.ts";

const upstream = table(
  {
    url: upstreamUrl(),
    id: upstreamId().optional(),
    weight: integer(0, limits.maxWeight).optional(),
    backup: flag().optional(),
    maxInFlight: integer(1, 1_000_000).optional(),
  },
  "a URL or a table",
);

/** A string is converted to a table before the check, so that issues within a table keep their path. */
const upstreamEntry = z.preprocess(
  (entry: string | z.input<typeof upstream>) => (typeof entry === "string" ? { url: entry } : entry),
  upstream,
);

const statuses = () =>
  list("statuses or ranges", statusRange()).min(1, { error: "expected at least one status or range" });

const healthCheck = table({
  type: oneOf(["http", "tcp", "grpc"]).optional(),
  service: serviceName().optional(),
  path: target().optional(),
  method: method().optional(),
  headers: record("headers", headerName(), headerValue()).optional(),
  scheme: oneOf(["http", "https"]).optional(),
  port: integer(1, 65_535).optional(),
  interval: duration(100).optional(),
  fastInterval: duration(100).optional(),
  timeout: duration(1).optional(),
  healthyThreshold: integer(1, 1_000).optional(),
  unhealthyThreshold: integer(1, 1_000).optional(),
  jitter: fraction(0, 0.5).optional(),
  expectStatus: statuses().optional(),
  expectBody: bodyPattern().optional(),
  initialState: oneOf(["up", "checking"]).optional(),
});

const outlierDetection = table({
  consecutiveFailures: integer(0, 100_000).optional(),
  failureRatio: fraction(0, 1).optional(),
  window: duration(1_000).optional(),
  minimumRequests: integer(1, 1_000_000).optional(),
  baseEjectionTime: duration(1).optional(),
  maxEjectionTime: duration(1).optional(),
  maxEjectionPercent: integer(0, 100).optional(),
  failureStatuses: statuses().optional(),
});

const settings = {
  balance: policy(policyNames).optional(),
  hashOn: hashKey().optional(),
  hashBalanceFactor: balanceFactor().optional(),
  panic: oneOf(["use-all", "fail"]).optional(),
  closeTunnelsWhen: list("events", oneOf(["unhealthy", "disabled", "removed"])).optional(),
  healthCheck: healthCheck.optional(),
  outlierDetection: z.union([z.literal(false), outlierDetection], { error: "expected false or a table" }).optional(),
  slowStart: table({
    window: duration(1_000).optional(),
    minWeightPercent: integer(1, 100).optional(),
  }).optional(),
  sticky: table({
    cookie: cookieName().optional(),
    secret: text("a secret of at least 8 characters").min(8, { error: "expected at least 8 characters" }).optional(),
    ttl: duration(1_000).optional(),
    onMissing: oneOf(["redistribute", "fail"]).optional(),
  }).optional(),
  weights: table({
    mode: oneOf(["feedback", "announced"]).optional(),
    interval: duration(1_000).optional(),
    header: headerName().optional(),
  }).optional(),
  discovery: table({
    type: oneOf(["dns", "srv"]).optional(),
    name: dnsName(),
    port: integer(1, 65_535).optional(),
    scheme: oneOf(["http", "https"]).optional(),
    refresh: duration(1_000).optional(),
    hold: duration().optional(),
    family: oneOf(["any", "4", "6"]).optional(),
    servers: list("DNS servers", dnsServer()).min(1, { error: "expected at least one DNS server" }).optional(),
  }).optional(),
  retry: table({
    attempts: integer(0, limits.retryAttempts).optional(),
    on: list("conditions", retryCondition()).optional(),
    methods: list("HTTP methods", method()).optional(),
    budget: fraction(0, 1).optional(),
    minRetriesPerSecond: integer(0, 10_000).optional(),
    bodyBuffer: size().optional(),
    perTryTimeout: duration().optional(),
    connectFor: duration().optional(),
  }).optional(),
  timeouts: table({
    connect: duration(1).optional(),
    headers: duration(1).optional(),
    idle: duration().optional(),
    total: duration().optional(),
  }).optional(),
  queue: table({ max: integer(0, 100_000).optional(), timeout: duration(1).optional() }).optional(),
  connections: table({
    max: integer(0, 100_000).optional(),
    keepAlive: duration(1).optional(),
    maxAge: duration().optional(),
    maxRequests: integer(0, 1_000_000_000).optional(),
    maxResponseHeaderSize: size(limits.minResponseHeadBytes, limits.maxResponseHeadBytes).optional(),
    maxResponseHeaders: integer(1, limits.maxResponseHeaderFields).optional(),
    http2: flagOr("h2c").optional(),
    pingInterval: duration().optional(),
    pingTimeout: duration(1).optional(),
  }).optional(),
  tls: table({
    ca: text("PEM or the path of a PEM file").optional(),
    cert: text("PEM or the path of a PEM file").optional(),
    key: text("PEM or the path of a PEM file").optional(),
    servername: text("a host name").optional(),
    verify: flag().optional(),
  }).optional(),
};

const members = {
  upstreams: list("URLs or of upstreams", upstreamEntry)
    .max(limits.upstreamsPerPool, { error: `expected at most ${limits.upstreamsPerPool} upstreams` })
    .optional(),
};

const pool = table({ ...members, ...settings });

const hosts = z.preprocess(
  (host: string | string[]) => (typeof host === "string" ? [host] : host),
  z
    .array(hostPattern(), { error: "expected a host or an array of hosts" })
    .min(1, { error: "expected at least one host" }),
);

const route = table({
  host: hosts.optional(),
  path: path().optional(),
  methods: list("HTTP methods", method()).min(1, { error: "expected at least one method" }).optional(),
  pool: text("the name of a pool").optional(),
  stripPrefix: flag().optional(),
  addPrefix: path().optional(),
  preserveHost: flag().optional(),
  maxBodySize: size().optional(),
  requestHeaders: headerChanges(removableName).optional(),
  responseHeaders: headerChanges(changeableName).optional(),
});

const shared = {
  trustedProxies: list("addresses or networks", network()).optional(),
  forwarded: flag().optional(),
  maxHeaders: integer(1, 2_000).optional(),
  requestBodyTimeout: duration().optional(),
  requestBodyMinRate: integer(0, 1_000_000_000).optional(),
  sendTimeout: duration().optional(),
  latencyBuckets: buckets(limits.latencyBuckets).optional(),
};

const manyPools = table({
  ...shared,
  pools: record("pools", poolName(), pool),
  routes: list("routes", route).optional(),
  defaults: table(settings).optional(),
});

const onePool = table({ ...shared, ...members, ...settings, routes: list("routes", route).optional() });

/** Compiles only if the input type of a schema equals its interface in options.ts. */
const sameAs =
  <Options>() =>
  <Schema extends z.ZodType>(schema: Schema & AcceptsExactly<Options, Schema>): z.ZodType<Options> =>
    schema as z.ZodType<unknown> as z.ZodType<Options>;

type AcceptsExactly<Options, Schema> =
  Same<Plain<Options>, Plain<z.input<Schema>>> extends true ? unknown : "the schema and its interface differ";

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;

/** Removes `readonly`, and the `undefined` that optional keys of the schema accept. */
type Plain<T> = T extends readonly (infer Element)[]
  ? Plain<Element>[]
  : T extends object
    ? { -readonly [Key in keyof T]: Plain<Exclude<T[Key], undefined>> }
    : T;

export const healthCheckSchema: z.ZodType<HealthCheckOptions> = sameAs<HealthCheckOptions>()(healthCheck);
export const poolSchema: z.ZodType<PoolOptions> = sameAs<PoolOptions>()(pool);
export const manyPoolsSchema: z.ZodType<ManyPoolsOptions> = sameAs<ManyPoolsOptions>()(manyPools);
export const onePoolSchema: z.ZodType<OnePoolOptions> = sameAs<OnePoolOptions>()(onePool);

/** Returns the schema of the options with additional tables at the top. */
export function withTables<T>(schema: z.ZodType<T>, tables: Readonly<Record<string, z.ZodType>>): z.ZodType<T> {
  return schema instanceof z.ZodObject ? (schema.extend(tables) as z.ZodType as z.ZodType<T>) : schema;
}

/** The keys that the schema allows in the table at a path, for hints. */
export function allowedKeys(schema: z.ZodType, path: readonly PropertyKey[]): readonly string[] {
  const [key, ...rest] = path;
  if (key !== undefined) {
    const next = schemaOfKey(schema, key);
    return next === undefined ? [] : allowedKeys(next, rest);
  }
  const inner = unwrap(schema);
  return inner instanceof z.ZodObject ? Object.keys(inner.shape) : [];
}

/** Adds the keys of every table of the schema to `keys`. */
export function collectKeys(schema: z.ZodType, keys: Set<string>): void {
  if (schema instanceof z.ZodOptional) collectKeys(schema.unwrap() as z.ZodType, keys);
  else if (schema instanceof z.ZodPipe) collectKeys(schema.out as z.ZodType, keys);
  else if (schema instanceof z.ZodUnion) for (const option of schema.options) collectKeys(option as z.ZodType, keys);
  else if (schema instanceof z.ZodArray) collectKeys(schema.element as z.ZodType, keys);
  else if (schema instanceof z.ZodRecord) collectKeys(schema.valueType as z.ZodType, keys);
  else if (schema instanceof z.ZodObject) {
    for (const [key, value] of Object.entries(schema.shape)) {
      keys.add(key);
      collectKeys(value as z.ZodType, keys);
    }
  }
}

/** The schema of the value of a key, or undefined if the key is not allowed. */
export function schemaOfKey(schema: z.ZodType, key: PropertyKey): z.ZodType | undefined {
  const inner = unwrap(schema, key);
  if (inner instanceof z.ZodObject) return Object.hasOwn(inner.shape, key) ? inner.shape[key as string] : undefined;
  if (inner instanceof z.ZodRecord) return inner.valueType as z.ZodType;
  return inner instanceof z.ZodArray ? (inner.element as z.ZodType) : undefined;
}

/** Whether the keys of a table are names that the user chooses. */
export function isRecord(schema: z.ZodType): boolean {
  return unwrap(schema) instanceof z.ZodRecord;
}

function unwrap(schema: z.ZodType, key?: PropertyKey): z.ZodType {
  if (schema instanceof z.ZodOptional) return unwrap(schema.unwrap() as z.ZodType, key);
  if (schema instanceof z.ZodPipe) return unwrap(schema.out as z.ZodType, key);
  if (schema instanceof z.ZodUnion) {
    const options = schema.options as readonly z.ZodType[];
    // A union of a table with an array or a word: an index selects the array, any other key the table.
    const list =
      key !== undefined && /^\d+$/.test(String(key)) && options.find((option) => option instanceof z.ZodArray);
    return unwrap(list || (options.at(-1) as z.ZodType), key);
  }
  return schema;
}
