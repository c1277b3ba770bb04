import Fastify from "fastify";
import { describe, expect, test } from "vitest";
import { Prefix, routerOptionsOf } from "../src/prefix.ts";

test.each([
  { prefix: "", url: "/users?x=/", mountPath: "", rest: "/users?x=/" },
  { prefix: "/", url: "/", mountPath: "", rest: "/" },
  { prefix: "/api", url: "/api", mountPath: "/api", rest: "/" },
  { prefix: "/api/", url: "/api/", mountPath: "/api", rest: "/" },
  { prefix: "/api", url: "/api?x=1/2", mountPath: "/api", rest: "/?x=1/2" },
  { prefix: "/api", url: "/api//users/", mountPath: "/api", rest: "//users/" },
  { prefix: "/v1/:tenant", url: "/v1/a%2Fb/users", mountPath: "/v1/a%2Fb", rest: "/users" },
  { prefix: "/api", url: "http://shop.example/api/users", mountPath: "/api", rest: "http://shop.example/users" },
  { prefix: "/api", url: "http://shop.example/api", mountPath: "/api", rest: "http://shop.example/" },
  { prefix: "", url: "*", mountPath: "", rest: "*" },
  { prefix: "", url: "admin", mountPath: "", rest: "admin" },
  { prefix: "/a b", url: "/a%20b/x", mountPath: "/a%20b", rest: "/x" },
])("$prefix is stripped from $url", ({ prefix, url, mountPath, rest }) => {
  expect(new Prefix(prefix).split(url)).toMatchObject({ mountPath, rest });
  expect(new Prefix(prefix).covers(url)).toBe(true);
});

test.each<[string, boolean]>([
  ["/api", true],
  ["/api?x=1", true],
  ["http://shop.example/api?x", true],
  ["/api/", false],
  ["/api/?x", false],
  ["/api/users", false],
])("%s gets a slash that the client did not send: %s", (url, slashAdded) => {
  expect(new Prefix("/api").split(url).slashAdded).toBe(slashAdded);
  expect(new Prefix("").split(url).slashAdded).toBe(false);
});

describe("with the options of the app's router", () => {
  const router = { caseSensitive: false, ignoreDuplicateSlashes: true, useSemicolonDelimiter: true };

  test.each([
    { prefix: "/api", url: "/API/Users", mountPath: "/API", rest: "/Users" },
    { prefix: "/api", url: "//api//users", mountPath: "/api", rest: "//users" },
    { prefix: "/api/v1", url: "/api///v1?//x", mountPath: "/api/v1", rest: "/?//x" },
    { prefix: "/:tenant/api", url: "//a//api/x", mountPath: "/a/api", rest: "/x" },
    { prefix: "/api", url: "/api;v=1/2?x", mountPath: "/api", rest: "/;v=1/2?x" },
    { prefix: "/api", url: "http://shop.example//api/x", mountPath: "/api", rest: "http://shop.example/x" },
  ])("$prefix is stripped from $url", ({ prefix, url, mountPath, rest }) => {
    expect(new Prefix(prefix, router).split(url)).toMatchObject({ mountPath, rest });
    expect(new Prefix(prefix, router).covers(url)).toBe(true);
    expect(new Prefix(prefix).covers(url)).toBe(false);
  });

  test.each(["//", "///", "/apix", "//x/api"])("/api does not cover %s", (url) => {
    expect(new Prefix("/api", router).covers(url)).toBe(false);
  });

  test.each([
    [{ caseSensitive: false, ignoreDuplicateSlashes: true }],
    [{ routerOptions: { caseSensitive: false, ignoreDuplicateSlashes: true } }],
  ])("are read from %j", (options) => {
    const app = Fastify(options);
    expect(routerOptionsOf(app)).toEqual({ ...router, useSemicolonDelimiter: false });
    expect(routerOptionsOf(Fastify())).toEqual({
      caseSensitive: true,
      ignoreDuplicateSlashes: false,
      useSemicolonDelimiter: false,
    });
  });
});

describe("a target outside the prefix", () => {
  test.each([
    { prefix: "/api", url: "/" },
    { prefix: "/api", url: "/apix/api" },
    { prefix: "/api/v1", url: "/api" },
    { prefix: "/api", url: "?/api" },
    { prefix: "/:tenant", url: "/" },
    { prefix: "/:tenant/api", url: "/a/b/api" },
  ])("$prefix does not cover $url", ({ prefix, url }) => {
    expect(new Prefix(prefix).covers(url)).toBe(false);
  });
});
