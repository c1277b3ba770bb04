import http2 from "node:http2";
import https from "node:https";
import { type AddressInfo, Socket } from "node:net";
import { describe, expect, onTestFinished, test } from "vitest";
import type { HealthCheckOptions } from "../../src/config/options.ts";
import { resolveHealthCheck, resolvePool } from "../../src/config/resolve.ts";
import type { UpstreamAddress } from "../../src/config/resolved.ts";
import { probe } from "../../src/health/probe.ts";
import { resolveRuntime } from "../../src/runtime/runtime.ts";
import { Connector } from "../../src/transport/connector.ts";
import { cert, key } from "../support/certificates.ts";
import { refusingPort } from "../support/refusing-port.ts";
import { answering, response, run, serve } from "./raw-server.ts";

const ok = { ok: true, reason: "status 200" };

interface Http2Upstream {
  readonly port: number;
  readonly requests: http2.IncomingHttpHeaders[];
  readonly sessions: Set<http2.ServerHttp2Session>;
}

/** Starts an upstream that supports HTTP/2 only, over TLS or with prior knowledge. */
async function startHttp2(
  secure: boolean,
  answer: (stream: http2.ServerHttp2Stream) => void = (stream) =>
    stream.respond({ ":status": 200 }, { endStream: true }),
): Promise<Http2Upstream> {
  const requests: http2.IncomingHttpHeaders[] = [];
  const sessions = new Set<http2.ServerHttp2Session>();
  const server = secure ? http2.createSecureServer({ cert, key, allowHTTP1: false }) : http2.createServer();
  server.on("session", (session) => {
    sessions.add(session);
    session.on("close", () => sessions.delete(session)).on("error", () => {});
  });
  server.on("sessionError", () => {}).on("unknownProtocol", (socket) => socket.destroy());
  server.on("stream", (stream, headers) => {
    stream.on("error", () => {});
    requests.push(headers);
    answer(stream);
  });
  server.listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  onTestFinished(() => {
    for (const session of sessions) session.destroy();
    return new Promise((resolve) => void server.close(() => resolve()));
  });
  return { port: (server.address() as AddressInfo).port, requests, sessions };
}

describe.each([
  ["an https upstream with HTTP/2 only", true],
  ["an http upstream with HTTP/2 and prior knowledge", false],
] as const)("%s", (_, secure) => {
  const probeAt = (port: number, check: HealthCheckOptions = {}, signal?: AbortSignal) =>
    run(`${secure ? "https" : "http"}://127.0.0.1:${port}/app`, {
      check,
      connections: { http2: secure ? true : "h2c" },
      tlsOptions: { ca: cert },
      ...(signal !== undefined && { signal }),
    });

  test("is probed over an HTTP/2 connection that is closed afterwards", async () => {
    const { port, requests, sessions } = await startHttp2(secure);
    const check = { path: "/healthz?deep=1", headers: { "X-A": "b", "user-agent": "mine" } };
    expect(await probeAt(port, check)).toEqual(ok);
    expect(await probeAt(port, check)).toEqual(ok);
    expect(requests).toHaveLength(2);
    expect(requests[0]).toMatchObject({
      ":method": "GET",
      ":path": "/app/healthz?deep=1",
      ":authority": `127.0.0.1:${port}`,
      "user-agent": "mine",
      accept: "*/*",
      "x-a": "b",
    });
    await expect.poll(() => sessions.size).toBe(0);
  });

  test.each([
    ["a status that is not expected", 503, "", {}, { ok: false, reason: "status 503" }],
    ["a redirect", 302, "", {}, { ok: true, reason: "status 302" }],
    ["a body", 200, "all ready", { expectBody: "ready" }, ok],
    ["a pattern", 200, "all ready", { expectBody: "/ready$/" }, ok],
    ["another body", 200, "not yet", { expectBody: "ready" }, { ok: false, reason: "body_mismatch" }],
  ])("%s", async (_name, status, body, check, result) => {
    const { port } = await startHttp2(secure, (stream) => {
      stream.respond({ ":status": status, location: "/elsewhere" });
      stream.end(body);
    });
    expect(await probeAt(port, check)).toEqual(result);
  });

  test("an endless body is read to 64 KiB", async () => {
    const { port, sessions } = await startHttp2(secure, (stream) => {
      stream.respond({ ":status": 200 });
      const write = () => {
        while (!stream.destroyed && stream.write("x".repeat(16_384)));
      };
      stream.on("drain", write);
      write();
    });
    expect(await probeAt(port, { expectBody: "ready" })).toEqual({ ok: false, reason: "body_mismatch" });
    await expect.poll(() => sessions.size).toBe(0);
  });

  test("a probe without a response ends with its timeout", async () => {
    const abort = new AbortController();
    const { port, sessions } = await startHttp2(secure, () => abort.abort());
    expect(await probeAt(port, {}, abort.signal)).toEqual({ ok: false, reason: "timeout", reached: true });
    await expect.poll(() => sessions.size).toBe(0);
  });

  test("a reset is a failure", async () => {
    const { port } = await startHttp2(secure, (stream) => stream.close(http2.constants.NGHTTP2_INTERNAL_ERROR));
    expect(await probeAt(port)).toMatchObject({ ok: false, reason: "reset" });
  });

  test("a port without a listener is connect_refused", async () => {
    expect(await probeAt(await refusingPort())).toEqual({ ok: false, reason: "connect_refused" });
  });

  test("a signal aborted before the start opens no connection", async () => {
    const { port, sessions } = await startHttp2(secure);
    expect(await probeAt(port, {}, AbortSignal.abort())).toEqual({ ok: false, reason: "timeout" });
    expect(sessions.size).toBe(0);
  });
});

test("an https upstream of an HTTP/2 pool that negotiates HTTP/1.1 is probed over HTTP/1.1", async () => {
  const server = https.createServer({ cert, key }, (req, res) => res.end(req.httpVersion));
  server.listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const options = { connections: { http2: true }, tlsOptions: { ca: cert } };
  expect(await run(url, { ...options, check: { expectBody: "1.1" } })).toEqual(ok);
});

test("the certificate of an HTTP/2 upstream is verified as for requests", async () => {
  const { port, requests } = await startHttp2(true);
  const result = await run(`https://127.0.0.1:${port}`, { connections: { http2: true } });
  expect(result).toEqual({
    ok: false,
    reason: "tls_failed",
    cause: expect.stringMatching(/\(DEPTH_ZERO_SELF_SIGNED_CERT\)$/),
  });
  expect(requests).toHaveLength(0);
});

describe("the scheme of the health check", () => {
  const respond = answering((socket) => socket.end(response("200 OK")));

  test.each([false, true] as const)(
    "http: a management port of an https app, over HTTP/1.1 (http2 = %s)",
    async (http2) => {
      const server = await serve(respond);
      const check = { scheme: "http", port: server.port } as const;
      const result = await run(`https://127.0.0.1:${await refusingPort()}`, { check, connections: { http2 } });
      expect(result).toEqual(ok);
    },
  );

  test("http: an HTTP/1.1 management port of an app with HTTP/2 and prior knowledge", async () => {
    const server = await serve(respond);
    const check = { scheme: "http", port: server.port } as const;
    const result = await run(`http://127.0.0.1:${await refusingPort()}`, { check, connections: { http2: "h2c" } });
    expect(result).toEqual(ok);
  });

  test("https: a management port of an http app, verified with the pool's tls", async () => {
    const server = await serve(respond, { tlsOptions: { cert, key } });
    const url = `http://127.0.0.1:${await refusingPort()}`;
    const check = { scheme: "https", port: server.port } as const;
    expect(await run(url, { check, tlsOptions: { ca: cert } })).toEqual(ok);
    expect(await run(url, { check })).toMatchObject({ ok: false, reason: "tls_failed" });
  });

  test("applies to a check of type tcp", async () => {
    const plain = await serve(() => {});
    const url = `https://127.0.0.1:${plain.port}`;
    expect(await run(url, { check: { type: "tcp", scheme: "http" } })).toEqual({ ok: true, reason: "connected" });
  });
});

/** A connector of a process without free file descriptors. */
class StarvedConnector extends Connector {
  override open(): Socket {
    const socket = new Socket();
    const error = Object.assign(new Error("connect EMFILE 127.0.0.1:1"), { code: "EMFILE", syscall: "connect" });
    setImmediate(() => socket.destroy(error));
    return socket;
  }
}

test.each([
  ["http://127.0.0.1:1", {}],
  ["http://127.0.0.1:1", { http2: "h2c" }],
  ["https://127.0.0.1:1", { http2: true }],
  ["https://127.0.0.1:1", {}],
] as const)("a probe without a free file descriptor does not count: %s, %j", async (url, connections) => {
  const [upstream] = resolvePool({ upstreams: [url], connections }).upstreams;
  const pool = resolvePool({ upstreams: [url], connections });
  const result = await probe(upstream?.address as UpstreamAddress, resolveHealthCheck({}), pool.tls, {
    signal: AbortSignal.timeout(5_000),
    connector: new StarvedConnector(),
    connections: pool.connections,
    runtime: resolveRuntime(),
  });
  expect(result).toEqual({ ok: false, reason: "no_file_descriptors" });
});
