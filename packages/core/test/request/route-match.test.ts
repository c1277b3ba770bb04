import { describe, expect, test } from "vitest";
import { Balancer } from "../../src/balancer/balancer.ts";
import type { RouteOptions } from "../../src/config/options.ts";
import { resolveOptions } from "../../src/config/resolve.ts";
import { hasParentSegment, matchRoute, normalizeHost, type Route } from "../../src/request/route-match.ts";
import { poolOf } from "../support/pools.ts";

/** Routes as the options would make them; the pool's name tells which one matched. */
function routesOf(...routes: Omit<RouteOptions, "pool">[]): Route[] {
  const { pool } = poolOf({});
  const balancer = new Balancer(pool);
  const named = routes.map((route, index) => ({ ...route, pool: `${index}` }));
  const pools = Object.fromEntries(routes.map((_, index) => [`${index}`, { upstreams: [] }]));
  return resolveOptions({ pools, routes: named }).routes.map((options) => ({
    options,
    pool,
    balancer,
    keyOf: undefined,
    sticky: undefined,
  }));
}

/** The number of the route that matches. */
function match(routes: readonly Route[], host: string, path: string, method = "GET"): number | undefined {
  const route = matchRoute(routes, normalizeHost(host), path, method);
  return route && Number(route.options.pool);
}

describe("paths", () => {
  test.each([
    ["/api", 0],
    ["/api/", 0],
    ["/api/x", 0],
    ["/api//x", 0],
    ["/apix", undefined],
    ["/api-extra", undefined],
    ["/API", undefined],
    ["/ap", undefined],
    ["/", undefined],
    ["//api", undefined],
    ["/%61pi", undefined],
  ])("/api and %s", (path, expected) => {
    expect(match(routesOf({ path: "/api" }), "h", path)).toBe(expected);
    expect(match(routesOf({ path: "/api/" }), "h", path)).toBe(expected);
  });

  test.each(["/", "/x", "//", "/%"])("the default is every path, %s too", (path) => {
    expect(match(routesOf({}), "h", path)).toBe(0);
  });

  test("the first match wins, in the order they were written", () => {
    const routes = routesOf({ path: "/api/v2" }, { path: "/api" }, { path: "/api/v3" }, {});
    expect(match(routes, "h", "/api/v2/x")).toBe(0);
    expect(match(routes, "h", "/api/v3/x")).toBe(1);
    expect(match(routes, "h", "/elsewhere")).toBe(3);
  });
});

describe("hosts", () => {
  test.each([
    ["shop.example", 0],
    ["SHOP.Example", 0],
    ["shop.example.", 0],
    ["shop.example:8080", 0],
    ["Shop.Example.:8080", 0],
    ["shop.example:", 0],
    ["www.shop.example", undefined],
    ["shop.example.org", undefined],
    ["", undefined],
  ])("shop.example and %j", (host, expected) => {
    expect(match(routesOf({ host: "shop.example" }), host, "/")).toBe(expected);
    expect(match(routesOf({ host: "SHOP.example." }), host, "/")).toBe(expected);
  });

  test.each([
    ["a.example.com", 0],
    ["A.B.Example.com.:443", 0],
    ["example.com", undefined],
    [".example.com", undefined],
    ["badexample.com", undefined],
    ["a.example.com.evil", undefined],
  ])("*.example.com and %j", (host, expected) => {
    expect(match(routesOf({ host: "*.example.com" }), host, "/")).toBe(expected);
  });

  test.each([
    ["[::1]", 0],
    ["[::1]:8080", 0],
    ["[::2]", undefined],
    ["::1", undefined],
  ])("[::1] and %j", (host, expected) => {
    expect(match(routesOf({ host: "[::1]" }), host, "/")).toBe(expected);
  });

  test("a list matches any of its own", () => {
    const routes = routesOf({ host: ["a.example", "*.b.example"] }, {});
    expect(["a.example", "x.b.example", "b.example"].map((host) => match(routes, host, "/"))).toEqual([0, 0, 1]);
  });

  test.each([1, 100, 150])("%s hosts find the same route whatever the spelling", (count) => {
    const routes = routesOf(...Array.from({ length: count }, (_, index) => ({ host: `h${index}.example` })));
    for (const index of [0, count - 1]) {
      for (const host of [`h${index}.example`, `H${index}.EXAMPLE.`, `h${index}.Example:81`]) {
        expect(match(routes, host, "/")).toBe(index);
      }
    }
  });
});

describe("methods", () => {
  test("default to all; a list is exact", () => {
    const routes = routesOf({ methods: ["GET", "HEAD"] }, { methods: ["POST"] });
    expect(["GET", "HEAD", "POST", "PUT", "get"].map((method) => match(routes, "h", "/", method))).toEqual([
      0,
      0,
      1,
      undefined,
      undefined,
    ]);
    expect(match(routesOf({}), "h", "/", "PROPFIND")).toBe(0);
  });
});

describe("parent segments", () => {
  test.each([
    "/api/../admin",
    "/..",
    "/api/..",
    "/api/%2e%2e/admin",
    "/api/%2E%2E/admin",
    "/api/.%2e/",
    "/api/%2e./x",
    "/api/..%2fadmin",
    "/api/..%2Fadmin",
    "/api%2f..%2fadmin",
    "/api/%2e%2e%5cx",
    "/api/..\\x",
    "/api\\..\\x",
    "/api/..;/x",
    "/api/..;v=1/x",
    "/api/%2e%2e;/x",
  ])("%s has one", (path) => {
    expect(hasParentSegment(path)).toBe(true);
  });

  test.each([
    "/api/[...slug]",
    "/api/...",
    "/api/....//x",
    "/api/a..b",
    "/api/..a",
    "/api/a..",
    "/api/.",
    "/api/%2e",
    "/api/.hidden",
    "/a/%2e%2e%2e/b",
    "/",
    "/%",
    "/%2",
  ])("%s has none", (path) => {
    expect(hasParentSegment(path)).toBe(false);
  });
});
