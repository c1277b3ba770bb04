import { describe, expect, test } from "vitest";
import type { ProxyOptions } from "../../src/config/options.ts";
import { fieldsOf } from "../contract/client-exchange-harness.ts";
import { startLab, toResponse } from "../support/forward-lab.ts";
import { linesOf } from "../support/incoming.ts";
import type { ScriptedRequest } from "../support/scripted-request.ts";
import { scriptedUpstream } from "../support/scripted-upstream.ts";

/** Names and values by turns, of `Name: value` lines. */
function fields(lines: readonly string[]): string[] {
  return lines.flatMap((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 1).trim()]);
}

/** What an upstream gets of a request with these header lines: the target, then its header lines. */
async function seenOf(target: string, lines: readonly string[], options: Partial<ProxyOptions> = {}) {
  const upstream = scriptedUpstream("a", (request) => request.respond(204));
  const lab = startLab({ upstreams: [upstream.url], ...options } as ProxyOptions);
  expect((await lab.fetch(target, { rawHeaders: fields(lines) })).status).toBe(204);
  const [request] = upstream.received;
  return [`${request?.method} ${request?.url}`, ...linesOf(request?.rawHeaders ?? [])];
}

describe("a request", () => {
  test("goes on in origin-form when it came in absolute-form", async () => {
    const lines = await seenOf("http://h/a?b", ["Host: h"]);
    expect(lines.slice(0, 2)).toEqual(["GET /a?b", "Host: h"]);
  });

  test("says whose it is, whatever it claims, and its hop-by-hop headers stay here", async () => {
    const claims = [
      "Connection: close, X-Forwarded-For, x-internal",
      "X-Forwarded-For: 6.6.6.6",
      "X_Forwarded_For: 6.6.6.6",
      "X-Internal: 1",
      "Forwarded: for=6.6.6.6",
      "Proxy-Authorization: Basic eA==",
      "TE: trailers",
      "Upgrade: h2c",
    ];
    const lines = await seenOf("/", ["Host: h:81", ...claims]);
    // The transport adds `Connection: TE`.
    expect(lines.filter((line) => !/^X-Request-Id: [0-9a-f-]{36}$/.test(line))).toEqual([
      "GET /",
      "Host: h:81",
      "TE: trailers",
      "X-Forwarded-For: 127.0.0.1",
      "X-Forwarded-Host: h:81",
      "X-Forwarded-Proto: http",
      "X-Forwarded-Port: 81",
      "Via: 1.1 evenkeel",
    ]);
  });

  test("of a trusted proxy is believed", async () => {
    const lines = await seenOf(
      "/",
      ["Host: h", "X-Forwarded-For: 1.2.3.4", "X-Forwarded-Proto: https", "X-Request-Id: r-1"],
      { trustedProxies: ["127.0.0.0/8"], forwarded: true },
    );
    expect(lines).toEqual([
      "GET /",
      "Host: h",
      "X-Forwarded-For: 1.2.3.4, 127.0.0.1",
      "X-Forwarded-Host: h",
      "X-Forwarded-Proto: https",
      "X-Forwarded-Port: 443",
      "X-Request-Id: r-1",
      "Via: 1.1 evenkeel",
      "Forwarded: for=127.0.0.1;host=h;proto=https",
    ]);
  });
});

describe("an answer", () => {
  test("is never followed, rewritten or decoded", async () => {
    const headers = ["Location", "http://elsewhere.internal/x", "Content-Encoding", "gzip"];
    const bytes = [0x1f, 0x8b, 0, 1, 2, 3];
    const upstream = scriptedUpstream("a", (request) => request.respond(302, headers, Buffer.from(bytes)));
    const lab = startLab({ upstreams: [upstream.url] });
    const answer = await lab.fetch();
    expect([answer.status, answer.headers["location"]]).toEqual([302, "http://elsewhere.internal/x"]);
    expect(answer.headers["content-encoding"]).toBe("gzip");
    expect([...answer.body]).toEqual(bytes);
    expect(upstream.received).toHaveLength(1);
  });
});

describe("trailers", () => {
  const late = ["X-NAMED", "X-Second", "Set-Cookie", "Connection", "HTTP2-Settings", "Content-Length"];
  const trailers = ["X-Sum", "1", "x-sum", "\xe4", ...late.flatMap((name) => [name, "2"])];

  async function relayed(headers: Readonly<Record<string, string>>) {
    const upstream = scriptedUpstream("a", (request) => {
      request.begin(200, ["Connection", "X-Named", "Connection", "close, x-Second"]);
      request.write("ok");
      request.end([...trailers, "Transfer-Encoding", "chunked"]);
    });
    const received = await startLab({ upstreams: [upstream.url] })
      .begin("/", { headers })
      .ended();
    expect([received.complete, received.body.toString()]).toEqual([true, "ok"]);
    return received.trailers;
  }

  test("of an answer pass to a client that asked for them, but for those that are for the hop or come too late", async () => {
    const passed = await relayed({ TE: "trailers", Connection: "TE, close" });
    expect(passed).toEqual(["X-Sum", "1", "x-sum", "\xe4"]);
  });

  test("of an answer are dropped for a client that did not ask", async () => {
    expect(await relayed({ Connection: "close" })).toEqual([]);
  });
});

describe("the proxy's own answers", () => {
  test.each([
    [undefined, "text/plain; charset=utf-8"],
    ["*/*", "text/plain; charset=utf-8"],
    ["application/json", "application/json"],
    ["application/problem+json;q=0.9, */*;q=0.1", "application/json"],
    ["text/html, application/json", "text/plain; charset=utf-8"],
    ["application/json, text/html", "application/json"],
  ])("to Accept: %s are %s", async (accept, type) => {
    const lab = startLab({ pools: { none: {} } });
    const { headers, text, body } = await lab.fetch("/", { headers: accept === undefined ? {} : { Accept: accept } });
    expect(headers["content-type"]).toBe(type);
    expect(headers["content-length"]).toBe(`${body.length}`);
    expect(headers["cache-control"]).toBe("no-store");
    if (type === "application/json") {
      expect(JSON.parse(text)).toEqual({
        error: { code: "none_available", message: "Service Unavailable", requestId: headers["x-request-id"] },
      });
    } else {
      expect(text).toBe("503 Service Unavailable (none_available)\n");
    }
  });

  test.each<[string, ScriptedRequest, number]>([
    ["two Hosts", { rawHeaders: ["Host", "a", "Host", "b"] }, 400],
    ["a Host that is none", { rawHeaders: ["Host", "a b"] }, 400],
    ["another authority than the Host", { target: "http://evil/", rawHeaders: ["Host", "good"] }, 400],
    ["a fragment", { target: "/a#b" }, 400],
    ["TRACE", { method: "TRACE", headers: ["Cookie", "secret"] }, 405],
    ["a coding that is not chunked", { method: "POST", headers: ["Transfer-Encoding", "gzip, chunked"] }, 501],
    ["a coding on HTTP/1.0", { method: "POST", httpVersion: "1.0", rawHeaders: ["Transfer-Encoding", "chunked"] }, 400],
    ["too many headers", { headers: Array.from({ length: 200 }, () => ["X", "1"]).flat() }, 431],
  ])("to %s end the connection, and nobody else hears of it", async (_name, { target = "/", ...request }, status) => {
    const upstream = scriptedUpstream("a");
    const lab = startLab({ upstreams: [upstream.url] });
    const received = await lab.begin(target, request).ended();
    expect(received).toMatchObject({ status, complete: true, closed: true });
    expect(fieldsOf(received.headers, "connection")).toEqual(["close"]);
    expect(received.headers.join() + toResponse(received).text).not.toContain("secret");
    expect(upstream.received).toHaveLength(0);
    expect((await lab.finished(1))[0]).toMatchObject({ status, attempts: [] });
  });
});
