import { describe, expect, test } from "vitest";
import { isRefusal, readRequestHead, withoutClaims } from "../../src/request/request-head.ts";
import { headOf, incoming, linesOf, refusalOf } from "../support/incoming.ts";

/** What goes on to the upstream of these header lines. */
function passed(...headers: string[]): string[] {
  return linesOf(headOf({ headers }).passed);
}

describe("what passes", () => {
  test("keeps order, repetition, case and bytes", () => {
    const lines = ["X-B: 2", "x-a: 1", "X-B: \xe4\xff", "Cookie: a=1", "cookie: b=2", "X_Custom: 3", "Accept: */*"];
    expect(passed(...lines)).toEqual(lines);
  });

  test("is noted where the proxy wants to know it", () => {
    const headers = ["User-Agent: curl", "Referer: /from", "traceparent: 00-1-2-01", "Accept: text/html"];
    const head = headOf({ headers });
    expect(head).toMatchObject({ userAgent: "curl", referer: "/from", traceparent: "00-1-2-01", accept: "text/html" });
    expect(linesOf(head.passed)).toEqual(headers);
  });
});

describe("for this hop alone", () => {
  test.each([
    "Connection: keep-alive",
    "Keep-Alive: timeout=5",
    "Proxy-Connection: keep-alive",
    "Proxy-Authenticate: Basic",
    "Proxy-Authorization: Basic eA==",
    "TE: gzip",
    "Trailer: X-Sum",
    "Upgrade: h2c",
    "HTTP2-Settings: AAMAAABk",
    "Expect: 100-continue",
    "Proxy: http://evil.example",
  ])("%s goes no further, however it is spelled", (line) => {
    expect(passed(line, "X-A: 1")).toEqual(["X-A: 1"]);
    expect(passed(line.toUpperCase(), "X-A: 1")).toEqual(["X-A: 1"]);
  });

  test.each([
    ["close, X-Internal-Auth"],
    ["X-INTERNAL-AUTH"],
    ["x-internal-auth , keep-alive"],
    [",,\tX-Internal-auth,"],
  ])("Connection: %s takes along what it names", (value) => {
    expect(passed("X-Internal-Auth: yes", `Connection: ${value}`, "x-internal-auth: no", "X-A: 1")).toEqual(["X-A: 1"]);
  });

  test("every Connection line counts, in front of what it names and behind it", () => {
    expect(passed("connection: x-a", "X-A: 1", "X-B: 2", "CONNECTION: X-B", "X-C: 3")).toEqual(["X-C: 3"]);
  });

  test("Connection cannot take off what the proxy says, what frames, or the Host", () => {
    const headers = [
      "Connection: close, X-Forwarded-For, x-real-ip, X-Forwarded-Host, Host, Content-Length, X-Request-Id, Via",
      "Connection: Cookie, AUTHORIZATION",
      "X-Forwarded-For: 10.0.0.1",
      "X-Request-Id: r1",
      "Via: 1.0 fred",
      "Content-Length: 5",
      "Cookie: a=1",
      "Authorization: Bearer x",
    ];
    const head = headOf({ headers, method: "POST" });
    expect(head.passed).toEqual([]);
    expect(head.host).toBe("shop.example");
    expect(head.bodyLength).toBe(5);
    expect(head.via).toBe("1.0 fred");
    expect([...head.forwarded]).toEqual([
      ["x-forwarded-for", "10.0.0.1"],
      ["x-request-id", "r1"],
    ]);
  });

  test.each([
    ["trailers", true],
    ["gzip, TRAILERS ; q=1", false],
    ["gzip, trailers", true],
    ["trailers, deflate;q=0.5", true],
    ["gzip", false],
    ["x-trailers", false],
  ])("TE: %s is %s about trailers", (value, wants) => {
    const head = headOf({ headers: [`TE: ${value}`] });
    expect(head.wantsTrailers).toBe(wants);
    expect(head.passed).toEqual([]);
  });
});

describe("what the proxy says itself", () => {
  test.each([
    "X-Forwarded-For",
    "X-Forwarded-Host",
    "X-Forwarded-Proto",
    "X-Forwarded-Port",
    "X-Forwarded-Prefix",
    "X-Real-IP",
    "X-Request-Id",
    "Forwarded",
  ])("%s is set aside, joined when repeated", (name) => {
    const head = headOf({ headers: [`${name}: one`, "X-A: 1", `${name.toUpperCase()}: two`] });
    expect(linesOf(head.passed)).toEqual(["X-A: 1"]);
    expect(head.forwarded.get(name.toLowerCase())).toBe("one, two");
  });

  test.each([
    "X_Forwarded_For",
    "X.Forwarded.For",
    "X-Forwarded_For",
    "x_real.ip",
    "X_REQUEST_ID",
    "X-Forwarded.Proto",
    "X_Forwarded_Ssl",
    "X_Original_URL",
    "Content_Length",
    "content.length",
    "Transfer_Encoding",
    "Proxy_Authorization",
    "Keep_Alive",
    "HTTP2_Settings",
  ])("%s only pretends to be one of them and is dropped", (name) => {
    const head = headOf({ headers: [`${name}: 1`, "X_User_Id: 7", "X.Y: 8"] });
    expect(linesOf(head.passed)).toEqual(["X_User_Id: 7", "X.Y: 8"]);
    expect(head.forwarded.size).toBe(0);
  });
});

describe("what only a trusted peer may claim", () => {
  const lines = [
    ...["X-Forwarded-Ssl: on", "X-Forwarded-Scheme: https", "X-Forwarded-Server: a", "X-Forwarded-User: root"],
    ...["x-forwarded-anything: 1", "Front-End-Https: on", "X-Original-URL: /admin", "X-REWRITE-URL: /admin"],
  ];

  test.each(lines)("%s", (line) => {
    const head = headOf({ headers: [line, "X-A: 1"] });
    expect(head.hasClaims).toBe(true);
    expect(linesOf(head.passed)).toEqual([line, "X-A: 1"]);
    expect(linesOf(withoutClaims(head).passed)).toEqual(["X-A: 1"]);
  });

  test("the rest passes as it came, X-HTTP-Method-Override included", () => {
    const headers = ["X-HTTP-Method-Override: DELETE", "X-Forwarded: 1", "X-Original-URLs: 1"];
    const head = headOf({ headers });
    expect(withoutClaims(head)).toBe(head);
    expect(linesOf(head.passed)).toEqual(headers);
  });
});

describe("framing", () => {
  test.each<[string[], number]>([
    [[], 0],
    [["Content-Length: 0"], 0],
    [["Content-Length: 34"], 34],
    [["Content-Length: 010"], 10],
    [["Transfer-Encoding: chunked"], -1],
    [["transfer-encoding: CHUNKED"], -1],
  ])("%j is a body of %s", (headers, length) => {
    expect(headOf({ method: "POST", headers }).bodyLength).toBe(length);
  });

  test.each<[string, string[], string, string]>([
    ["a coding that is not chunked", ["Transfer-Encoding: gzip"], "1.1", "not_implemented"],
    ["codings in a row", ["Transfer-Encoding: gzip, chunked"], "1.1", "not_implemented"],
    ["codings on two lines", ["Transfer-Encoding: chunked", "Transfer-Encoding: chunked"], "1.1", "not_implemented"],
    ["a length beside a coding", ["Content-Length: 5", "Transfer-Encoding: chunked"], "1.1", "bad_request"],
    ["a coding beside a length", ["tRANSFER-eNCODING: chunked", "Content-Length: 5"], "1.1", "bad_request"],
    ["a coding on HTTP/1.0", ["Transfer-Encoding: chunked"], "1.0", "bad_request"],
  ])("%s is refused", (_name, headers, version, code) => {
    expect(refusalOf({ method: "POST", headers, version })).toBe(code);
  });
});

describe("the rest of the head", () => {
  test.each(["0.9", "1.32", "2.0", "4294967295.255"])("HTTP/%s is refused", (version) => {
    expect(refusalOf({ version })).toBe("bad_request");
  });

  test.each(["TRACE", "CONNECT"])("%s is refused", (method) => {
    expect(refusalOf({ method })).toBe("method_not_allowed");
  });

  test.each([
    "shop.example",
    "shop.example:8080",
    "shop.example:",
    "shop.example:0",
    "shop.example:65535",
    "shop.example:00080",
    "a_b.example",
    "[::1]",
    "[::1]:80",
    "[::ffff:10.0.0.1]",
    "127.0.0.1:1",
    "",
  ])("Host: %j is one", (host) => {
    expect(headOf({ headers: [`Host: ${host}`] }).host).toBe(host);
  });

  test.each([
    "a b",
    "user@shop.example",
    "shop.example/path",
    "shop.example?x",
    "shop.example#x",
    "shop.example:80:80",
    "shop.example:port",
    "shop.example:123456",
    "shop.example:65536",
    "shop.example:99999",
    "a,b",
    ",",
    "[::1",
    "[evil]",
    "a\\b",
    "sh\xf6p.example",
    "a,b c",
  ])("Host: %j is none", (host) => {
    expect(refusalOf({ headers: [`Host: ${host}`] })).toBe("bad_request");
  });

  test("one Host it is on HTTP/1.1, none is enough on HTTP/1.0", () => {
    expect(refusalOf({ headers: ["Host: a.example", "host: a.example"] })).toBe("bad_request");
    const none = { ...incoming(), rawHeaders: ["X-A", "1"] };
    expect(readRequestHead(none, 200)).toMatchObject({ code: "bad_request" });
    const old = { ...incoming({ version: "1.0" }), rawHeaders: [] };
    expect(readRequestHead(old, 200)).toMatchObject({ host: "" });
  });

  test("has as many fields as allowed, and not one more", () => {
    const headers = Array.from({ length: 199 }, (_, index) => `X-${index}: 1`);
    expect(isRefusal(readRequestHead(incoming({ headers }), 200))).toBe(false);
    expect(refusalOf({ headers: [...headers, "X-A: 1"] })).toBe("headers_too_large");
  });
});

test("methods of RTSP and ICE, which node reads as HTTP, are refused", () => {
  for (const method of ["DESCRIBE", "SETUP", "SOURCE"]) {
    expect(refusalOf({ method, version: "1.0" })).toBe("bad_request");
  }
});

test("what a client expects is 100-continue or nothing, and HTTP/1.0 has no expectations", () => {
  expect(headOf({ headers: ["Expect: 100-Continue"] }).expectsContinue).toBe(true);
  expect(headOf({ headers: ["Expect: 100-continue"], version: "1.0" }).expectsContinue).toBe(false);
  expect(headOf().expectsContinue).toBe(false);
  expect(refusalOf({ headers: ["Expect: 200-ok"] })).toBe("expectation_failed");
  expect(headOf({ headers: ["Expect: 200-ok"], version: "1.0" }).expectsContinue).toBe(false);
});
