import { describe, expect, test } from "vitest";
import { clientHeaders } from "../../src/forward/headers/client-headers.ts";
import { linesOf } from "../support/incoming.ts";

/** What the client gets of these header lines. */
function relayed(...lines: string[]): string[] {
  const raw = lines.flatMap((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 2)]);
  return linesOf(clientHeaders(raw, undefined));
}

const via = "Via: 1.1 evenkeel";

test("order, repetition, case and bytes stay; Via comes last", () => {
  const lines = ["B: 1", "set-cookie: a=1", "Content-Length: 5", "SET-COOKIE: b=2; Path=/", "a: \xe4\xff", "Date: now"];
  expect(relayed(...lines)).toEqual([...lines, via]);
});

test("an upstream's Via is extended, and there is one", () => {
  expect(relayed("Via: 1.0 fred", "A: 1", "via: 1.1 ginger")).toEqual([
    "A: 1",
    "Via: 1.0 fred, 1.1 ginger, 1.1 evenkeel",
  ]);
});

describe("for this hop alone", () => {
  test.each([
    "Connection: keep-alive",
    "Keep-Alive: timeout=5",
    "Proxy-Connection: close",
    "Proxy-Authenticate: Basic",
    "Proxy-Authorization: x",
    "TE: trailers",
    "Trailer: X-Sum",
    "Transfer-Encoding: chunked",
    "Upgrade: h2c",
    "HTTP2-Settings: AA",
  ])("%s goes no further", (line) => {
    expect(relayed(line, "A: 1")).toEqual(["A: 1", via]);
    expect(relayed(line.toUpperCase(), "A: 1")).toEqual(["A: 1", via]);
  });

  test("Connection takes along what it names, on every line, in any case", () => {
    expect(relayed("X-A: 1", "Connection: x-a, X-B", "x-b: 2", "connection: X-C", "X-C: 3", "X-D: 4")).toEqual([
      "X-D: 4",
      via,
    ]);
  });

  test("but not the length, which frames", () => {
    expect(relayed("Connection: Content-Length, close", "Content-Length: 5")).toEqual(["Content-Length: 5", via]);
  });
});

test("a route's changes come last", () => {
  const raw = ["X-Powered-By", "x", "Server", "s", "set-cookie", "a"];
  const changes = { set: [["Server", "mine"]] as const, drop: new Set(["server", "x-powered-by", "via"]) };
  expect(linesOf(clientHeaders(raw, changes))).toEqual(["set-cookie: a", "Server: mine"]);
});
