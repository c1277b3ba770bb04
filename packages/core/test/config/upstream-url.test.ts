import { describe, expect, it } from "vitest";
import type { UpstreamAddress } from "../../src/config/resolved.ts";
import { defaultUpstreamId, parseUpstreamUrl } from "../../src/config/upstream-url.ts";

const plain = { tls: false, port: 80, socketPath: undefined, basePath: "" };

describe("parseUpstreamUrl", () => {
  it.each<[string, UpstreamAddress, id: string]>([
    ["http://a", { ...plain, hostname: "a", host: "a" }, "a:80"],
    ["http://a:80/", { ...plain, hostname: "a", host: "a" }, "a:80"],
    [
      "http://127.0.0.1:3000",
      { ...plain, hostname: "127.0.0.1", port: 3000, host: "127.0.0.1:3000" },
      "127.0.0.1:3000",
    ],
    ["HTTP://API.Internal", { ...plain, hostname: "api.internal", host: "api.internal" }, "api.internal:80"],
    ["https://a", { ...plain, tls: true, hostname: "a", port: 443, host: "a" }, "a:443"],
    [
      "https://a:8443/v1/",
      { ...plain, tls: true, hostname: "a", port: 8443, host: "a:8443", basePath: "/v1" },
      "a:8443:v1",
    ],
    ["http://[::1]:3000", { ...plain, hostname: "::1", port: 3000, host: "[::1]:3000" }, "[::1]:3000"],
    ["http://[2001:DB8::1]", { ...plain, hostname: "2001:db8::1", host: "[2001:db8::1]" }, "[2001:db8::1]:80"],
    ["http://a/x/y//", { ...plain, hostname: "a", host: "a", basePath: "/x/y" }, "a:80:x:y"],
    ["http://a/...", { ...plain, hostname: "a", host: "a", basePath: "/..." }, "a:80:..."],
    [
      "http+unix:///run/app.sock",
      { ...plain, hostname: "", port: 0, socketPath: "/run/app.sock", host: "localhost" },
      "run:app.sock",
    ],
  ])("parses %s", (url, address, id) => {
    expect(parseUpstreamUrl(url)).toEqual(address);
    expect(defaultUpstreamId(address)).toBe(id);
  });

  it.each([
    ["", /URL/],
    ["a:3000", /http:, https: or http\+unix:/],
    ["127.0.0.1", /URL/],
    ["//a", /URL/],
    ["http://", /URL/],
    ["http://a:99999", /URL/],
    ["http://a:0", /port/],
    ["http://a b", /URL/],
    ["file:///etc/passwd", /http:, https: or http\+unix:/],
    ["ftp://a", /http:, https: or http\+unix:/],
    ["ws://a", /http:, https: or http\+unix:/],
    ["javascript:alert(1)", /http:, https: or http\+unix:/],
    ["http://user@a", /user/],
    ["http://user:secret@a", /user/],
    ["http://:secret@a", /user/],
    ["http://a?x", /query/],
    ["http://a/?x=1", /query/],
    ["http://a#x", /fragment/],
    ["http://a/..", /segment/],
    ["http://a/../b", /segment/],
    ["http://a/b/./c", /segment/],
    ["http://a/%2e%2e/b", /segment/],
    ["http://a/.%2E", /segment/],
    ["http://a\\..\\b", /backslash/],
    ["http:\\\\a", /backslash/],
    ["http:a", /two slashes/],
    ["http:///a", /two slashes|URL/],
    ["http://a/\n", /white space/],
    [" http://a", /white space/],
    ["http+unix:", /absolute path of a socket/],
    ["http+unix://run/app.sock", /absolute path of a socket/],
    ["http+unix:///run/app.sock?x", /absolute path of a socket/],
    ["http+unix:///run/\0", /absolute path of a socket/],
  ])("returns the mistake in %j", (url, expected) => {
    expect(parseUpstreamUrl(url)).toMatch(expected);
  });

  it("does not repeat a password in its message", () => {
    expect(parseUpstreamUrl("http://user:secret@a")).not.toContain("secret");
    expect(parseUpstreamUrl("http://user:secret@a:99999")).not.toContain("secret");
  });
});
