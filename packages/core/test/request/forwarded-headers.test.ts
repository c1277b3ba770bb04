import { describe, expect, test } from "vitest";
import { TrustedProxies } from "../../src/request/client-address.ts";
import { appendForwarded, clientFacts } from "../../src/request/forwarded-headers.ts";
import { headOf, type IncomingSketch, incoming, linesOf } from "../support/incoming.ts";

const proxies = new TrustedProxies(["10.0.0.0/8"]);
const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

function factsOf(sketch: IncomingSketch) {
  return clientFacts(incoming(sketch), headOf(sketch), proxies);
}

/** What the upstream is told, by lower-case name; the request's id only when the client gave one. */
function told(sketch: IncomingSketch, options: { forwarded?: boolean; prefix?: string } = {}): Record<string, string> {
  const headers: string[] = [];
  const { forwarded = false, prefix = "" } = options;
  appendForwarded(headers, headOf(sketch), factsOf(sketch), { forwarded, prefix });
  const lines = linesOf(headers).map((line) => [
    line.slice(0, line.indexOf(":")).toLowerCase(),
    line.slice(line.indexOf(":") + 2),
  ]);
  expect(new Set(lines.map(([name]) => name)).size, "no name twice").toBe(lines.length);
  return Object.fromEntries(lines.filter(([, value]) => !uuid.test(value ?? "")));
}

const claims = [
  "X-Forwarded-For: 1.2.3.4",
  "X-Forwarded-Host: public.example",
  "X-Forwarded-Proto: https",
  "X-Forwarded-Port: 8443",
  "X-Forwarded-Prefix: /app",
  "X-Real-IP: 1.2.3.4",
  "X-Request-Id: abc-123",
  "Forwarded: for=1.2.3.4",
  "Via: 1.0 fred",
];

describe("from anybody", () => {
  test("what is told is what was seen, and claims are replaced", () => {
    expect(told({ headers: claims })).toEqual({
      "x-forwarded-for": "203.0.113.9",
      "x-forwarded-host": "shop.example",
      "x-forwarded-proto": "http",
      "x-forwarded-port": "80",
      via: "1.0 fred, 1.1 evenkeel",
    });
    expect(factsOf({ headers: claims })).toMatchObject({ trusted: false, client: "203.0.113.9", proto: "http" });
  });

  test("an id is made for each request", () => {
    const ids = [1, 2].map(() => factsOf({ headers: claims }).requestId);
    for (const id of ids) expect(id).toMatch(uuid);
    expect(ids[0]).not.toBe(ids[1]);
  });

  test.each<[IncomingSketch, string, string]>([
    [{ headers: ["Host: shop.example:8080"] }, "http", "8080"],
    [{ encrypted: true }, "https", "443"],
    [{ encrypted: true, headers: ["Host: [::1]:8443"] }, "https", "8443"],
    [{ headers: ["Host: [::1]"] }, "http", "80"],
  ])("%j is %s on port %s", (sketch, proto, port) => {
    expect(told(sketch)).toMatchObject({ "x-forwarded-proto": proto, "x-forwarded-port": port });
  });

  test("a prefix is told when one was stripped", () => {
    expect(told({}, { prefix: "/api" })["x-forwarded-prefix"]).toBe("/api");
    expect(told({})["x-forwarded-prefix"]).toBeUndefined();
  });

  test("there is no address behind a unix socket", () => {
    const headers = told({ peer: undefined, headers: ["X-Forwarded-For: 1.2.3.4"] }, { forwarded: true });
    expect(headers["x-forwarded-for"]).toBeUndefined();
    expect(headers["forwarded"]).toBe("for=unknown;host=shop.example;proto=http");
  });
});

describe("from a trusted proxy", () => {
  test("what it says is believed and extended", () => {
    expect(told({ peer: "10.0.0.1", headers: claims }, { prefix: "/v1" })).toEqual({
      "x-forwarded-for": "1.2.3.4, 10.0.0.1",
      "x-forwarded-host": "public.example",
      "x-forwarded-proto": "https",
      "x-forwarded-port": "8443",
      "x-forwarded-prefix": "/app/v1",
      "x-real-ip": "1.2.3.4",
      "x-request-id": "abc-123",
      forwarded: "for=1.2.3.4",
      via: "1.0 fred, 1.1 evenkeel",
    });
  });

  test.each<[string[], string, string, string]>([
    [["X-Forwarded-Proto: https,http"], "https", "443", "shop.example"],
    [["X-Forwarded-Proto: HTTPS"], "https", "443", "shop.example"],
    [["X-Forwarded-Proto: Https, http", "X-Forwarded-Proto: http"], "https", "443", "shop.example"],
    [["X-Forwarded-Proto: wss"], "wss", "80", "shop.example"],
    [["X-Forwarded-Proto: gopher"], "http", "80", "shop.example"],
    [["X-Forwarded-Proto: "], "http", "80", "shop.example"],
    [["X-Forwarded-Proto: https", "X-Forwarded-Port: 8443,80"], "https", "8443", "shop.example"],
    [["X-Forwarded-Port: 65536"], "http", "80", "shop.example"],
    [["X-Forwarded-Port: 8o"], "http", "80", "shop.example"],
    [["X-Forwarded-Host: public.example, inner"], "http", "80", "public.example"],
    [["X-Forwarded-Host: "], "http", "80", "shop.example"],
    [["X-Forwarded-Host: a/b"], "http", "80", "shop.example"],
  ])("of lists the first is believed, and nothing out of grammar: %j", (headers, proto, port, host) => {
    const told1 = told({ peer: "10.0.0.1", headers });
    expect([told1["x-forwarded-proto"], told1["x-forwarded-port"], told1["x-forwarded-host"]]).toEqual([
      proto,
      port,
      host,
    ]);
  });

  test("the client is the right-most that is not trusted, on every line of the chain", () => {
    const headers = ["X-Forwarded-For: 6.6.6.6, 1.2.3.4", "X-Forwarded-For: 10.0.0.2"];
    expect(factsOf({ peer: "10.0.0.1", headers }).client).toBe("1.2.3.4");
    expect(told({ peer: "10.0.0.1", headers })["x-forwarded-for"]).toBe("6.6.6.6, 1.2.3.4, 10.0.0.2, 10.0.0.1");
  });

  test.each(["has space", "a".repeat(201), "\x80", ""])("the id %j is replaced", (id) => {
    expect(factsOf({ peer: "10.0.0.1", headers: [`X-Request-Id: ${id}`] }).requestId).toMatch(uuid);
  });

  test("an address in IPv6 clothes is the one beneath", () => {
    expect(factsOf({ peer: "::ffff:10.0.0.1", headers: claims })).toMatchObject({
      peer: "10.0.0.1",
      client: "1.2.3.4",
    });
  });
});

describe("Forwarded", () => {
  test.each<[string, IncomingSketch, string]>([
    ["plain", {}, "for=203.0.113.9;host=shop.example;proto=http"],
    ["a port is quoted", { headers: ["Host: a.example:81"] }, 'for=203.0.113.9;host="a.example:81";proto=http'],
    ["IPv6 is bracketed and quoted", { peer: "2001:db9::1" }, 'for="[2001:db9::1]";host=shop.example;proto=http'],
    ["TLS", { encrypted: true }, "for=203.0.113.9;host=shop.example;proto=https"],
    ["an empty host is left out", { headers: ["Host:"] }, "for=203.0.113.9;proto=http"],
    ["a claim is replaced", { headers: ["Forwarded: for=6.6.6.6"] }, "for=203.0.113.9;host=shop.example;proto=http"],
    [
      "a trusted one is extended",
      { peer: "10.0.0.1", headers: ["Forwarded: for=1.2.3.4"] },
      "for=1.2.3.4, for=10.0.0.1;host=shop.example;proto=http",
    ],
    [
      "what is no host is not believed",
      { peer: "10.0.0.1", headers: ['X-Forwarded-Host: a"b\\c'] },
      "for=10.0.0.1;host=shop.example;proto=http",
    ],
  ])("%s", (_name, sketch, expected) => {
    expect(told(sketch, { forwarded: true })["forwarded"]).toBe(expected);
  });
});
