import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { limits } from "../../src/config/defaults.ts";
import type { ProbeResult } from "../../src/health/probe.ts";
import { refusingPort } from "../support/refusing-port.ts";
import { answering, flood, response, run, runAgainst, serve } from "./raw-server.ts";

describe("the request", () => {
  test("uses a new connection, our User-Agent and the upstream's Host", async () => {
    let head = "";
    const server = await serve(
      answering((socket, received) => {
        head = received;
        socket.write(response("200 OK"));
      }),
    );
    const result = await run(`http://127.0.0.1:${server.port}`);
    expect(result).toEqual({ ok: true, reason: "status 200" });
    // The server leaves its side open, so the probe closes the connection.
    expect(await server.closed()).toBe(1);
    expect(head.split("\r\n")).toEqual([
      "GET / HTTP/1.1",
      `Host: 127.0.0.1:${server.port}`,
      "User-Agent: evenkeel-health",
      "Accept: */*",
      "Connection: close",
      "",
      "",
    ]);
  });

  test("uses the options: method, path after the upstream's, headers in place of ours, port", async () => {
    let head = "";
    const server = await serve(
      answering((socket, received) => {
        head = received;
        socket.end("HTTP/1.1 204 No Content\r\n\r\n");
      }),
    );
    const result = await run(`http://127.0.0.1:${await refusingPort()}/app`, {
      check: {
        method: "POST",
        path: "/healthz?deep=1",
        headers: { host: "api.internal", "X-A": "b" },
        port: server.port,
      },
    });
    expect(result).toEqual({ ok: true, reason: "status 204" });
    const lines = head.split("\r\n");
    expect(lines[0]).toBe("POST /app/healthz?deep=1 HTTP/1.1");
    expect(lines.filter((line) => /^host:/i.test(line))).toEqual(["host: api.internal"]);
    expect(lines).toContain("X-A: b");
    expect(lines).toContain("Content-Length: 0");
  });

  test("works over a Unix socket, for which `port` is ignored", async () => {
    const folder = await mkdtemp(join(tmpdir(), "evenkeel-"));
    onTestFinished(() => rm(folder, { recursive: true }));
    const path = join(folder, "app.sock");
    let head = "";
    await serve(
      answering((socket, received) => {
        head = received;
        socket.end(response("200 OK"));
      }),
      { path },
    );
    const result = await run(`http+unix://${path}`, { check: { port: 9 } });
    expect(result).toEqual({ ok: true, reason: "status 200" });
    expect(head).toContain("\r\nHost: localhost\r\n");
    expect(await run(`http+unix://${path}`, { check: { type: "tcp" } })).toEqual({ ok: true, reason: "connected" });
    expect(await run(`http+unix://${path}.gone`)).toEqual({
      ok: false,
      reason: "connect_failed",
      cause: `connect ENOENT ${path}.gone`,
    });
  });
});

describe("the status", () => {
  test.each<[string, readonly string[] | undefined, ProbeResult]>([
    ["200 OK", undefined, { ok: true, reason: "status 200" }],
    ["399 Odd", undefined, { ok: true, reason: "status 399" }],
    ["404 Not Found", undefined, { ok: false, reason: "status 404" }],
    ["500 Internal Server Error", undefined, { ok: false, reason: "status 500" }],
    ["200 OK", ["204", "300-302"], { ok: false, reason: "status 200" }],
    ["301 Moved Permanently", ["204", "300-302"], { ok: true, reason: "status 301" }],
    ["503 Service Unavailable", ["503"], { ok: true, reason: "status 503" }],
  ])("%s against %j", async (status, expectStatus, expected) => {
    expect(await runAgainst(response(status), expectStatus && { expectStatus })).toEqual(expected);
  });

  test("a redirect is a response and is not followed", async () => {
    let received = 0;
    const elsewhere = await serve(() => received++);
    const redirect = `HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:${elsewhere.port}/\r\nContent-Length: 0\r\n\r\n`;
    expect(await runAgainst(redirect)).toEqual({ ok: true, reason: "status 302" });
    expect(await runAgainst(redirect, { expectStatus: ["200"] })).toEqual({ ok: false, reason: "status 302" });
    expect(received).toBe(0);
  });

  test("informational responses before the final one are ignored, up to a limit", async () => {
    const early = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n";
    const last = response("200 OK");
    expect(await runAgainst(early.repeat(limits.informationalResponses) + last)).toMatchObject({ ok: true });
    expect(await runAgainst(early.repeat(limits.informationalResponses + 1) + last)).toEqual({
      ok: false,
      reason: "invalid_response",
    });
  });

  test("a protocol switch is a failure, also when its status is expected", async () => {
    const upgrade = "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n";
    expect(await runAgainst(upgrade, { expectStatus: ["100-399"] })).toEqual({ ok: false, reason: "status 101" });
  });
});

describe("the body", () => {
  test("is not read without expectBody", async () => {
    const server = await serve(
      answering((socket) => {
        socket.write("HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n");
        flood(socket, "x".repeat(16_384));
      }),
    );
    expect(await run(`http://127.0.0.1:${server.port}`)).toMatchObject({ ok: true });
    await server.closed();
  });

  test.each<[string, string, string, ProbeResult]>([
    ["a substring", "ready", "all ready now", { ok: true, reason: "status 200" }],
    ["a substring that is missing", "ready", "not yet", { ok: false, reason: "body_mismatch" }],
    ["no body at all", "ready", "", { ok: false, reason: "body_mismatch" }],
    ["a pattern", "/^ok\\b/", "ok, fine", { ok: true, reason: "status 200" }],
    ["a pattern that does not match", "/^ok\\b/", "not ok", { ok: false, reason: "body_mismatch" }],
  ])("%s", async (_name, expectBody, body, expected) => {
    expect(await runAgainst(response("200 OK", body), { expectBody })).toEqual(expected);
  });

  test("is searched within its first 64 KiB only", async () => {
    const limit = limits.probeBodyBytes;
    const within = response("200 OK", `${"x".repeat(limit - 5)}ready${"x".repeat(limit)}`);
    const across = response("200 OK", `${"x".repeat(limit - 4)}ready${"x".repeat(limit)}`);
    for (const expectBody of ["ready", "/ready/"]) {
      expect(await runAgainst(within, { expectBody })).toEqual({ ok: true, reason: "status 200" });
      expect(await runAgainst(across, { expectBody })).toEqual({ ok: false, reason: "body_mismatch" });
    }
  });

  test("without an end is read to 64 KiB, and the connection is closed", async () => {
    const server = await serve(
      answering((socket) => {
        socket.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        flood(socket, `4000\r\n${"x".repeat(16_384)}\r\n`);
      }),
    );
    for (const expectBody of ["ready", "/ready/"]) {
      const result = await run(`http://127.0.0.1:${server.port}`, { check: { expectBody } });
      expect(result).toEqual({ ok: false, reason: "body_mismatch" });
    }
    expect(await server.closed()).toBe(2);
  });

  test("is matched against a pattern once, however many chunks follow", async () => {
    const pieces = `10000\r\n${" ".repeat(limits.probeBodyBytes)}\r\n${"1\r\n \r\n".repeat(100)}0\r\n\r\n`;
    const startedAt = performance.now();
    const result = await runAgainst(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${pieces}`, {
      expectBody: String.raw`/\s*\s*\s*x/`,
    });
    expect(result).toEqual({ ok: false, reason: "body_mismatch" });
    expect(performance.now() - startedAt).toBeLessThan(4_000);
  });

  test("is read only up to the match", async () => {
    const server = await serve(
      answering((socket) => socket.write("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: ready\n\n")),
    );
    const result = await run(`http://127.0.0.1:${server.port}`, { check: { expectBody: "ready" } });
    expect(result).toMatchObject({ ok: true });
    await server.closed();
  });

  test("can end with the connection, but not before its Content-Length", async () => {
    const check = { expectBody: "/ready$/" };
    expect(await runAgainst("HTTP/1.0 200 OK\r\n\r\nready", check)).toMatchObject({ ok: true });
    const short = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nready";
    expect(await runAgainst(short, check)).toEqual({ ok: false, reason: "response_truncated" });
  });
});
