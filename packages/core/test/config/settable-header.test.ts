import { describe, expect, test } from "vitest";
import { checkOptions } from "../../src/config/check.ts";
import { type HeaderRule, headerRule } from "../../src/config/settable-header.ts";

describe("a header that an app sets", () => {
  test.each<[HeaderRule, readonly string[]]>([
    ["free", ["X-User", "Authorization", "Cookie", "Set-Cookie", "Cache-Control", "Proxy-Status", "x_user", ""]],
    ["free", ["Sec-WebSocket-Protocol", "Sec-WebSocket-Extensions", "X_Forwarded_For", "__proto__", "constructor"]],
    ["replaces", ["Host", "HOST", "Via", "Forwarded", "X-Request-Id", "X-Real-IP"]],
    [
      "replaces",
      ["X-Forwarded-For", "x-forwarded-host", "X-Forwarded-Proto", "X-Forwarded-Port", "X-Forwarded-Prefix"],
    ],
    [
      "refused",
      ["Content-Length", "content-length", "Content_Length", "content.length", "Transfer-Encoding", "Trailer"],
    ],
    ["refused", ["Connection", "Keep-Alive", "Proxy-Connection", "TE", "te", "Upgrade", "HTTP2-Settings", "Expect"]],
    ["refused", ["Proxy-Authenticate", "Proxy-Authorization", "Proxy-Authentication-Info"]],
    ["refused", ["Sec-WebSocket-Key", "Sec-WebSocket-Version", "Sec-WebSocket-Accept"]],
  ])("is %s: %j", (rule, names) => {
    expect(names.map(headerRule)).toEqual(names.map(() => rule));
  });
});

describe("a route's header changes", () => {
  const issuesOf = (changes: object, key: "requestHeaders" | "responseHeaders" = "requestHeaders") =>
    checkOptions({ pools: { p: { upstreams: ["http://u"] } }, routes: [{ pool: "p", [key]: changes }] }).map(
      ({ path, message }) => `${path.slice(2).join(".")}: ${message}`,
    );

  test("accept free headers and those that replace the proxy's own", () => {
    const set = {
      Host: "api.internal:8080",
      "X-Forwarded-Proto": "https",
      "X-Request-Id": "1",
      Via: "1.1 edge",
      X: "1",
    };
    expect(issuesOf({ set, remove: ["X-Forwarded-For", "Via"] })).toEqual([]);
    expect(issuesOf({ remove: ["Host"] }, "responseHeaders")).toEqual([]);
  });

  test("reject framing and hop-by-hop headers, each with its path", () => {
    const reason = "this header cannot be changed: it frames the message, belongs to one connection, or is part of a";
    for (const key of ["requestHeaders", "responseHeaders"] as const) {
      for (const name of [
        "Connection",
        "te",
        "Upgrade",
        "Trailer",
        "Proxy-Authorization",
        "Expect",
        "Content_Length",
      ]) {
        expect(issuesOf({ set: { [name]: "x" } }, key)).toEqual([`${key}.set.${name}: ${reason} WebSocket handshake`]);
        expect(issuesOf({ remove: [name] }, key)).toEqual([`${key}.remove.0: ${reason} WebSocket handshake`]);
      }
    }
  });

  test("reject two Host headers, no Host header, and an invalid host", () => {
    expect(issuesOf({ set: { Host: "a", host: "b" } })).toEqual(["requestHeaders.set.host: this header is set twice"]);
    expect(issuesOf({ set: { "X-A": "a", "x-a": "b" } })).toEqual(["requestHeaders.set.x-a: this header is set twice"]);
    expect(issuesOf({ set: { Host: "a b" } })).toEqual([
      "requestHeaders.set.Host: expected a host, with a port or without",
    ]);
    expect(issuesOf({ remove: ["host"] })).toEqual([
      "requestHeaders.remove.0: every request has a Host header: set it, or use preserveHost = false to send the upstream's",
    ]);
  });
});
