import { describe, expect, test } from "vitest";
import { isRefusal } from "../../src/request/request-head.ts";
import { parseTarget, type Target } from "../../src/request/request-target.ts";

function parse(url: string, host = "shop.example"): Target | "refused" {
  const target = parseTarget(url, host);
  return isRefusal(target) ? "refused" : target;
}

describe("origin-form", () => {
  test.each([
    ["/", "/", ""],
    ["/a/b?x=1", "/a/b", "?x=1"],
    ["/?", "/", "?"],
    ["/a?b?c", "/a", "?b?c"],
    ["//a///b?x=%zz", "//a///b", "?x=%zz"],
    ["/%00%0d%0a", "/%00%0d%0a", ""],
    ["/a%23b", "/a%23b", ""],
    ["//evil.example/x", "//evil.example/x", ""],
    ["/\\evil.example", "/\\evil.example", ""],
    ["/a;b;c?d;e", "/a;b;c", "?d;e"],
    ['/"<>^`{|}', '/"<>^`{|}', ""],
  ])("%s stays byte for byte", (url, path, query) => {
    expect(parse(url)).toEqual({ path, query });
  });

  test.each(["/a#frag", "/#", "/a b", "/a\tb", "/a\r\nEvil: 1", "/\0", "/\x7f", "/\x80", "/ä", "/\u2028"])(
    "%j is refused",
    (url) => {
      expect(parse(url)).toBe("refused");
    },
  );
});

test.each(["/%", "/%1", "/a/%zz?x", "/%%20"])("%j, whose percent sign encodes nothing, is refused", (url) => {
  expect(parse(url)).toBe("refused");
});

describe("absolute-form", () => {
  test.each([
    ["http://shop.example/a?b", "/a", "?b"],
    ["HTTP://SHOP.example/a", "/a", ""],
    ["https://shop.example/a", "/a", ""],
    ["http://shop.example", "/", ""],
    ["http://shop.example?q=1", "/", "?q=1"],
  ])("%s goes on as a path when it names the Host", (url, path, query) => {
    expect(parse(url)).toEqual({ path, query });
  });

  test("the port is part of the name", () => {
    expect(parse("http://shop.example:8080/a", "shop.example:8080")).toEqual({ path: "/a", query: "" });
    expect(parse("http://shop.example:8080/a")).toBe("refused");
  });

  test.each([
    "http://evil.example/",
    "http://shop.example@evil.example/",
    "http://user@shop.example/",
    "http://shop.example.evil/",
    "http:///a",
    "http:/evil",
    "http://shop.example/a#b",
    "http://shop.example#b",
    "ftp://shop.example/",
    "shop.example:80",
    "admin",
    "*",
    "",
    "?x",
    "\\\\evil",
  ])("%j is refused", (url) => {
    expect(parse(url)).toBe("refused");
  });
});
