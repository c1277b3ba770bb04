import type { ProxyOptions } from "../../../src/config/options.ts";
import { badTarget, both, forwarded, oneOf, rejected, unrouted } from "../../support/expectations.ts";
import type { RawCase } from "../../support/raw-case.ts";

/** A request with nothing but a target and a Host. */
export function get(target: string, host = "h", method = "GET"): string {
  return `${method} ${target} HTTP/1.1\r\nHost: ${host}\r\n\r\n`;
}

/** /api goes on as /v1; nothing else does. */
function prefixed(url: string): ProxyOptions {
  return {
    pools: { main: { upstreams: [url], retry: { attempts: 0 } } },
    routes: [
      { path: "/api", pool: "main", stripPrefix: true, addPrefix: "/v1" },
      { path: "/victim", pool: "main" },
      { path: "/sentinel", pool: "main" },
    ],
  };
}

const absolute: readonly RawCase[] = [
  ["B01 another authority", get("http://evil/", "good")],
  ["B01 another port", get("http://good:81/", "good")],
  ["B01 a port that Host has not", get("http://good:80/x", "good:81")],
  ["B01 user info in front of the right host", get("http://good@evil/", "good")],
  ["B01 the right host as user info", get("http://user@good/", "good")],
  ["B01 no authority", get("http:///x", "h")],
  ["B01 no authority and no slashes", get("http:evil", "h")],
  ["B01 one slash", get("http:/evil", "h")],
  ["B01 another scheme", get("ftp://h/x")],
  ["B01 file", get("file:///etc/passwd")],
  ["B01 javascript", get("javascript:1")],
  ["B01 a scheme of WebSocket", get("ws://h/x")],
  ["B01 a backslash behind the authority", get("http://h\\@evil/")],
  ["B01 no Host beside it", "GET http://h/ HTTP/1.1\r\n\r\n"],
].map(([id = "", bytes = ""]) => ({ id, bytes, expect: badTarget }));

const absoluteMatches: readonly RawCase[] = [
  ["B01 the same authority", get("http://good/a?b", "good"), "/a?b"],
  ["B01 the same authority in other case", get("HTTP://GOOD/a", "good"), "/a"],
  ["B01 no path", get("http://good", "good"), "/"],
  ["B01 no path, but a query", get("http://good?q=1", "good"), "/?q=1"],
  ["B01 a path with two slashes", get("http://good//evil/x", "good"), "//evil/x"],
  ["B01 an absolute-form in the path", get("/http://evil/", "good"), "/http://evil/"],
].map(([id = "", bytes = "", target = ""]) => ({
  id,
  bytes,
  expect: both(forwarded({ target, fields: { Host: ["good"] } })),
}));

const odd: readonly RawCase[] = [
  "//evil.com/x",
  "///x",
  "/\\evil.com",
  "/%5cevil",
  "/%5c%5cevil",
  "/.",
  "/a/./b",
  "/;x",
  "/a//b///c",
  "/@evil",
  "/:80",
  "/?",
  "/a?b?c",
  "/a%2Fb",
  "/%2e",
  "/a%23b",
  "/%00",
  "/%0d%0aX:1",
  "/%E2%82%AC",
  "/%c0%ae%c0%ae/",
  "/a%zz?x".replace("%zz", "%7a"),
  "/[...slug]",
  "/a|b",
  "/a^b`c{d}",
  '/a"b',
  "/a<b>",
  "/?a=%zz&b=%",
  "/?a;b;c",
  "/?url=http://x//y",
  "/?../..",
].map((target) => ({
  id: `B03 ${target} as it came`,
  bytes: get(target),
  expect: oneOf(badTarget, forwarded({ target, fields: { Host: ["h"] } })),
}));

/** What must pass as it came, whatever the strictness. */
const verbatim: readonly RawCase[] = [
  "//a///b",
  "/a%2Fb?c=%2F",
  "/?next=http://x//y",
  "/[...slug]",
  "/a%23b",
  "/a;b=c",
  "/?a;b",
  "/%E2%82%AC",
  "/?",
  "/a%2eb",
  "/..a",
  "/...",
  "/a..b/",
  "/?a=%zz",
].map((target) => ({ id: `${target} passes`, bytes: get(target), expect: forwarded({ target }) }));

const forbidden: readonly RawCase[] = [
  ["a fragment", "/a#frag"],
  ["a fragment alone", "#"],
  ["a fragment behind a query", "/a?b#c"],
  ["a star", "*"],
  ["a name", "admin"],
  ["an authority", "haproxy.org:80"],
  ["a backslash", "\\\\evil"],
  ["nothing in front of a query", "?a"],
  ["a bad escape", "/%zz"],
  ["a percent sign at the end", "/%"],
  ["half an escape", "/%1"],
  ["a half escape in a segment", "/a%2/b"],
  ...[..."\0\x01\x09\x0b\x0c\x1f\x7f\x80\xa0\xff"].map((c) => [JSON.stringify(c), `/a${c}b`]),
].map(([what = "", target = ""]) => ({
  id: `B07 B08 B09 ${what} in a target`,
  bytes: get(target),
  expect: badTarget,
}));

const climbs: readonly RawCase[] = [
  "/api/../admin",
  "/api/%2e%2e/admin",
  "/api/%2E%2E/admin",
  "/api/..%2fadmin",
  "/api/..%2Fadmin",
  "/api/.%2e/",
  "/api/%2e./x",
  "/api/%2e%2e%5cx",
  "/api/..\\x",
  "/api/..%5cx",
  "/api/..;/x",
  "/api/..;a=b/x",
  "/api/%2e%2e;/x",
  "/api/x/..",
  "/api/..",
  "/api/%2e%2e",
  "/api/x/%2e%2e/%2e%2e/y",
  "/api/a%2f..%2fb",
  "/api/..%2f..%2f",
  "/api/./../x",
  "/api//../x",
  "/../api/x",
  "/%2e%2e/api/x",
  "/api/..?x",
].map((target) => ({ id: `B04 ${target}`, bytes: get(target), options: prefixed, expect: rejected(400) }));

/** Whether a parameter is taken off before or after decoding is up to the upstream. */
const doubtfulClimbs: readonly RawCase[] = [
  "/api/..%3b/x",
  "/api/..%3B/x",
  "/api/%252e%252e/x",
  "/api/..%252fx",
  "/api/..%00/x",
].map((target) => ({
  id: `B04 ${target}`,
  bytes: get(target),
  options: prefixed,
  expect: oneOf(badTarget, forwarded({ target: target.replace("/api", "/v1") })),
}));

const noClimbs: readonly RawCase[] = [
  ["/api/[...slug]", "/v1/[...slug]"],
  ["/api/...", "/v1/..."],
  ["/api/a..b", "/v1/a..b"],
  ["/api/x?a=/../b", "/v1/x?a=/../b"],
  ["/api", "/v1"],
  ["/api?x", "/v1?x"],
  ["/api/", "/v1/"],
  ["/api//x", "/v1//x"],
  ["/api/..x", "/v1/..x"],
].map(([target = "", upstream = ""]) => ({
  id: `B04 ${target} goes on as ${upstream}`,
  bytes: get(target),
  options: prefixed,
  expect: forwarded({ target: upstream, fields: { "X-Forwarded-Prefix": ["/api"] } }),
}));

const outside: readonly RawCase[] = [
  "/apix",
  "/api-extra",
  "/API",
  "/ap",
  "/api%2fx",
  "/%61pi/x",
  "//api/x",
  "/api;x",
  "/",
].map((target) => ({
  id: `B05 ${target} is not below /api`,
  bytes: get(target),
  options: prefixed,
  expect: unrouted,
}));

export const targetsAndRouting: readonly RawCase[] = [
  ...absolute,
  ...absoluteMatches,
  ...odd,
  ...verbatim,
  ...forbidden,
  ...climbs,
  ...doubtfulClimbs,
  ...noClimbs,
  ...outside,
];
