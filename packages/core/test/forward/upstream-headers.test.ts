import { describe, expect, test } from "vitest";
import type { ManyPoolsOptions, RouteOptions } from "../../src/config/options.ts";
import { resolveOptions } from "../../src/config/resolve.ts";
import { upstreamHeaders, upstreamPath } from "../../src/forward/headers/upstream-headers.ts";
import { TrustedProxies } from "../../src/request/client-address.ts";
import { clientFacts } from "../../src/request/forwarded-headers.ts";
import { headOf, type IncomingSketch, incoming, linesOf } from "../support/incoming.ts";

/** A route to one upstream, as the options make it. */
function resolved(route: Omit<RouteOptions, "pool">, url: string) {
  const options: ManyPoolsOptions = { pools: { p: { upstreams: [url] } }, routes: [{ ...route, pool: "p" }] };
  const { routes, pools } = resolveOptions(options);
  const address = pools.get("p")?.upstreams[0]?.address;
  if (routes[0] === undefined || address === undefined) throw new Error("one route, one upstream");
  return { route: routes[0], address };
}

function pathOf(target: string, route: Omit<RouteOptions, "pool"> = {}, url = "http://u.internal"): string {
  const mark = target.indexOf("?");
  const [path, query] = mark === -1 ? [target, ""] : [target.slice(0, mark), target.slice(mark)];
  const { route: resolvedRoute, address } = resolved(route, url);
  return upstreamPath({ path, query }, resolvedRoute, address);
}

describe("the path", () => {
  test.each(["/", "/a//b///c", "//a///b?x=%zz", "/a/?", "/%2e%2E/%2f", "/a;b?c=/api/../x"])(
    "%s stays as it is",
    (target) => {
      expect(pathOf(target)).toBe(target);
      expect(pathOf(target, { path: "/" })).toBe(target);
    },
  );

  test.each<[string, Omit<RouteOptions, "pool">, string, string]>([
    ["/api/x?y", { path: "/api" }, "http://u", "/api/x?y"],
    ["/api/x?y", { path: "/api", stripPrefix: true }, "http://u", "/x?y"],
    ["/api", { path: "/api", stripPrefix: true }, "http://u", "/"],
    ["/api?y", { path: "/api", stripPrefix: true }, "http://u", "/?y"],
    ["/api/", { path: "/api", stripPrefix: true }, "http://u", "/"],
    ["/api//x", { path: "/api", stripPrefix: true }, "http://u", "//x"],
    ["/api/x", { path: "/api/", stripPrefix: true }, "http://u", "/x"],
    ["/api/x", { path: "/api", addPrefix: "/v2" }, "http://u", "/v2/api/x"],
    ["/api/x", { path: "/api", stripPrefix: true, addPrefix: "/v2/" }, "http://u", "/v2/x"],
    ["/api", { path: "/api", stripPrefix: true, addPrefix: "/v2" }, "http://u", "/v2"],
    ["/x", {}, "http://u/base/", "/base/x"],
    ["/", {}, "http://u/base", "/base/"],
    ["/api/x", { path: "/api", stripPrefix: true, addPrefix: "/v2" }, "http://u/base", "/base/v2/x"],
    ["/api/api", { path: "/api", stripPrefix: true }, "http://u", "/api"],
  ])("%s by %j to %s is %s", (target, route, url, expected) => {
    expect(pathOf(target, route, url)).toBe(expected);
  });
});

test.each<[string, Omit<RouteOptions, "pool">, string, string]>([
  ["/", {}, "http://u", "/"],
  ["/", { addPrefix: "/v1" }, "http://u", "/v1"],
  ["/", {}, "http://u/base", "/base"],
  ["/;v=1", { addPrefix: "/v1" }, "http://u", "/v1;v=1"],
])("%s, whose slash a framework has added, by %j to %s is %s", (path, route, url, expected) => {
  const { route: resolvedRoute, address } = resolved(route, url);
  for (const query of ["", "?q=/"]) {
    expect(upstreamPath({ path, query, slashAdded: true }, resolvedRoute, address)).toBe(expected + query);
  }
});

/** The header lines that the upstream gets, without those whose value is made anew for each request. */
function headersOf(
  sketch: IncomingSketch,
  route: Omit<RouteOptions, "pool"> = {},
  { url = "http://u.internal:3000", mountPath = "" } = {},
): string[] {
  const { route: resolvedRoute, address } = resolved(route, url);
  const head = headOf(sketch);
  const facts = clientFacts(incoming(sketch), head, new TrustedProxies([]));
  const headers = upstreamHeaders(head, facts, resolvedRoute, address, { forwarded: false, mountPath });
  return linesOf(headers).filter((line) => !line.startsWith("X-Request-Id:"));
}

const own = [
  "X-Forwarded-For: 203.0.113.9",
  "X-Forwarded-Host: shop.example",
  "X-Forwarded-Proto: http",
  "X-Forwarded-Port: 80",
];

describe("the headers", () => {
  test("are Host, the client's own in their order, then the proxy's", () => {
    const headers = ["b: 1", "A: 2", "Host: shop.example", "b: 3"];
    expect(headersOf({ headers })).toEqual(["Host: shop.example", "b: 1", "A: 2", "b: 3", ...own, "Via: 1.1 evenkeel"]);
  });

  test.each([
    [{}, "http://u.internal:3000", "shop.example"],
    [{ preserveHost: true }, "http://u.internal:3000", "shop.example"],
    [{ preserveHost: false }, "http://u.internal:3000", "u.internal:3000"],
    [{ preserveHost: false }, "http://u.internal", "u.internal"],
    [{ preserveHost: false }, "https://u.internal:443", "u.internal"],
    [{ preserveHost: false }, "http://[::1]:3000", "[::1]:3000"],
    [{ preserveHost: false }, "http+unix:///run/app.sock", "localhost"],
  ])("with %j to %s the Host is %s, and there is one", (route, url, host) => {
    const lines = headersOf({}, route, { url }).filter((line) => /^host:/i.test(line));
    expect(lines).toEqual([`Host: ${host}`]);
  });

  test("a client that sent an empty Host gets the upstream's", () => {
    expect(headersOf({ headers: ["Host:"] })[0]).toBe("Host: u.internal:3000");
  });

  test("TE is ours to say, and only about trailers", () => {
    expect(headersOf({ headers: ["TE: gzip, trailers"] })).toContain("TE: trailers");
    expect(headersOf({ headers: ["TE: gzip"] }).some((line) => /^te:/i.test(line))).toBe(false);
  });

  test("the prefix that is gone is told: the framework's, then the route's", () => {
    const prefixOf = (route: Omit<RouteOptions, "pool">, mountPath: string) =>
      headersOf({}, route, { mountPath }).find((line) => line.startsWith("X-Forwarded-Prefix:"));
    expect(prefixOf({ path: "/api", stripPrefix: true }, "")).toBe("X-Forwarded-Prefix: /api");
    expect(prefixOf({ path: "/api", stripPrefix: true }, "/app")).toBe("X-Forwarded-Prefix: /app/api");
    expect(prefixOf({ path: "/api" }, "/app")).toBe("X-Forwarded-Prefix: /app");
    expect(prefixOf({ path: "/api" }, "")).toBeUndefined();
  });

  test("a route's changes come last: what it sets replaces, what it removes goes, in any case", () => {
    const headers = ["X-Debug: 1", "x-env: dev", "X-ENV: test", "Cookie: a"];
    const requestHeaders = { set: { "X-Env": "prod", "x-forwarded-port": "1" }, remove: ["x-DEBUG", "via"] };
    const lines = headersOf({ headers }, { requestHeaders });
    expect(lines).toEqual([
      "Host: shop.example",
      "Cookie: a",
      ...own.slice(0, 3),
      "X-Env: prod",
      "x-forwarded-port: 1",
    ]);
  });
});
