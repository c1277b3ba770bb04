import { describe, expect, it } from "vitest";
import * as z from "zod";
import { checkOptions } from "../../src/config/check.ts";
import { formatPath } from "../../src/config/issues.ts";

/** The issues as lines, in their order. A star marks a key that is itself the mistake. */
function check(options: unknown, tables?: Record<string, z.ZodType>): string[] {
  return checkOptions(options, tables).map(
    ({ path, message, at }) => `${formatPath(path)}${at === "key" ? "*" : ""}: ${message}`,
  );
}

describe("valid options", () => {
  it.each([
    [{ discovery: { name: "a" } }],
    [{ upstreams: [], discovery: { name: "a" } }],
    [{ pools: { a: { upstreams: [] } } }],
    [{ pools: { a: {} }, routes: [{ path: "/a" }] }],
    [{ upstreams: ["http://a"], routes: [{ path: "/api", stripPrefix: true }, { pool: "default" }] }],
    [{ upstreams: ["http://a"], pools: undefined, routes: undefined, defaults: undefined, other: undefined }],
    [{ pools: { a: {} }, upstreams: undefined }],
    [{ upstreams: ["http://a"], healthCheck: { expectStatus: [200, "204", "300-399"] } }],
    [{ upstreams: ["http://a"], outlierDetection: { failureStatuses: [503] }, retry: { on: [503, 429, "reset"] } }],
    [{ upstreams: ["http://127.0.0.1:3000", { url: "https://b/v1", weight: 0, backup: true }] }],
    [{ pools: { a: {} } }],
    [{ pools: { a: {}, b: {} }, routes: [{ pool: "b", host: "*.example.com" }, { pool: "a" }] }],
    [{ pools: { constructor: {}, toString: {} }, routes: [{ pool: "toString" }] }],
    [{ pools: { a: { tls: { key: "K" } } }, defaults: { tls: { cert: "C" } } }],
    [{ upstreams: ["http://a", "https://b"], connections: { http2: true } }],
    [{ upstreams: ["http://a"], healthCheck: { type: "grpc", service: "shop.v1.Cart" } }],
    [{ upstreams: ["http://a", "https://b"], connections: { http2: "h2c" } }],
    [{ pools: { a: { upstreams: [], connections: { http2: "h2c" } } } }],
    [{ upstreams: ["http://a"], discovery: { name: "b", scheme: "https" }, connections: { http2: true } }],
    [{ pools: { a: { upstreams: ["http://a"] } }, defaults: { connections: { http2: true } } }],
    [
      {
        upstreams: [
          { url: "http://a", id: "1" },
          { url: "http://a", id: "2" },
        ],
      },
    ],
    [Object.assign(Object.create(null), { upstreams: ["http://a"] })],
    [{ upstreams: ["http://a"], retry: undefined, healthCheck: { interval: undefined } }],
  ])("%j has no issues", (options) => {
    expect(check(options)).toEqual([]);
  });
});

const nothing = "options: nothing to proxy to: add upstreams, discovery, or a pool with upstreams";

describe("every mistake at once", () => {
  it("reports the issues of the schema and those of the cross checks", () => {
    const options = {
      forwarded: "yes",
      trustedProxies: ["10.0.0.0/33", 5],
      pools: {
        api: {
          upstreams: ["http://a", { url: "http://a:80" }, { url: "http://b", weight: 300 }, 7, "nope"],
          balance: "p3c",
          retry: { attemps: 1, attempts: 11 },
          tls: { cert: "C" },
        },
        web: 5,
      },
      routes: [{ pool: "apy", host: 5 }, { host: "a:80", pool: "web", requestHeaders: { remove: "x" } }, {}],
      pool: {},
    };
    expect(check(options)).toEqual([
      'trustedProxies[0]: expected an address or a network such as "10.0.0.0/8", found "10.0.0.0/33"',
      "trustedProxies[1]: expected an address or a network, found 5",
      'forwarded: expected true or false, found "yes"',
      "pools.api.upstreams[2].weight: expected a whole number from 0 to 256, found 300",
      "pools.api.upstreams[3]: expected a URL or a table, found 7",
      'pools.api.upstreams[4]: expected a URL such as "http://127.0.0.1:3000", found "nope"',
      'pools.api.balance: expected one of "p2c", "round-robin", "least-requests", "random", "peak-ewma", "hash", "first", found "p3c"',
      "pools.api.retry.attempts: expected a whole number from 0 to 10, found 11",
      'pools.api.retry.attemps*: unknown key, did you mean "attempts"?',
      "pools.web: expected a table, found 5",
      "routes[0].host: expected a host or an array of hosts, found 5",
      'routes[1].host: expected a host such as "example.com" or "*.example.com", without a port, found "a:80"',
      'routes[1].requestHeaders.remove: expected an array of header names, found "x"',
      'pool*: unknown key, did you mean "pools"?',
      'pools.api.upstreams[1]: the id "a:80" is already taken by upstreams[0]; give one of them another id',
      "pools.api.tls: cert and key go together: set both or neither",
      'routes[0].pool: there is no pool "apy", did you mean "api"?',
      "routes[2].pool: expected the name of a pool, found nothing; allowed here: api, web",
    ]);
  });

  it.each<[what: string, options: unknown, expected: string[]]>([
    ["nothing", undefined, ["options: expected a table, found nothing"]],
    ["null", null, ["options: expected a table, found null"]],
    ["a number", 5, ["options: expected a table, found 5"]],
    ["an array", [], ["options: expected a table, found []"]],
    ["pools that are not a table", { pools: [] }, ["pools: expected a table of pools, found []"]],
    ["routes alone", { routes: [] }, ["pools: expected a table of pools, found nothing"]],
    ["empty options", {}, [nothing]],
    ["settings without upstreams", { balance: "first", pools: undefined }, [nothing]],
    [
      "an empty list of upstreams",
      { upstreams: [] },
      [
        "upstreams: expected at least one upstream, or discovery; to add upstreams at run time, use a named pool, as pools.NAME",
      ],
    ],
    [
      "a route of the only pool to another one",
      { upstreams: ["http://a"], routes: [{ pool: "api" }] },
      ['routes[0].pool: there is no pool "api"; allowed here: default'],
    ],
    [
      "keys of a route outside of routes",
      { upstreams: ["http://a"], preserveHost: false, stripPrefix: true },
      [
        "preserveHost*: unknown key; it belongs in a route, as routes[0].preserveHost",
        "stripPrefix*: unknown key; it belongs in a route, as routes[0].stripPrefix",
      ],
    ],
    [
      "keys of a route in a pool, and of a pool in a route",
      { pools: { a: { maxBodySize: "1mb" } }, routes: [{ timeouts: {}, upstreams: [] }] },
      [
        "pools.a.maxBodySize*: unknown key; it belongs in a route, as routes[0].maxBodySize",
        "routes[0].timeouts*: unknown key; it belongs in the pool that the route names",
        "routes[0].upstreams*: unknown key; it belongs in the pool that the route names",
      ],
    ],
    [
      "defaults for the only pool",
      { upstreams: ["http://a"], defaults: {} },
      ["defaults*: unknown key; defaults are for named pools, and the keys of a single pool are at the top"],
    ],
    [
      "invalid statuses",
      { healthCheck: { expectStatus: [99, 200.5, Number.NaN, -1] }, retry: { on: [500, 404] } },
      [
        ...["99", "200.5", "NaN", "-1"].map(
          (text, index) =>
            `healthCheck.expectStatus[${index}]: expected a status or a range such as "200-399", found "${text}"`,
        ),
        'retry.on[1]: expected "connect-failure", "reset", "timeout", "grpc-unavailable", 429 or a status from 500 to 599, found 404',
      ],
    ],
    ["no pool", { pools: {} }, ["pools: expected at least one pool"]],
    [
      "pools without routes",
      { pools: { a: {}, b: {} } },
      ["routes: several pools need routes that assign requests to them"],
    ],
    [
      "routes that are not an array",
      { pools: { a: {} }, routes: { pool: "b" } },
      ['routes: expected an array of routes, found {"pool":"***"}'],
    ],
    [
      "a string in place of the upstreams",
      { upstreams: "http://a" },
      ['upstreams: expected an array of URLs or of upstreams, found "http://a"'],
    ],
    [
      "a number in place of a table",
      { timeouts: 5, healthCheck: true },
      ["healthCheck: expected a table, found true", "timeouts: expected a table, found 5"],
    ],
    [
      "an empty array that needs an element",
      { healthCheck: { expectStatus: [] } },
      ["healthCheck.expectStatus: expected at least one status or range, found []"],
    ],
    [
      "half a pair in the defaults, reported once",
      { pools: { a: {}, b: {}, c: { tls: { key: "K" } } }, routes: [{ pool: "a" }], defaults: { tls: { cert: "C" } } },
      ["defaults.tls: cert and key go together: set both or neither"],
    ],
    ["half a pair in the only pool", { tls: { key: "K" } }, ["tls: cert and key go together: set both or neither"]],
    [
      "an id that is the default id of another upstream",
      { upstreams: ["http://a", { url: "http://b", id: "a:80" }] },
      ['upstreams[1]: the id "a:80" is already taken by upstreams[0]; give one of them another id'],
    ],
    [
      "a port for SRV records",
      { pools: { a: { discovery: { type: "srv", name: "a", port: 80 } } } },
      ['pools.a.discovery.port: SRV records contain the ports: remove this key, or set type = "dns"'],
    ],
    [
      "HTTP/2 by negotiation with http upstreams alone",
      { upstreams: ["http://a", "http+unix:///run/a.sock"], connections: { http2: true } },
      [
        'connections.http2: true is for https upstreams, and this pool has none; set "h2c" if its upstreams support HTTP/2 without TLS',
      ],
    ],
    [
      "HTTP/2 with prior knowledge with https upstreams alone",
      { pools: { a: { upstreams: ["https://a", { url: "https://b" }], connections: { http2: "h2c" } } } },
      [
        'pools.a.connections.http2: "h2c" is for http upstreams, and this pool has none; set true to negotiate HTTP/2 with its https upstreams',
      ],
    ],
    [
      "DNS servers with invalid ports",
      { discovery: { name: "a", servers: ["127.0.0.1:0", "[::1]:65536", "127.0.0.1:65535", "::1"] } },
      [
        'discovery.servers[0]: expected an address such as "10.0.0.2" or "127.0.0.1:8600", found "127.0.0.1:0"',
        'discovery.servers[1]: expected an address such as "10.0.0.2" or "127.0.0.1:8600", found "[::1]:65536"',
      ],
    ],
    ["NaN", { retry: { budget: Number.NaN } }, ["retry.budget: expected a number from 0 to 1, found NaN"]],
    [
      "a fraction in place of a whole number",
      { retry: { attempts: 1.5 } },
      ["retry.attempts: expected a whole number from 0 to 10, found 1.5"],
    ],
  ])("finds %s", (_, options, expected) => {
    expect(check(options)).toEqual(expected);
  });

  it("recognizes a key of the short form among named pools", () => {
    expect(check({ upstreams: ["http://a"], pools: { a: {} } })).toEqual([
      "upstreams*: unknown key; with named pools it belongs in one of them, as pools.NAME.upstreams",
    ]);
  });

  it("suggests keys of the long form for a typo in the short form", () => {
    expect(check({ poools: {} })).toEqual(['poools*: unknown key, did you mean "pools"?']);
    expect(check({ route: [] })).toEqual(['route*: unknown key, did you mean "routes"?']);
  });
});

describe("odd values", () => {
  const cyclic: Record<string, unknown> = {};
  cyclic["self"] = cyclic;
  let deep: unknown = [];
  for (let depth = 0; depth < 100_000; depth++) deep = [deep];

  it.each([
    ["a cycle", cyclic, "a value that JSON cannot represent"],
    ["a bigint", 5n, "5n"],
    ["a function", () => 5, "a function"],
    ["a symbol", Symbol("x"), "a symbol"],
    ["a long string", "x".repeat(1_000), `"${"x".repeat(76)}...`],
    ["a long array", new Array(21).fill(0), "an array of 21"],
  ])("%s is formatted in at most 80 characters, without an exception", (_, value, shown) => {
    expect(check({ maxHeaders: value })).toEqual([
      `maxHeaders: expected a whole number from 1 to 2000, found ${shown}`,
    ]);
  });

  it("a very deep array is formatted too", () => {
    const [issue] = check({ maxHeaders: deep });
    // JSON.stringify overflows the stack in older versions of Node.
    expect(issue).toMatch(/found (?:\[{77}\.\.\.|a value that JSON cannot represent)$/);
  });

  it("of two pools with the same cookie the second is reported", () => {
    const route = { routes: [{ pool: "a" }] };
    const stickies = (a: object | undefined, b: object | undefined, sticky?: object) =>
      check({ ...route, pools: { a: { sticky: a }, b: { sticky: b } }, defaults: { sticky } });
    const taken = (cookie: string) =>
      `pools.b.sticky.cookie: the cookie "${cookie}" is already taken by the pool "a"; give one of them another name`;
    expect(stickies({}, { cookie: "evenkeel" })).toEqual([taken("evenkeel")]);
    expect(stickies({}, { ttl: "1h" }, { cookie: "x" })).toEqual([taken("x")]);
    expect(stickies(undefined, undefined, { cookie: "x" })).toEqual([taken("x")]);
    expect(stickies({ cookie: "x" }, { cookie: "X" })).toEqual([]);
    expect(stickies({}, undefined)).toEqual([]);
    expect(stickies({ cookie: "a" }, { cookie: "b" }, { cookie: "x" })).toEqual([]);
  });

  it("are ignored by the cross checks at every level", () => {
    for (const odd of [null, 5, "x", [], [null], { a: null }, () => 5, Symbol("x"), cyclic]) {
      for (const options of [
        { pools: odd },
        { pools: { a: odd }, routes: odd, defaults: odd },
        { pools: { a: { upstreams: odd, tls: odd } }, routes: [odd], defaults: { tls: odd } },
        { pools: { a: { sticky: odd }, b: { sticky: { cookie: odd } } }, defaults: { sticky: odd } },
        { pools: { a: { upstreams: [odd, { url: odd, id: odd }, { id: odd }] } }, routes: [{ pool: odd }] },
        { upstreams: odd, tls: odd },
      ]) {
        expect(() => checkOptions(options)).not.toThrow();
      }
    }
  });

  it("are not repeated in a message when they are secrets", () => {
    expect(check({ sticky: { secret: "hunter2" } })).toEqual(["sticky.secret: expected at least 8 characters"]);
    expect(check({ sticky: { secret: 1234 } })).toEqual(["sticky.secret: expected a secret of at least 8 characters"]);
  });

  it("are not repeated in a message when they are header values, which can be credentials", () => {
    const [issue] = check({ healthCheck: { headers: { Authorization: "Bearer secret\n" } } });
    expect(issue).toMatch(/^healthCheck\.headers\.Authorization: a header value may not/);
    expect(issue).not.toContain("secret");
  });
});

describe("prototype keys", () => {
  it("are unknown keys at every level, also among names that the user chooses", () => {
    const proto = '"__proto__":{"polluted":1}';
    const options: unknown = JSON.parse(`{
      ${proto},
      "pools":{${proto},"a":{${proto},"healthCheck":{"headers":{${proto}}},"upstreams":[{"url":"http://a",${proto}}]}},
      "routes":[{"pool":"a",${proto},"requestHeaders":{"set":{${proto}}}}],
      "defaults":{"retry":{${proto}}}
    }`);
    const found = checkOptions(options).map(({ path, at }) => [formatPath(path), at]);
    expect(found.sort()).toEqual(
      [
        ["__proto__", "key"],
        ["defaults.retry.__proto__", "key"],
        ["pools.__proto__", "key"],
        ["pools.a.__proto__", "key"],
        ["pools.a.healthCheck.headers.__proto__", "key"],
        ["pools.a.upstreams[0].__proto__", "key"],
        ["routes[0].__proto__", "key"],
        ["routes[0].requestHeaders.set.__proto__", "key"],
      ].sort(),
    );
    expect(({} as Record<string, unknown>)["polluted"]).toBeUndefined();
  });

  it.each(["constructor", "prototype", "toString", "hasOwnProperty"])("%s is an unknown key of a table", (key) => {
    expect(check({ retry: { [key]: 1 } })).toEqual([expect.stringMatching(`^retry\\.${key}\\*: unknown key`)]);
  });
});

describe("the caller's tables", () => {
  const tables = { server: z.strictObject({ port: z.int({ error: "expected a port" }).optional() }).optional() };

  it("are checked together with the options", () => {
    expect(check({ server: { port: "x", prot: 1 }, upstreams: 5 }, tables)).toEqual([
      "upstreams: expected an array of URLs or of upstreams, found 5",
      'server.port: expected a port, found "x"',
      'server.prot*: unknown key, did you mean "port"?',
    ]);
    expect(check({ server: { port: 1 }, pools: { a: {} } }, tables)).toEqual([]);
  });

  it("are suggested for a key with a typo", () => {
    expect(check({ sever: {} }, tables)).toEqual(['sever*: unknown key, did you mean "server"?']);
    expect(check({ sever: {}, pools: { a: {} } }, tables)).toEqual(['sever*: unknown key, did you mean "server"?']);
  });

  it("are unknown keys unless their schemas are passed", () => {
    expect(check({ server: {} })).toHaveLength(1);
  });
});

it.each(["Content-Length", "transfer-encoding", "Connection", "Upgrade", "TE", "Trailer"])(
  "a route may not change %s, a framing or hop-by-hop header",
  (name) => {
    for (const change of [{ set: { [name]: "5" } }, { remove: [name] }]) {
      const options = { pools: { a: {} }, routes: [{ pool: "a", responseHeaders: change }] };
      expect(checkOptions(options)).toHaveLength(1);
    }
  },
);

describe("a key that accepts a table or a word", () => {
  it.each([
    [{ windw: "1s" }, 'outlierDetection.windw*: unknown key, did you mean "window"?'],
    [{ window: 5 }, 'outlierDetection.window: expected a duration such as "250ms", "5s" or "2m", found 5'],
    [true, "outlierDetection: expected false or a table, found true"],
  ])("%j: the message is about the given form", (outlierDetection, text) => {
    expect(check({ upstreams: ["http://a"], outlierDetection })).toEqual([text]);
  });
});

describe("the head of a response", () => {
  it("is bounded by what a pool may allow", () => {
    const issues = (connections: object) => check({ upstreams: ["http://u"], connections });
    expect(issues({ maxResponseHeaderSize: "257kb" })).toEqual([
      'connections.maxResponseHeaderSize: expected a size from 1kb to 256kb, found "257kb"',
    ]);
    expect(issues({ maxResponseHeaderSize: "1023b" })).toHaveLength(1);
    expect(issues({ maxResponseHeaders: 2_001 })).toHaveLength(1);
    expect(issues({ maxResponseHeaderSize: "1kb", maxResponseHeaders: 1 })).toEqual([]);
  });
});
