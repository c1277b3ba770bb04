import type { Request } from "express";
import { expect, test } from "vitest";
import { isSlashAdded, stripMountPath } from "../src/mount-path.ts";

test.each([
  { prefix: "", url: "/users?x", mountPath: "", rest: "/users?x", slashAdded: false },
  { prefix: "/api", url: "/api/users", mountPath: "/api", rest: "/users", slashAdded: false },
  { prefix: "/api", url: "/API/Users", mountPath: "/API", rest: "/Users", slashAdded: false },
  { prefix: "/Api", url: "/api", mountPath: "/api", rest: "/", slashAdded: true },
  { prefix: "/api", url: "/api?x=1", mountPath: "/api", rest: "/?x=1", slashAdded: true },
  { prefix: "/api", url: "/api/?x=1", mountPath: "/api", rest: "/?x=1", slashAdded: false },
])("$prefix is stripped from $url", ({ prefix, url, ...below }) => {
  expect(stripMountPath(prefix, url)).toEqual(below);
});

test.each(["/", "/apix", "/ap", "/users/api", ""])("/api is not in front of %j", (url) => {
  expect(stripMountPath("/api", url)).toBeUndefined();
});

test.each<[url: string, baseUrl: string, originalUrl: string, slashAdded: boolean]>([
  ["/", "", "/", false],
  ["/", "/api", "/api", true],
  ["/?x=1", "/api", "/api?x=1", true],
  ["/?x=/api", "/api", "/api/?x=/api", false],
  ["/", "/a/API", "/a/API", true],
  ["/", "/api", "/api/", false],
  ["/users", "/api", "/api/users", false],
  ["/api", "/api", "/api/api", false],
  ["http://h?x", "/api", "http://h/api?x", true],
  ["http://h/?x", "/api", "http://h/api/?x", false],
  // An app has written its own path into req.url.
  ["/", "/api", "/api/old", false],
])(
  "Express has added the slash of %s with baseUrl %j and originalUrl %s: %s",
  (url, baseUrl, originalUrl, slashAdded) => {
    expect(isSlashAdded({ url, baseUrl, originalUrl } as Request)).toBe(slashAdded);
  },
);
