import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { checkOptions } from "../../src/config/check.ts";
import { defaults } from "../../src/config/defaults.ts";
import type { ManyPoolsOptions, OnePoolOptions, PoolSettings, SharedOptions } from "../../src/config/options.ts";
import { allowedKeys, manyPoolsSchema, onePoolSchema } from "../../src/config/schema/schema.ts";

/**
 * The type with every key required, at every level. schema.ts checks at compile time that the types of the schema and of
 * options.ts are equal. This test checks the keys at run time.
 */
type Complete<T> = T extends readonly (infer Element)[]
  ? readonly Complete<Element>[]
  : T extends object
    ? string extends keyof T
      ? { readonly [Key in keyof T]: Complete<T[Key]> }
      : { readonly [Key in keyof T]-?: Complete<Exclude<T[Key], undefined>> }
    : T;

const settings: Complete<PoolSettings> = {
  balance: "round-robin",
  hashOn: "path",
  hashBalanceFactor: 1.5,
  panic: "fail",
  closeTunnelsWhen: ["unhealthy"],
  outlierDetection: {
    consecutiveFailures: 0,
    failureRatio: 0,
    window: "1s",
    minimumRequests: 1,
    baseEjectionTime: "1s",
    maxEjectionTime: "1s",
    maxEjectionPercent: 0,
    failureStatuses: ["503"],
  },
  slowStart: { window: "1s", minWeightPercent: 1 },
  sticky: { cookie: "a", secret: "12345678", ttl: "1s", onMissing: "fail" },
  weights: { mode: "announced", interval: "1s", header: "x-load" },
  discovery: {
    type: "dns",
    name: "a",
    port: 1,
    scheme: "https",
    refresh: "1s",
    hold: "1s",
    family: "6",
    servers: ["::1"],
  },
  healthCheck: {
    type: "tcp",
    service: "shop.v1.Cart",
    path: "/healthz",
    method: "HEAD",
    headers: { Host: "a" },
    scheme: "http",
    port: 9000,
    interval: "1s",
    fastInterval: "1s",
    timeout: "1s",
    healthyThreshold: 1,
    unhealthyThreshold: 1,
    jitter: 0,
    expectStatus: ["200"],
    expectBody: "ok",
    initialState: "checking",
  },
  retry: {
    attempts: 0,
    on: ["connect-failure", "reset", "timeout", "503"],
    methods: ["POST"],
    budget: 1,
    minRetriesPerSecond: 0,
    bodyBuffer: "1kb",
    perTryTimeout: "1s",
    connectFor: "1s",
  },
  timeouts: { connect: "1s", headers: "1s", idle: "1s", total: "1s" },
  queue: { max: 0, timeout: "1s" },
  connections: {
    ...{ max: 1, keepAlive: "1s", maxAge: "1s", maxRequests: 1, http2: true },
    ...{ pingInterval: "1s", pingTimeout: "1s" },
    ...{ maxResponseHeaderSize: "32kb", maxResponseHeaders: 300 },
  },
  tls: { ca: "CA", cert: "CERT", key: "KEY", servername: "a", verify: false },
};

const shared: Complete<SharedOptions> = {
  trustedProxies: ["::1"],
  forwarded: true,
  maxHeaders: 1,
  requestBodyTimeout: "1s",
  requestBodyMinRate: 1,
  sendTimeout: "1s",
  latencyBuckets: ["1ms"],
};

const changes = { set: { "X-A": "1" }, remove: ["X-B"] };

const route = {
  host: "a",
  path: "/",
  methods: ["GET"],
  stripPrefix: true,
  addPrefix: "/v1",
  preserveHost: false,
  maxBodySize: "1kb",
  requestHeaders: changes,
  responseHeaders: changes,
};

const manyPools: Complete<ManyPoolsOptions> = {
  ...shared,
  pools: {
    a: { ...settings, upstreams: [{ url: "http://a", id: "a", weight: 1, backup: true, maxInFlight: 1 }] },
  },
  routes: [{ pool: "a", ...route }],
  defaults: settings,
};

const onePool: Complete<OnePoolOptions> = {
  ...shared,
  ...settings,
  upstreams: ["http://a"],
  routes: [{ pool: "default", ...route }],
};

describe("the schema and the interfaces", () => {
  it.each([
    ["many pools", manyPools, manyPoolsSchema],
    ["one pool", onePool, onePoolSchema],
  ])("have the same keys at every level, for the options of %s", (_, options, schema) => {
    expect(checkOptions(options)).toEqual([]);
    let tables = 0;
    visit(options, [], (table, path) => {
      const allowed = allowedKeys(schema, path);
      if (allowed.length === 0) return;
      tables++;
      expect(Object.keys(table).sort()).toEqual([...allowed].sort());
    });
    expect(tables).toBeGreaterThan(6);
  });
});

function visit(
  value: unknown,
  path: readonly PropertyKey[],
  callback: (table: object, path: readonly PropertyKey[]) => void,
): void {
  if (typeof value !== "object" || value === null) return;
  if (!Array.isArray(value)) callback(value, path);
  for (const [key, item] of Object.entries(value)) visit(item, [...path, key], callback);
}

describe("the defaults quoted in docstrings", () => {
  const root = {
    balance: defaults.balance,
    hashOn: defaults.hashOn,
    hashBalanceFactor: defaults.hashBalanceFactor,
    panic: defaults.panic,
    closeTunnelsWhen: defaults.closeTunnelsWhen,
  };
  const sharedDefaults = {
    trustedProxies: defaults.trustedProxies,
    forwarded: defaults.forwarded,
    maxHeaders: defaults.maxHeaders,
    requestBodyTimeout: defaults.requestBodyTimeout,
    requestBodyMinRate: defaults.requestBodyMinRate,
    sendTimeout: defaults.sendTimeout,
    latencyBuckets: defaults.latencyBuckets,
  };
  const tables: Record<string, Record<string, unknown>> = {
    UpstreamOptions: defaults.upstream,
    HealthCheckOptions: defaults.healthCheck,
    OutlierDetectionOptions: defaults.outlierDetection,
    SlowStartOptions: defaults.slowStart,
    StickyOptions: defaults.sticky,
    DynamicWeightOptions: defaults.weights,
    DiscoveryOptions: defaults.discovery,
    RetryOptions: defaults.retry,
    TimeoutOptions: defaults.timeouts,
    QueueOptions: defaults.queue,
    ConnectionOptions: defaults.connections,
    TlsOptions: defaults.tls,
    PoolSettings: root,
    RouteOptions: defaults.route,
    SharedOptions: sharedDefaults,
  };
  /** Defaults that are quoted in words. Undefined: defaults.ts has no value for them. */
  const words: Record<string, unknown> = {
    "GET, HEAD, OPTIONS, TRACE, PUT, DELETE": ["GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"],
    "host:port and path of the URL, or the path of its socket": undefined,
    "no limit": undefined,
    "the scheme of the upstream": undefined,
    "the port of the upstream": undefined,
    "the URL's host": undefined,
    "a random secret for each process": undefined,
    "the browser session": undefined,
    "the port of the scheme, 80 or 443": undefined,
    "the system's": undefined,
    off: undefined,
    "every host": undefined,
    "every method": undefined,
    "every request to the only pool": undefined,
    "the only pool": undefined,
    "every request": undefined,
  };
  const quoted = [
    "options.ts",
    "options/health-options.ts",
    "options/discovery-options.ts",
    "options/connection-options.ts",
    "options/weight-options.ts",
  ].flatMap((file) => quotedDefaults(readFileSync(new URL(`../../src/config/${file}`, import.meta.url), "utf8")));

  it.each(quoted)("match defaults.ts: $table $key: $text", ({ table, key, text }) => {
    const known = Object.hasOwn(words, text);
    expect(tables[table]?.[key]).toEqual(known ? words[text] : JSON.parse(text));
  });

  it("are complete", () => {
    const expected = Object.entries(tables).flatMap(([table, keys]) =>
      Object.keys(keys).map((key) => `${table}.${key}`),
    );
    expect(quoted.map(({ table, key }) => `${table}.${key}`)).toEqual(expect.arrayContaining(expected));
    expect(expected.length).toBeGreaterThan(35);
  });
});

/** Finds each `Default: X.` in the docstring of a key, in each interface. */
function quotedDefaults(source: string): { table: string; key: string; text: string }[] {
  return [...source.matchAll(/^export interface (\w+).*?\{\n(.*?)^\}/gms)].flatMap(([, table = "", body = ""]) =>
    [...body.matchAll(/\/\*\*((?:(?!\*\/).)*?)\*\/\s*readonly (\w+)/gs)].flatMap(([, doc = "", key = ""]) => {
      const text = /Default: ("[^"]*"|\[[^\]]*\]|[\d.]*\d|[^."[\d][^.]*)/.exec(unwrap(doc))?.[1];
      return text === undefined ? [] : [{ table, key, text }];
    }),
  );
}

/** The text of a JSDoc comment on one line. */
function unwrap(doc: string): string {
  return doc.replace(/\n\s*\*/g, " ").replace(/\s+/g, " ");
}
