import { describe, expect, it } from "vitest";
import { checkOptions } from "../../src/config/check.ts";

/** Wraps a value in objects with the keys of a path. */
function at(path: string, value: unknown): unknown {
  return path.split(".").reduceRight((inner, key) => ({ [key]: inner }), value);
}

/** Options of one pool with a value at a path. */
function onePool(path: string, value: unknown): unknown {
  return { upstreams: ["http://a"], ...(at(path, value) as object) };
}

const route = (path: string, value: unknown) => ({
  pools: { a: {} },
  routes: [{ pool: "a", ...(at(path, value) as object) }],
});

describe.each<[path: string, good: unknown[], bad: unknown[]]>([
  ["timeouts.connect", ["1ms", "24h", "0.5s"], ["0s", "25h", "3", 3, "3 s", null, true]],
  ["timeouts.idle", ["0s", "60s"], ["-1s", ""]],
  [
    "latencyBuckets",
    [["1ms"], ["0.001ms", "2.5ms", "1s", "1h"], Array.from({ length: 30 }, (_, index) => `${index + 1}s`)],
    [
      [],
      ["0ms"],
      ["2s", "1s"],
      ["1s", "1000ms"],
      ["61m"],
      ["1"],
      [1],
      "1s",
      Array.from({ length: 31 }, (_, index) => `${index + 1}s`),
    ],
  ],
  ["healthCheck.interval", ["100ms"], ["99ms", "0s"]],
  ["healthCheck.path", ["/", "/health?full=1"], ["health", "", "/a b", "/a#b", "/\n", 5]],
  ["healthCheck.method", ["GET", "PROPFIND", "M-SEARCH"], ["get", "", "G T", "GET\r\n", "A".repeat(33)]],
  ["healthCheck.port", [1, 65_535], [0, 65_536, 80.5, "80"]],
  ["healthCheck.jitter", [0, 0.5], [0.51, -0.1, "0.1", Number.NaN]],
  [
    "healthCheck.expectStatus",
    [["200"], ["200-399", "404"], [200, "204"]],
    [[], ["99"], ["600"], ["399-200"], ["2xx"], [99], [600], [200.5], "200"],
  ],
  [
    "healthCheck.expectBody",
    [
      "",
      "ok",
      "/ok/",
      "/^[a-z]+ (?:up|ok)?$/",
      "/[)]+/",
      "/\\)+/",
      "/",
      "/a",
      "a+)+",
      "/(a+)+/",
      "/(a|a)*/",
      "/(a){2,}/",
    ],
    ["/(/", "/((a+)b)c)*/", "/(?=a)/", "/(?<!a)b/", "/(a)\\1/", "/a{1000}/", `/${"a".repeat(201)}/`, 5],
  ],
  [
    "healthCheck.headers",
    [{}, { Host: "a", "x-y": "ä" }],
    [{ "a b": "x" }, { a: "x\r\ny" }, { a: "\0" }, { a: "…" }, [], "x"],
  ],
  ["healthCheck.type", ["http", "tcp"], ["HTTP", "https", ""]],
  ["retry.on", [[], ["503", "429", "reset"], [503, 429]], [["404"], ["600"], [404], [600], [500.5], ["5xx"], "reset"]],
  ["retry.bodyBuffer", ["0b", "64kb", "1GB"], ["64", 64, "64k", ""]],
  ["retry.methods", [[], ["POST"]], [["post"], "GET"]],
  [
    "trustedProxies",
    [[], ["127.0.0.1", "::1", "10.0.0.0/8", "fd00::/8"]],
    [["a"], ["10.0.0.0/33"], ["::/129"], ["1.2.3.4/"], ["10.0.0.0/8/8"], ["/8"], [""]],
  ],
])("%s", (path, good, bad) => {
  it.each(good.map((value) => [value]))("accepts %j", (value) => {
    expect(checkOptions(onePool(path, value))).toEqual([]);
  });

  it.each(bad.map((value) => [value]))("rejects %j with its own path", (value) => {
    const issues = checkOptions(onePool(path, value));
    expect(issues).toHaveLength(1);
    expect(issues[0]?.path.slice(0, path.split(".").length).join(".")).toBe(path);
  });
});

describe.each<[path: string, good: unknown[], bad: unknown[]]>([
  [
    "host",
    ["a", "A.Example.", "*.example.com", ["a", "b"], "::1", "[::1]", "127.0.0.1"],
    ["", "*", "a:80", "*.*.a", "a b", "a/b", [], ["a", ""], 5],
  ],
  ["path", ["/", "/api", "/api/", "/a%20b"], ["", "api", "/a?b", "/a#b", "/a b", "/a/../b", "/.", 5]],
  ["addPrefix", ["/v2"], ["v2", "/.."]],
  ["methods", [["GET"]], [[], ["get"], "GET"]],
  ["maxBodySize", ["10mb", "0b"], ["10", 10]],
  ["requestHeaders.set", [{ "X-A": "1" }], [{ "X A": "1" }, { a: 5 }]],
  ["responseHeaders.remove", [["X-A"]], [["X A"], "X-A"]],
])("routes[].%s", (path, good, bad) => {
  it.each(good.map((value) => [value]))("accepts %j", (value) => {
    expect(checkOptions(route(path, value))).toEqual([]);
  });

  it.each(bad.map((value) => [value]))("rejects %j with its own path", (value) => {
    const issues = checkOptions(route(path, value));
    expect(issues).toHaveLength(1);
    expect(issues[0]?.path.slice(0, 2 + path.split(".").length).join(".")).toBe(`routes.0.${path}`);
  });
});

describe("names of pools", () => {
  it.each(["a", "a-b", "a.b", "0", "_x", "constructor", "a".repeat(64)])("can be %j", (name) => {
    expect(checkOptions({ pools: { [name]: {} } })).toEqual([]);
  });

  it.each(["", "a b", "-a", ".a", "ä", "a/b", "a".repeat(65)])("cannot be %j", (name) => {
    expect(checkOptions({ pools: { [name]: {} } })).toMatchObject([{ path: ["pools", name], at: "key" }]);
  });
});
