import { once } from "node:events";
import type { ServerResponse } from "node:http";
import { connect } from "node:net";
import path from "node:path";
import { connect as connectTls, type TLSSocket } from "node:tls";
import { expect, onTestFinished, test } from "vitest";
import { WebSocket, WebSocketServer } from "ws";
import { connectionBudget } from "../../../core/src/server/connection-budget.ts";
import { limits } from "../../../core/src/server/limits.ts";
import { serve, startCli, whenReady, writeFile } from "../support/cli.ts";
import { anyPort, nowhere, poolOf, withAdmin } from "../support/configs.ts";
import { RawClient, sendRequest, startUpstream } from "../support/http.ts";

const get = "GET /case HTTP/1.1\r\nHost: a\r\n\r\n";
const handshake = `GET /chat HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${"A".repeat(22)}==\r\n\r\n`;
const cert = path.join(import.meta.dirname, "../support/certs/localhost");
const tls = `[server.tls]\ncert = "${cert}.crt"\nkey = "${cert}.key"\n`;

function many<T>(count: number, open: () => Promise<T>): Promise<T[]> {
  return Promise.all(Array.from({ length: count }, open));
}

/** An upstream that responds with "hello" at once, or to /hold when it is released. */
async function startHolding() {
  const holding: ServerResponse[] = [];
  const upstream = await startUpstream((req, res) => {
    if (req.url === "/hold") holding.push(res);
    else res.end("hello");
  });
  return { url: upstream.url, holding };
}

const hold = "GET /hold HTTP/1.1\r\nHost: a\r\n\r\n";

test("F07 requests and handshakes over the limit get one error response each, and service recovers", async () => {
  const upstream = await startHolding();
  const { port, url, stdout } = await serve(`${anyPort}maxConnections = 2\n${poolOf(upstream.url)}`);
  const held = await many(2, () => RawClient.open(port, hold));
  await expect.poll(() => upstream.holding.length).toBe(2);
  for (const bytes of [get, handshake]) {
    const client = await RawClient.open(port, bytes + get);
    await client.closed;
    expect(client.received).toMatch(/^HTTP\/1\.1 503 [^]*\r\nProxy-Status: evenkeel; error=connection_limit_reached/);
    expect(client.received).toMatch(/\r\nRetry-After: 1\r\n/);
    expect(client.received).toMatch(/\r\nConnection: close\r\n/);
    expect(client.received.match(/HTTP\/1\.1/g)).toHaveLength(1);
  }
  // Connections within the limit are not affected.
  for (const res of upstream.holding) res.end("hello");
  held[0]?.socket.write(get);
  await held[0]?.until(/hello[^]*hello$/);
  for (const { socket, closed } of held) {
    socket.destroy();
    await closed;
  }
  await expect.poll(() => sendRequest(url).catch(() => ({ status: 0 }))).toMatchObject({ status: 200 });
  const refused = await stdout.manyRecords(2, ({ status, url: target }) => status === 503 && target !== "/");
  expect(refused.map(({ error, url: target, attempts }) => [error, target, attempts])).toEqual([
    ["connection_limit", "/case", []],
    ["connection_limit", "/chat", []],
  ]);
});

test("F07 connections over the limit that send no request are closed, and further ones are dropped", async () => {
  const upstream = await startHolding();
  const { port, stderr, stdout } = await serve(`${anyPort}maxConnections = 1\n${poolOf(upstream.url)}`);
  await RawClient.open(port, hold);
  await expect.poll(() => upstream.holding.length).toBe(1);
  const beyond = await many(260, () => RawClient.open(port));
  await Promise.all(beyond.map(({ closed }) => closed));
  expect(beyond.map(({ received }) => received).join("")).toBe("");
  await stderr.record(({ level, maxConnections }) => level === "warn" && maxConnections === 1);
  await stderr.record(({ level, msg = "" }) => level === "warn" && msg.startsWith("client connections were refused"));
  const refused = await RawClient.open(port, get);
  await refused.closed;
  expect(refused.received).toMatch(/^HTTP\/1\.1 503 /);
  await stdout.record(({ status }) => status === 503);
});

test("F07 idle connections are closed for new ones, unused ones first, and requests in flight stay", async () => {
  const upstream = await startHolding();
  const { port, url, stderr, admin } = await serve(`${anyPort}maxConnections = 4\n${withAdmin}${poolOf(upstream.url)}`);
  const busy = await RawClient.open(port, hold);
  const idle = await RawClient.open(port, get);
  await idle.until(/hello$/);
  const silent = await many(2, () => RawClient.open(port));
  await expect.poll(() => upstream.holding.length).toBe(1);
  // The connections are idle for long enough to be closed.
  await expect.poll(() => sendRequest(url).catch(() => ({ text: "" }))).toMatchObject({ text: "hello" });
  await Promise.race(silent.map(({ closed }) => closed));
  for (let count = 0; count < 10; count++) {
    await expect.poll(() => sendRequest(url).catch(() => ({ text: "" }))).toMatchObject({ text: "hello" });
  }
  expect(idle.socket.destroyed).toBe(false);
  upstream.holding[0]?.end("held");
  await busy.until(/held$/);
  await stderr.record(({ level, msg = "" }) => level === "warn" && msg.startsWith("idle connections were closed"));
  const { text } = await sendRequest(admin, { path: "/metrics" });
  expect(text).toMatch(/^evenkeel_listener_connections_limit 4$/m);
  expect(text).toMatch(/^evenkeel_listener_idle_connections_closed_total [1-9]/m);
});

test("F07 tunnels are not idle", async () => {
  const upstream = await startUpstream((_req, res) => res.end("hello"));
  new WebSocketServer({ server: upstream.server }).on("connection", (socket) =>
    socket.on("message", (data) => socket.send(data)),
  );
  const { port } = await serve(`${anyPort}maxConnections = 1\n${poolOf(upstream.url)}`);
  const tunnel = new WebSocket(`ws://127.0.0.1:${port}/chat`);
  onTestFinished(() => tunnel.terminate());
  await once(tunnel, "open");
  // Longer than the time for which an idle connection is not closed.
  const startedAt = performance.now();
  while (performance.now() - startedAt < 600) {
    const client = await RawClient.open(port, get);
    await client.closed;
    expect(client.received).toMatch(/^HTTP\/1\.1 503 /);
  }
  tunnel.send("still here");
  expect(String((await once(tunnel, "message"))[0])).toBe("still here");
});

test("F07 several listeners share the limit", async () => {
  const upstream = await startHolding();
  const listen = '[server]\nlisten = ["127.0.0.1:0", "localhost:0"]\nmaxConnections = 1\n';
  const { port, urls } = await serve(listen + poolOf(upstream.url));
  await RawClient.open(port, hold);
  await expect.poll(() => upstream.holding.length).toBe(1);
  expect(await sendRequest(String(urls[1]))).toMatchObject({ status: 503 });
});

test("idle clients do not starve requests where file descriptors are few", async () => {
  const upstream = await startUpstream((_req, res) => res.end("hello"));
  const config = writeFile("config.toml", anyPort + withAdmin + poolOf(upstream.url));
  const cli = await whenReady(startCli(["run", config], { descriptors: 256 }));
  const limit = connectionBudget(10_000, 256).served;
  const warning = await cli.stderr.record(({ descriptors }) => descriptors === 256);
  expect(warning).toMatchObject({ level: "warn", maxConnections: 10_000, limit });
  const asking: RawClient[] = [];
  for (let count = 0; count < 150; count++) {
    asking.push(await RawClient.open(cli.port, get));
    await RawClient.open(cli.port);
  }
  // From here on all of them are idle, or closed.
  await Promise.all(asking.map((client) => client.until(/hello$/).catch(() => client.closed)));
  const idleSince = performance.now();
  // Requests may be refused until connections have been idle for long enough to make room, and are searched for again.
  while (performance.now() - idleSince < limits.minIdleMs + limits.idleSearchMs)
    await sendRequest(cli.url).catch(() => {});
  for (let count = 0; count < 20; count++) {
    const responses = await Promise.all(
      Array.from({ length: 10 }, () =>
        sendRequest(cli.url).catch((error: NodeJS.ErrnoException) => ({ text: error.code })),
      ),
    );
    expect(responses.map(({ text }) => text)).toEqual(Array(10).fill("hello"));
  }
  expect(cli.stderr.text).not.toContain("could not be accepted");
  expect(await sendRequest(cli.admin, { path: "/readyz" })).toMatchObject({ status: 200 });
});

test("F07 over TLS and at the admin API as well", async () => {
  const { port, admin, stderr } = await serve(`${anyPort}maxConnections = 1\n${tls}${withAdmin}${poolOf(nowhere)}`);
  const open = async (bytes = ""): Promise<TLSSocket> => {
    const socket = connectTls({ port, host: "127.0.0.1", rejectUnauthorized: false }).on("error", () => {});
    onTestFinished(() => void socket.destroy());
    await once(socket, "secureConnect");
    socket.write(bytes);
    return socket;
  };
  const held = await open(get);
  expect(String((await once(held, "data"))[0])).toMatch(/^HTTP\/1\.1 502 /);
  expect(String((await once(await open(get), "data"))[0])).toMatch(/^HTTP\/1\.1 503 /);
  const adminPort = Number(new URL(admin).port);
  // These requests are in flight: their bodies are incomplete.
  const head =
    "POST /api/reload HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n";
  const operators = await many(100, () => RawClient.open(adminPort, head));
  for (const operator of operators) await operator.until(/^HTTP\/1\.1 100 /);
  const refused = () => RawClient.open(adminPort, "GET /api/pools HTTP/1.1\r\nHost: localhost\r\n\r\n");
  const excess = await refused();
  await excess.closed;
  expect(excess.received).toMatch(/^HTTP\/1\.1 503 [^]*\r\nRetry-After: 1\r\n/);
  expect(await stderr.record(({ maxConnections }) => maxConnections === 100)).toMatchObject({ connections: 1 });
  // Health endpoints respond at the limit too.
  for (const path of ["/healthz", "/readyz"]) {
    expect(await sendRequest(admin, { path })).toMatchObject({ status: 200, headers: { connection: "close" } });
  }
  for (const { socket } of operators) socket.destroy();
  await expect.poll(() => sendRequest(admin, { path: "/api/pools" })).toMatchObject({ status: 200 });
});

test.each([
  ["nothing", ""],
  ["an incomplete head", "GET /healthz HTTP/1.1\r\nHo"],
  ["a request without a token", "GET /api/pools HTTP/1.1\r\nHost: localhost\r\n\r\n"],
])("many admin connections that send %s keep no other client out", async (_what, bytes) => {
  const token = 'token = "a-token"\n';
  const { admin, stderr } = await serve(anyPort + withAdmin + token + poolOf(nowhere));
  const adminPort = Number(new URL(admin).port);
  const hold = () => many(90, () => RawClient.open(adminPort, bytes));
  const held = await hold();
  for (let round = 0; round < 3; round++) {
    held.push(...(await hold()));
    for (const path of ["/healthz", "/readyz", "/metrics"]) {
      const headers = { host: "evenkeel", authorization: "Bearer a-token" };
      expect(await sendRequest(admin, { path, headers })).toMatchObject({ status: 200 });
    }
  }
  expect(held.filter(({ socket }) => !socket.destroyed).length).toBeLessThanOrEqual(100);
  await stderr.record(({ level, maxConnections }) => level === "warn" && maxConnections === 100);
});

test("an admin connection in use stays open, and unused ones are closed first", async () => {
  const { admin } = await serve(anyPort + withAdmin + poolOf(nowhere));
  const adminPort = Number(new URL(admin).port);
  const scraper = await RawClient.open(adminPort, "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n");
  await scraper.until(/^HTTP\/1\.1 200 /);
  await many(200, () => RawClient.open(adminPort));
  scraper.socket.write("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
  await scraper.until(/"status":"ok"/);
});

test("F01 heads that arrive byte by byte are 408, on each of many connections", async () => {
  const upstream = await startUpstream((_req, res) => res.end("hello"));
  const timeouts = '[server.timeouts]\nrequestHeaders = "500ms"\n';
  const { port, url, stdout } = await serve(anyPort + timeouts + poolOf(upstream.url));
  const slow = await many(200, () => RawClient.open(port, "GET / HTTP/1.1\r\nHost: a\r\nX"));
  const drip = setInterval(() => {
    for (const { socket } of slow) if (socket.writable) socket.write("x");
  }, 50);
  onTestFinished(() => clearInterval(drip));
  expect((await sendRequest(url)).text).toBe("hello");
  await Promise.all(slow.map(({ closed }) => closed));
  for (const { received } of slow) expect(received).toMatch(/^HTTP\/1\.1 408 [^]*request_timeout/);
  const lines = await stdout.manyRecords(200, ({ status }) => status === 408);
  expect(lines).toHaveLength(200);
});

test("F04 two thousand silent connections are closed, and others are served meanwhile", async () => {
  const upstream = await startUpstream((_req, res) => res.end("hello"));
  const timeouts = '[server.timeouts]\nrequestHeaders = "2s"\n';
  const { port, url, stdout } = await serve(anyPort + timeouts + poolOf(upstream.url));
  const silent: RawClient[] = [];
  // A hundred at a time: a connection that overflows the system's backlog would wait for a minute.
  while (silent.length < 2_000) silent.push(...(await many(100, () => RawClient.open(port))));
  for (let count = 0; count < 20; count++) expect((await sendRequest(url)).text).toBe("hello");
  await Promise.all(silent.map(({ closed }) => closed));
  expect(silent.map(({ received }) => received).join("")).toBe("");
  expect((await sendRequest(url)).text).toBe("hello");
  // Connections without a request are not in the access log.
  expect(await stdout.manyRecords(21)).toHaveLength(21);
});

test("F09 without HTTP/2 it is not offered, and a preface is 505", async () => {
  const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
  const clear = await serve(anyPort + poolOf(nowhere));
  const client = await RawClient.open(clear.port, preface);
  await client.closed;
  expect(client.received).toMatch(/^HTTP\/1\.1 505 /);
  expect((await sendRequest(clear.url)).status).toBe(502);

  const { port, url, stdout } = await serve(`${anyPort}http2 = false\n${tls}${poolOf(nowhere)}`);
  const connectTo = (ALPNProtocols: string[]) =>
    connectTls({ port, host: "127.0.0.1", rejectUnauthorized: false, ALPNProtocols });
  const both = connectTo(["h2", "http/1.1"]);
  await once(both, "secureConnect");
  expect(both.alpnProtocol).toBe("http/1.1");
  both.write(preface, "latin1");
  expect(String((await once(both, "data"))[0])).toMatch(/^HTTP\/1\.1 505 /);
  both.destroy();
  await stdout.record(({ status }) => status === 505);
  // Where a client speaks nothing else there is no handshake (RFC 7301 section 3.2).
  const only = connectTo(["h2"]);
  await expect(once(only, "secureConnect")).rejects.toThrow();
  expect((await sendRequest(url)).status).toBe(502);
});

test("F10 odd server names, and bytes that are not TLS, do no harm", async () => {
  const { port, url, child } = await serve(anyPort + tls + poolOf(nowhere));
  for (const servername of ["", "a".repeat(255), "xn--\u00fc", "..", "a b", "__proto__", "*.example.com"]) {
    const socket = connectTls({ port, host: "127.0.0.1", rejectUnauthorized: false, servername }).on("error", () => {});
    await Promise.race([once(socket, "secureConnect"), once(socket, "close")]).catch(() => {});
    socket.destroy();
  }
  for (const bytes of [get, "\x16\x03\x01\xff\xff", "\x80\x2e\x01\x00\x02"]) {
    const client = await RawClient.open(port, bytes);
    client.socket.end();
    await client.closed;
    expect(client.received).not.toContain("HTTP/1.1 200");
  }
  expect((await sendRequest(url)).status).toBe(502);
  expect(child.exitCode).toBeNull();
});

test("F03 sendTimeout applies to complete responses that a client does not read", async () => {
  const upstream = await startUpstream((_req, res) => res.end("x".repeat(8_000)));
  const { port, stdout } = await serve(`sendTimeout = "300ms"\n${anyPort}${poolOf(upstream.url)}`);
  const client = connect(port, "127.0.0.1").pause();
  onTestFinished(() => void client.destroy());
  client.on("error", () => {}).write(get.repeat(2_000));
  await stdout.record(({ status }) => status === 499);
});
