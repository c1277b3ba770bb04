import { once } from "node:events";
import path from "node:path";
import { connect as connectTls, type TLSSocket } from "node:tls";
import { expect, onTestFinished, test } from "vitest";
import { serve } from "./support/cli.ts";
import { anyPort, nowhere, poolOf, withAdmin } from "./support/configs.ts";
import { ask, RawClient, startUpstream } from "./support/http.ts";

const get = "GET /case HTTP/1.1\r\nHost: a\r\n\r\n";
const handshake = `GET /chat HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${"A".repeat(22)}==\r\n\r\n`;
const cert = path.join(import.meta.dirname, "support/certs/localhost");
const tls = `[server.tls]\ncert = "${cert}.crt"\nkey = "${cert}.key"\n`;

function many<T>(count: number, open: () => Promise<T>): Promise<T[]> {
  return Promise.all(Array.from({ length: count }, open));
}

test("F07 over the limit, requests and handshakes are told so, once each, and service recovers", async () => {
  const upstream = await startUpstream((_req, res) => res.end("hello"));
  const { port, url, stdout } = await serve(`${anyPort}maxConnections = 2\n${poolOf(upstream.url)}`);
  const held = await many(2, () => RawClient.open(port, get));
  for (const client of held) await client.until(/hello$/);
  for (const bytes of [get, handshake]) {
    const client = await RawClient.open(port, bytes + get);
    await client.closed;
    expect(client.received).toMatch(/^HTTP\/1\.1 503 [^]*\r\nProxy-Status: evenkeel; error=connection_limit_reached/);
    expect(client.received).toMatch(/\r\nRetry-After: 1\r\n/);
    expect(client.received).toMatch(/\r\nConnection: close\r\n/);
    expect(client.received.match(/HTTP\/1\.1/g)).toHaveLength(1);
  }
  // Those within the limit do not notice.
  held[0]?.socket.write(get);
  await held[0]?.until(/hello[^]*hello$/);
  for (const { socket, closed } of held) {
    socket.destroy();
    await closed;
  }
  await expect.poll(() => ask(url).catch(() => ({ status: 0 }))).toMatchObject({ status: 200 });
  const refused = await stdout.manyRecords(2, ({ status, url: target }) => status === 503 && target !== "/");
  expect(refused.map(({ error, url: target, attempts }) => [error, target, attempts])).toEqual([
    ["connection_limit", "/case", []],
    ["connection_limit", "/chat", []],
  ]);
});

test("F07 connections that are too many and do not ask make room, and those beyond them are dropped", async () => {
  const upstream = await startUpstream((_req, res) => res.end("hello"));
  const { port, stderr, stdout } = await serve(`${anyPort}maxConnections = 1\n${poolOf(upstream.url)}`);
  const held = await RawClient.open(port, get);
  await held.until(/hello$/);
  const beyond = await many(260, () => RawClient.open(port));
  await Promise.all(beyond.map(({ closed }) => closed));
  expect(beyond.map(({ received }) => received).join("")).toBe("");
  expect(await stderr.record(({ level }) => level === "warn")).toMatchObject({ maxConnections: 1 });
  const told = await RawClient.open(port, get);
  await told.closed;
  expect(told.received).toMatch(/^HTTP\/1\.1 503 /);
  await stdout.record(({ status }) => status === 503);
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
  // Requests in flight: their bodies are awaited.
  const head =
    "POST /api/reload HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n";
  const operators = await many(100, () => RawClient.open(adminPort, head));
  for (const operator of operators) await operator.until(/^HTTP\/1\.1 100 /);
  const refused = () => RawClient.open(adminPort, "GET /api/pools HTTP/1.1\r\nHost: localhost\r\n\r\n");
  const excess = await refused();
  await excess.closed;
  expect(excess.received).toMatch(/^HTTP\/1\.1 503 [^]*\r\nRetry-After: 1\r\n/);
  expect(await stderr.record(({ maxConnections }) => maxConnections === 100)).toMatchObject({ connections: 1 });
  // What orchestrators request is answered all the same.
  for (const path of ["/healthz", "/readyz"]) {
    expect(await ask(admin, { path })).toMatchObject({ status: 200, headers: { connection: "close" } });
  }
  for (const { socket } of operators) socket.destroy();
  await expect.poll(() => ask(admin, { path: "/api/pools" })).toMatchObject({ status: 200 });
});

test.each([
  ["nothing", ""],
  ["an incomplete head", "GET /healthz HTTP/1.1\r\nHo"],
  ["a request without a token", "GET /api/pools HTTP/1.1\r\nHost: localhost\r\n\r\n"],
])("admin connections that bring %s, and there are many, keep nothing out", async (_what, bytes) => {
  const token = 'token = "a-token"\n';
  const { admin, stderr } = await serve(anyPort + withAdmin + token + poolOf(nowhere));
  const adminPort = Number(new URL(admin).port);
  const hold = () => many(90, () => RawClient.open(adminPort, bytes));
  const held = await hold();
  for (let round = 0; round < 3; round++) {
    held.push(...(await hold()));
    for (const path of ["/healthz", "/readyz", "/metrics"]) {
      const headers = { host: "evenkeel", authorization: "Bearer a-token" };
      expect(await ask(admin, { path, headers })).toMatchObject({ status: 200 });
    }
  }
  expect(held.filter(({ socket }) => !socket.destroyed).length).toBeLessThanOrEqual(100);
  await stderr.record(({ level, maxConnections }) => level === "warn" && maxConnections === 100);
});

test("of the admin API's connections, one that is in use outlasts those that have brought nothing", async () => {
  const { admin } = await serve(anyPort + withAdmin + poolOf(nowhere));
  const adminPort = Number(new URL(admin).port);
  const scraper = await RawClient.open(adminPort, "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n");
  await scraper.until(/^HTTP\/1\.1 200 /);
  await many(200, () => RawClient.open(adminPort));
  scraper.socket.write("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
  await scraper.until(/"status":"ok"/);
});

test("F01 heads that come byte by byte are 408, on every one of many connections", async () => {
  const upstream = await startUpstream((_req, res) => res.end("hello"));
  const timeouts = '[server.timeouts]\nrequestHeaders = "500ms"\n';
  const { port, url, stdout } = await serve(anyPort + timeouts + poolOf(upstream.url));
  const slow = await many(200, () => RawClient.open(port, "GET / HTTP/1.1\r\nHost: a\r\nX"));
  const drip = setInterval(() => {
    for (const { socket } of slow) if (socket.writable) socket.write("x");
  }, 50);
  onTestFinished(() => clearInterval(drip));
  expect((await ask(url)).text).toBe("hello");
  await Promise.all(slow.map(({ closed }) => closed));
  for (const { received } of slow) expect(received).toMatch(/^HTTP\/1\.1 408 [^]*request_timeout/);
  const lines = await stdout.manyRecords(200, ({ status }) => status === 408);
  expect(lines).toHaveLength(200);
});

test("F04 two thousand connections that bring nothing are closed, and others are served meanwhile", async () => {
  const upstream = await startUpstream((_req, res) => res.end("hello"));
  const timeouts = '[server.timeouts]\nrequestHeaders = "2s"\n';
  const { port, url, stdout } = await serve(anyPort + timeouts + poolOf(upstream.url));
  const silent: RawClient[] = [];
  // A hundred at a time: what overflows the system's queue of connections to be accepted would wait there for a minute.
  while (silent.length < 2_000) silent.push(...(await many(100, () => RawClient.open(port))));
  for (let count = 0; count < 20; count++) expect((await ask(url)).text).toBe("hello");
  await Promise.all(silent.map(({ closed }) => closed));
  expect(silent.map(({ received }) => received).join("")).toBe("");
  expect((await ask(url)).text).toBe("hello");
  // They were nobody's requests.
  expect(await stdout.manyRecords(21)).toHaveLength(21);
});

test("F09 HTTP/2 is not offered, and a preface is 400", async () => {
  const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
  const clear = await serve(anyPort + poolOf(nowhere));
  const client = await RawClient.open(clear.port, preface);
  await client.closed;
  expect(client.received).toMatch(/^HTTP\/1\.1 400 /);
  expect((await ask(clear.url)).status).toBe(502);

  const { port, url, stdout } = await serve(anyPort + tls + poolOf(nowhere));
  const connectTo = (ALPNProtocols: string[]) =>
    connectTls({ port, host: "127.0.0.1", rejectUnauthorized: false, ALPNProtocols });
  const both = connectTo(["h2", "http/1.1"]);
  await once(both, "secureConnect");
  expect(both.alpnProtocol).toBe("http/1.1");
  both.write(preface, "latin1");
  expect(String((await once(both, "data"))[0])).toMatch(/^HTTP\/1\.1 400 /);
  both.destroy();
  await stdout.record(({ status }) => status === 400);
  // Where a client speaks nothing else there is no handshake (RFC 7301 section 3.2).
  const only = connectTo(["h2"]);
  await expect(once(only, "secureConnect")).rejects.toThrow();
  expect((await ask(url)).status).toBe(502);
});

test("F10 odd server names, and what is no TLS at all, do no harm", async () => {
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
  expect((await ask(url)).status).toBe(502);
  expect(child.exitCode).toBeNull();
});
