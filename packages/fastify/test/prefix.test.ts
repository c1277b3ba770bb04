import { describe, expect, test } from "vitest";
import { Prefix } from "../src/prefix.ts";

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
])("$prefix is taken off $url", ({ prefix, url, mountPath, rest }) => {
  expect(new Prefix(prefix).split(url)).toEqual({ mountPath, rest });
  expect(new Prefix(prefix).covers(url)).toBe(true);
});

describe("what lies elsewhere", () => {
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
