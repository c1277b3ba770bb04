import { createServer as createSecureServer } from "node:https";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { describe, expect, onTestFinished, test } from "vitest";
import type { TlsOptions } from "../../src/config/options.ts";
import { cert, expired, key } from "../support/certificates.ts";
import { fetchFrom, rawClient, underLoad } from "../support/client.ts";
import { until } from "../support/event-loop.ts";
import { startProxy } from "../support/start-proxy.ts";
import { startRawUpstream } from "../support/start-upstream.ts";

/** Says something again and again, until the connection is gone. */
function drip(socket: Socket, text: string): void {
  const timer = setInterval(() => socket.write(text), 5);
  socket.on("close", () => clearInterval(timer));
  socket.on("end", () => socket.end());
}

test("D13 a head that drips for ever is 504 when its time is over, and is given up", async () => {
  const upstream = await startRawUpstream((socket) => {
    socket.write("HTTP/1.1 200 OK\r\n");
    drip(socket, "X: 1\r\n");
  });
  const { url, finished } = await startProxy({ upstreams: [upstream.url], timeouts: { headers: "150ms" } });
  const before = performance.now();
  expect((await fetchFrom(url)).status).toBe(504);
  expect(performance.now() - before).toBeGreaterThan(100);
  expect((await finished(1))[0]).toMatchObject({ error: "headers_timeout" });
  await until(() => upstream.sockets.size === 0);
});

test("D19 an event stream ends with its client", async () => {
  const upstream = await startRawUpstream((socket) => {
    socket.write("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n");
    drip(socket, "data: tick\n\n");
  });
  const { port, finished } = await startProxy({ upstreams: [upstream.url] });
  const client = await rawClient(port, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
  await client.until(/tick[^]*tick/);
  const before = performance.now();
  client.socket.destroy();
  await until(() => upstream.sockets.size === 0);
  expect(performance.now() - before).toBeLessThan(1_000);
  expect((await finished(1))[0]).toMatchObject({ status: 499, error: "client_aborted" });
});

describe("D22 an upstream over TLS is not believed", () => {
  async function listening(server: Server): Promise<string> {
    await new Promise<void>((resolve) => {
      server.listen(0, "127.0.0.1", resolve);
    });
    onTestFinished(() => void server.close());
    return `https://localhost:${(server.address() as AddressInfo).port}`;
  }

  function secure(certificate: string): Promise<string> {
    const server = createSecureServer({ cert: certificate, key }, (_req, res) => void res.end("secret"));
    return listening(server);
  }

  test.each<[string, string, TlsOptions]>([
    ["that vouches for itself", cert, {}],
    ["whose certificate has expired", expired, { ca: expired }],
    ["that has another's name", cert, { ca: cert, servername: "elsewhere.example" }],
  ])("%s", async (_what, certificate, tls) => {
    const { url, finished } = await startProxy({ upstreams: [await secure(certificate)], tls });
    expect(await fetchFrom(url)).toMatchObject({ status: 502, text: expect.not.stringContaining("secret") });
    expect((await finished(1))[0]).toMatchObject({ error: "tls_failed" });
  });

  test("that answers in plain text before the handshake", async () => {
    // CVE-2026-1642: what was said before the handshake must not count as the answer.
    const server = createServer((socket) => {
      socket.on("error", () => {});
      socket.end("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil");
    });
    const { url, finished } = await startProxy({
      upstreams: [await listening(server)],
      tls: { verify: false },
    });
    expect(await fetchFrom(url)).toMatchObject({ status: 502, text: expect.not.stringContaining("evil") });
    expect((await finished(1))[0]).toMatchObject({ error: "tls_failed" });
  });
});

test("F08 a storm of failures is not multiplied: attempts stay within the budget", async () => {
  const upstreams = await Promise.all([0, 1, 2].map(() => startRawUpstream((socket) => socket.resetAndDestroy())));
  const { url, finished } = await startProxy({
    upstreams: upstreams.map((upstream) => upstream.url),
    retry: { attempts: 2, budget: 0.2, minRetriesPerSecond: 0 },
  });
  const statuses = await underLoad(500, 50, async () => (await fetchFrom(url)).status);
  expect(new Set(statuses)).toEqual(new Set([502]));
  expect(await finished(500)).toHaveLength(500);
  const attempts = upstreams.reduce((sum, { heads }) => sum + heads.length, 0);
  expect(attempts).toBeGreaterThan(500);
  expect(attempts).toBeLessThanOrEqual(600);
});
