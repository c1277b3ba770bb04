import { describe, expect, it } from "vitest";
import { defaults } from "../../src/config/defaults.ts";
import { parseDuration } from "../../src/config/duration.ts";
import { OptionsError } from "../../src/config/issues.ts";
import type { PoolSettings, ProxyOptions } from "../../src/config/options.ts";
import { resolveHealthCheck, resolveOptions, resolvePool, resolveUpstream } from "../../src/config/resolve.ts";
import type { ResolvedPool } from "../../src/config/resolved.ts";

describe("absent options", () => {
  it("get the defaults", () => {
    const { pools, written, ...rest } = resolveOptions({ upstreams: ["http://a"] });
    const latencyBounds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];
    expect(written).toEqual({ pools: { default: { upstreams: [{ url: "http://a" }] } } });
    expect(rest).toEqual({
      latencyBounds,
      trustedProxies: [],
      forwarded: false,
      maxHeaders: 200,
      requestBodyTimeoutMs: 30_000,
      requestBodyMinRate: 240,
      sendTimeoutMs: 60_000,
      routes: [
        {
          name: "/*",
          hosts: [],
          path: "",
          methods: undefined,
          pool: "default",
          stripPrefix: false,
          addPrefix: "",
          preserveHost: true,
          maxBodyBytes: Infinity,
          requestHeaders: undefined,
          responseHeaders: undefined,
        },
      ],
    });
    expect([...pools]).toEqual([
      [
        "default",
        {
          upstreams: [
            {
              id: "a:80",
              url: "http://a",
              address: { tls: false, hostname: "a", port: 80, socketPath: undefined, host: "a", basePath: "" },
              weight: 1,
              tier: 0,
              maxInFlight: Infinity,
            },
          ],
          balance: "p2c",
          hashOn: "client-ip",
          hashBalanceFactor: 0,
          panic: "use-all",
          closeTunnelsWhen: new Set(),
          healthCheck: undefined,
          outlierDetection: {
            consecutiveFailures: 5,
            failureRatio: 0.5,
            windowMs: 10_000,
            minimumRequests: 20,
            baseEjectionMs: 30_000,
            maxEjectionMs: 300_000,
            maxEjectionPercent: 50,
            failureStatuses: [{ from: 500, to: 599 }],
          },
          slowStart: undefined,
          sticky: undefined,
          weights: undefined,
          discovery: undefined,
          retry: {
            attempts: 3,
            onConnectFailure: true,
            onReset: true,
            onTimeout: false,
            onGrpcUnavailable: true,
            onStatus: new Set(),
            methods: new Set(["GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"]),
            budget: 0.2,
            minRetriesPerSecond: 10,
            bodyBufferBytes: 65_536,
            perTryTimeoutMs: 0,
            connectForMs: 2_000,
          },
          timeouts: { connectMs: 3_000, headersMs: 30_000, idleMs: 60_000, totalMs: 0 },
          queue: { max: 100, timeoutMs: 5_000 },
          connections: {
            ...{ max: 0, keepAliveMs: 4_000, maxAgeMs: 300_000, maxRequests: 0, http2: false },
            ...{ pingIntervalMs: 360_000, pingTimeoutMs: 5_000 },
            responseHead: { bytes: 16_384, fields: 200 },
          },
          tls: { ca: undefined, cert: undefined, key: undefined, servername: undefined, verify: true },
          latencyBounds,
        },
      ],
    ]);
  });

  it.each([
    ["api.internal", "api.internal"],
    ["api.internal.", "api.internal"],
    ["_https._tcp.api.internal", "api.internal"],
    ["_https._tcp.api.internal.", "api.internal"],
    ["api.service.consul", "api.service.consul"],
    ["_https._tcp", "_https._tcp"],
  ])("the certificate for %s must be for %s", (name, domain) => {
    const discovery = { name, type: "srv", scheme: "https" } as const;
    expect(resolvePool({ discovery })).toMatchObject({ discovery: { name, domain }, tls: { servername: domain } });
    expect(resolvePool({ discovery, tls: { servername: "own" } }).tls.servername).toBe("own");
    expect(resolvePool({ discovery: { ...discovery, scheme: "http" } }).tls.servername).toBeUndefined();
  });

  it("are the same as undefined ones", () => {
    const nothing = { interval: undefined, timeout: undefined, expectStatus: undefined, headers: undefined };
    const options = {
      upstreams: ["http://a"],
      forwarded: undefined,
      healthCheck: nothing,
      retry: { attempts: undefined, on: undefined, bodyBuffer: undefined },
      timeouts: { connect: undefined },
      queue: undefined,
    };
    const { written: _, ...resolved } = resolveOptions(options as unknown as ProxyOptions);
    expect(resolveOptions({ upstreams: ["http://a"], healthCheck: {} })).toMatchObject(resolved);
  });

  it("get the values of defaults.ts in a health check", () => {
    const check = resolveHealthCheck({});
    expect(check).toMatchObject({
      type: defaults.healthCheck.type,
      intervalMs: parseDuration(defaults.healthCheck.interval),
      fastIntervalMs: parseDuration(defaults.healthCheck.fastInterval),
      timeoutMs: parseDuration(defaults.healthCheck.timeout),
      healthyThreshold: defaults.healthCheck.healthyThreshold,
      unhealthyThreshold: defaults.healthCheck.unhealthyThreshold,
      jitter: defaults.healthCheck.jitter,
      expectStatus: [{ from: 200, to: 399 }],
      expectBody: undefined,
      initialState: defaults.healthCheck.initialState,
    });
  });
});

describe("a pool with [defaults]", () => {
  /** Resolves a pool with the settings `own` and the defaults `shared`. */
  function pool(own: PoolSettings, shared: PoolSettings): ResolvedPool {
    return resolveOptions({ pools: { a: own }, defaults: shared }).pools.get("a") as ResolvedPool;
  }

  it.each<[table: keyof PoolSettings, own: object, shared: object, expected: object]>([
    [
      "healthCheck",
      { path: "/b" },
      { path: "/a", interval: "9s" },
      { path: "/b", intervalMs: 9_000, timeoutMs: 2_000 },
    ],
    ["retry", { attempts: 3 }, { attempts: 2, budget: 1 }, { attempts: 3, budget: 1, minRetriesPerSecond: 10 }],
    ["timeouts", { total: "1s" }, { connect: "9s" }, { totalMs: 1_000, connectMs: 9_000, headersMs: 30_000 }],
    ["queue", { max: 0 }, { max: 5, timeout: "9s" }, { max: 0, timeoutMs: 9_000 }],
    ["connections", { http2: false }, { http2: true, max: 7 }, { http2: false, max: 7, keepAliveMs: 4_000 }],
    ["tls", { servername: "b" }, { servername: "a", verify: false }, { servername: "b", verify: false, ca: undefined }],
  ])("merges %s key by key", (table, own, shared, expected) => {
    expect(pool({ [table]: own }, { [table]: shared })[table]).toMatchObject(expected);
    expect(pool({}, { [table]: shared })[table]).toEqual(pool({ [table]: shared }, {})[table]);
    expect(pool({ [table]: own }, {})[table]).toEqual(pool({ [table]: own }, { [table]: {} })[table]);
  });

  it("overrides single values", () => {
    expect(pool({ balance: "random" }, { balance: "round-robin", panic: "fail" })).toMatchObject({
      balance: "random",
      panic: "fail",
    });
  });

  it("replaces arrays whole", () => {
    const { retry } = pool({ retry: { on: ["503"], methods: ["POST"] } }, { retry: { on: ["reset", "429"] } });
    expect(retry).toMatchObject({ onReset: false, onConnectFailure: false, onStatus: new Set([503]) });
    expect(retry.methods).toEqual(new Set(["POST"]));
  });

  it("does not change other pools", () => {
    const options = {
      pools: { a: { queue: { max: 1 } }, b: {} },
      routes: [{ pool: "a" }],
      defaults: { queue: { max: 2 } },
    };
    const { pools } = resolveOptions(options);
    expect([...pools].map(([name, { queue }]) => [name, queue.max])).toEqual([
      ["a", 1],
      ["b", 2],
    ]);
  });
});

describe("resolveOptions", () => {
  it("throws every issue, of the schema and of the cross checks", () => {
    const options = { pools: { a: { balance: "x" } }, routes: [{ pool: "b" }] } as unknown as ProxyOptions;
    const error = catchError(() => resolveOptions(options));
    expect(error.code).toBe("invalid_options");
    expect(error.issues.map(({ path }) => path.join("."))).toEqual(["pools.a.balance", "routes.0.pool"]);
  });

  it.each([undefined, null, 5, "x", [], () => 5])("throws for %s", (options) => {
    expect(catchError(() => resolveOptions(options as unknown as ProxyOptions)).issues).toHaveLength(1);
  });

  it("copies the options, so that later changes have no effect", () => {
    const trustedProxies = ["10.0.0.0/8"];
    const headers = { Host: "a" };
    const resolved = resolveOptions({ upstreams: ["http://a"], trustedProxies, healthCheck: { headers } });
    trustedProxies.push("0.0.0.0/0");
    headers.Host = "b";
    expect(resolved.trustedProxies).toEqual(["10.0.0.0/8"]);
    expect(resolved.pools.get("default")?.healthCheck?.headers).toEqual({ Host: "a" });
  });

  it("assigns the only pool to routes without one", () => {
    const routes = [{ path: "/api", stripPrefix: true }, { pool: "default" }];
    expect(resolveOptions({ upstreams: ["http://a"], routes }).routes).toMatchObject([
      { pool: "default", path: "/api", stripPrefix: true },
      { pool: "default", path: "" },
    ]);
    expect(resolveOptions({ pools: { web: {} }, routes: [{ path: "/api" }] }).routes).toMatchObject([{ pool: "web" }]);
    expect(resolveOptions({ upstreams: ["http://a"], routes: [] }).routes).toEqual([]);
  });

  it("resolves statuses that are numbers as those that are strings", () => {
    const of = (status: string | number) =>
      resolveOptions({
        upstreams: ["http://a"],
        healthCheck: { expectStatus: [status] },
        outlierDetection: { failureStatuses: [status] },
        retry: { on: [status as number] },
      });
    expect(of(503)).toEqual(of("503"));
    expect(of(503).pools.get("default")).toMatchObject({
      healthCheck: { expectStatus: [{ from: 503, to: 503 }] },
      outlierDetection: { failureStatuses: [{ from: 503, to: 503 }] },
      retry: { onStatus: new Set([503]) },
    });
  });

  it("accepts pools with names of members of Object", () => {
    const { pools } = resolveOptions({ pools: { constructor: {}, toString: {} }, routes: [{ pool: "constructor" }] });
    expect([...pools.keys()]).toEqual(["constructor", "toString"]);
  });

  it("adds one route to the only pool when routes are absent", () => {
    expect(resolveOptions({ pools: { web: {} } }).routes).toMatchObject([{ pool: "web", path: "", hosts: [] }]);
    expect(resolveOptions({ pools: { web: {} }, routes: [] }).routes).toEqual([]);
  });
});

describe("routes", () => {
  it("are normalized", () => {
    const { routes } = resolveOptions({
      pools: { a: {} },
      routes: [
        {
          pool: "a",
          host: ["API.Example.com.", "*.Example.com", "::1", "[FD00::1]"],
          path: "/api/",
          methods: ["GET", "GET"],
          addPrefix: "/v2//",
          maxBodySize: "1kb",
          requestHeaders: { set: { "X-Env": "prod" }, remove: ["X-Debug"] },
        },
        { pool: "a", host: "b" },
      ],
    });
    expect(routes).toMatchObject([
      {
        name: "api.example.com,*.example.com,[::1],[fd00::1]/api/*",
        hosts: ["api.example.com", "*.example.com", "[::1]", "[fd00::1]"],
        path: "/api",
        methods: new Set(["GET"]),
        addPrefix: "/v2",
        maxBodyBytes: 1_024,
        requestHeaders: { set: [["X-Env", "prod"]], drop: new Set(["x-env", "x-debug"]) },
        responseHeaders: undefined,
      },
      { name: "b/*", hosts: ["b"] },
    ]);
  });
});

describe("parts of the options", () => {
  it("resolvePool resolves a pool", () => {
    expect(resolvePool({ upstreams: ["http://a"], balance: "random" })).toMatchObject({
      balance: "random",
      upstreams: [{ id: "a:80" }],
    });
    expect(catchError(() => resolvePool({ upstreams: ["http://a", "http://a"] })).issues).toMatchObject([
      { path: ["upstreams", 1] },
    ]);
  });

  it("resolveUpstream resolves an upstream", () => {
    expect(resolveUpstream("http://a")).toMatchObject({ id: "a:80", weight: 1 });
    expect(resolveUpstream({ url: "http://a", id: "x", weight: 0 })).toMatchObject({ id: "x", weight: 0 });
    expect(catchError(() => resolveUpstream("nope")).code).toBe("invalid_options");
  });

  it("resolveHealthCheck resolves a health check", () => {
    const check = resolveHealthCheck({ interval: "200ms", expectStatus: ["204", "300-302"], expectBody: "/o.k/" });
    expect(check).toMatchObject({
      intervalMs: 200,
      fastIntervalMs: 200,
      expectStatus: [
        { from: 204, to: 204 },
        { from: 300, to: 302 },
      ],
      expectBody: { source: "o.k" },
    });
    expect(catchError(() => resolveHealthCheck({ interval: "1ms" })).issues).toMatchObject([{ path: ["interval"] }]);
  });
});

function catchError(run: () => unknown): OptionsError {
  try {
    run();
  } catch (error) {
    expect(error).toBeInstanceOf(OptionsError);
    return error as OptionsError;
  }
  throw new Error("expected an exception");
}
