import type * as net from "node:net";
import { describe, expect, test } from "vitest";
import type { HealthCheckOptions } from "../../src/config/options.ts";
import { refusingPort } from "../support/refusing-port.ts";
import { answering, flood, run, runAgainst, serve } from "./raw-server.ts";

describe("malformed responses", () => {
  test.each<[string, string | Buffer, string]>([
    ["garbage", Buffer.from([0, 255, 1, 2, 254, 10, 13, 10]), "invalid_response"],
    ["another protocol", "SSH-2.0-OpenSSH_9.6\r\n", "invalid_response"],
    ["an invalid header", "HTTP/1.1 200 OK\r\nA\0: b\r\n\r\n", "invalid_response"],
    ["a head that is too large", `HTTP/1.1 200 OK\r\nA: ${"x".repeat(20_000)}\r\n\r\n`, "response_headers_too_large"],
    ["half a head", "HTTP/1.1 200 OK\r\nA: b\r\n", "reset"],
    ["nothing", "", "reset"],
  ])("%s", async (_name, bytes, reason) => {
    expect(await runAgainst(bytes)).toEqual({ ok: false, reason });
  });

  test("a response to CONNECT", async () => {
    const result = await runAgainst("HTTP/1.1 200 Connection established\r\n\r\n", { method: "CONNECT" });
    expect(result).toEqual({ ok: false, reason: "reset" });
  });

  test("bytes before the request", async () => {
    const server = await serve((socket) => socket.write("220 mail.example.com ESMTP\r\n"));
    const result = await run(`http://127.0.0.1:${server.port}`);
    expect(result).toEqual({ ok: false, reason: "invalid_response" });
  });

  test("a head without an end is cut at its limit", async () => {
    const server = await serve(
      answering((socket) => {
        socket.write("HTTP/1.1 200 OK\r\n");
        flood(socket, `A: ${"x".repeat(1_000)}\r\n`);
      }),
    );
    const result = await run(`http://127.0.0.1:${server.port}`);
    expect(result).toEqual({ ok: false, reason: "response_headers_too_large" });
    await server.closed();
  });

  test("a broken chunk in the body", async () => {
    const broken = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n";
    expect(await runAgainst(broken, { expectBody: "ready" })).toEqual({ ok: false, reason: "invalid_response" });
  });

  test("a reset instead of a response", async () => {
    const server = await serve(answering((socket) => socket.resetAndDestroy()));
    expect(await run(`http://127.0.0.1:${server.port}`)).toEqual({ ok: false, reason: "reset" });
  });
});

describe("no connection", () => {
  test("refused", async () => {
    const url = `http://127.0.0.1:${await refusingPort()}`;
    expect(await run(url)).toEqual({ ok: false, reason: "connect_refused" });
    expect(await run(url, { check: { type: "tcp" } })).toEqual({ ok: false, reason: "connect_refused" });
  });
});

describe("an abort ends the probe at once, at any stage, and leaves no connection", () => {
  /** Expects a timeout when the server calls `abort`. Without TLS the connection stands by then. */
  async function abortedWhen(
    start: (socket: net.Socket, abort: () => void) => void,
    { secure = false, ...check }: HealthCheckOptions & { secure?: boolean } = {},
  ): Promise<void> {
    const controller = new AbortController();
    const server = await serve((socket) => start(socket, () => controller.abort()));
    const url = `${secure ? "https" : "http"}://127.0.0.1:${server.port}`;
    const reached = secure ? {} : { reached: true };
    expect(await run(url, { check, signal: controller.signal })).toEqual({ ok: false, reason: "timeout", ...reached });
    expect(await server.closed()).toBe(1);
  }

  test("a server that accepts and never responds", () => abortedWhen((socket, abort) => answering(abort)(socket)));

  test("a TLS handshake without a response", () =>
    abortedWhen((socket, abort) => socket.once("data", abort), { secure: true }));

  test("a TLS handshake without a response, tcp", () =>
    abortedWhen((socket, abort) => socket.once("data", abort), { secure: true, type: "tcp" }));

  test("within a response head", () =>
    abortedWhen((socket, abort) => {
      answering(() => {
        socket.write("HTTP/1.1 200 OK\r\nX-");
        socket.write("A", () => setImmediate(abort));
      })(socket);
    }));

  test("within a response body", () =>
    abortedWhen(
      (socket, abort) => {
        answering(() => {
          socket.write("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n");
          socket.write("r", () => setImmediate(abort));
        })(socket);
      },
      { expectBody: "ready" },
    ));

  test("before the start", async () => {
    const result = await run(`http://127.0.0.1:${await refusingPort()}`, { signal: AbortSignal.abort() });
    expect(result).toEqual({ ok: false, reason: "timeout" });
  });
});

test("a header that Node rejects is a failure, not an exception", async () => {
  const server = await serve(() => {});
  const result = await run(`http://127.0.0.1:${server.port}`, { check: { headers: { Trailer: "X-A" } } });
  expect(result).toEqual({ ok: false, reason: "internal" });
  await server.closed();
});
