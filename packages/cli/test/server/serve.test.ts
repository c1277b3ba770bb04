import { once } from "node:events";
import { existsSync } from "node:fs";
import { type AddressInfo, createServer, type Server } from "node:net";
import path from "node:path";
import { expect, test } from "vitest";
import { WebSocket, WebSocketServer } from "ws";
import { makeFolder, serve } from "../support/cli.ts";
import { anyPort, nowhere, poolOf, withAdmin } from "../support/configs.ts";
import { RawClient, sendRequest, startUpstream } from "../support/http.ts";

test("serves several addresses, a Unix socket among them, and an admin API", async () => {
  const upstream = await startUpstream((req, res) => res.end(req.url));
  const socketPath = path.join(makeFolder(), "evenkeel.sock");
  const listen = `[server]\nlisten = ["127.0.0.1:0", "unix:${socketPath}", "localhost:0"]\n`;
  const toml = listen + withAdmin + poolOf(upstream.url);
  const { urls, url, admin, kill, ended } = await serve(toml);
  expect(urls).toHaveLength(3);
  expect(urls[1]).toBe(`unix:${socketPath}`);
  expect((await sendRequest(url, { path: "/a" })).text).toBe("/a");
  expect((await sendRequest("http://localhost", { path: "/b", socketPath })).text).toBe("/b");
  expect((await sendRequest(String(urls[2]), { path: "/c" })).text).toBe("/c");
  expect((await sendRequest(admin, { path: "/readyz" })).status).toBe(200);
  expect((await sendRequest(admin, { path: "/metrics" })).text).toContain("evenkeel_requests_total");
  expect((await sendRequest(url, { path: "/metrics" })).text).toBe("/metrics");
  kill("SIGTERM");
  expect(await ended).toEqual({ code: 0, signal: null });
  expect(existsSync(socketPath)).toBe(false);
});

test.each([
  ["every address of both families", "0.0.0.0", "[::]"],
  ["every address of IPv6 and one of IPv4", "[::]", "127.0.0.1"],
  ["both loopback addresses", "127.0.0.1", "[::1]"],
])("listens on %s at one port", async (_what, first, second) => {
  const upstream = await startUpstream((_req, res) => res.end("hello"));
  const { server } = await startUpstream(() => {});
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  const { urls } = await serve(`[server]\nlisten = ["${first}:${port}", "${second}:${port}"]\n${poolOf(upstream.url)}`);
  expect(urls).toEqual([`http://${first}:${port}`, `http://${second}:${port}`]);
  for (const host of ["127.0.0.1", "[::1]"]) expect((await sendRequest(`http://${host}:${port}`)).text).toBe("hello");
});

test("[::] alone accepts IPv4 connections too", async () => {
  const upstream = await startUpstream((_req, res) => res.end("hello"));
  const { port } = await serve(`[server]\nlisten = "[::]:0"\n${poolOf(upstream.url)}`);
  for (const host of ["127.0.0.1", "[::1]"]) expect((await sendRequest(`http://${host}:${port}`)).text).toBe("hello");
});

test("a Unix socket that a crashed process has left is replaced, and one in use is not", async () => {
  const socketPath = path.join(makeFolder(), "evenkeel.sock");
  const toml = `[server]\nlisten = "unix:${socketPath}"\n${poolOf(nowhere)}`;
  const first = await serve(toml);
  await expect(serve(toml)).rejects.toThrow(socketPath);
  first.kill("SIGKILL");
  await first.ended;
  expect(existsSync(socketPath)).toBe(true);
  const { urls } = await serve(toml);
  expect(urls).toEqual([`unix:${socketPath}`]);
});

test("HTTPS with the certificate of the configuration", async () => {
  const upstream = await startUpstream((req, res) => res.end(req.headers["x-forwarded-proto"]));
  const cert = path.join(import.meta.dirname, "../support/certs/localhost");
  const { url, stdout } = await serve(
    `${anyPort}[server.tls]\ncert = "${cert}.crt"\nkey = "${cert}.key"\n${poolOf(upstream.url)}`,
  );
  expect(url).toMatch(/^https:/);
  expect((await sendRequest(url)).text).toBe("https");
  await stdout.record(({ status }) => status === 200);
});

test("a WebSocket echoes, and its one log line is written at its end", async () => {
  const upstream = await startUpstream((_req, res) => res.end());
  const echo = new WebSocketServer({ server: upstream.server });
  echo.on("connection", (socket) => socket.on("message", (data, isBinary) => socket.send(data, { binary: isBinary })));
  const { port, stdout } = await serve(anyPort + poolOf(upstream.url));
  const client = new WebSocket(`ws://127.0.0.1:${port}/chat`);
  await once(client, "open");
  client.send("hello");
  const [data] = (await once(client, "message")) as [Buffer];
  expect(data.toString()).toBe("hello");
  expect(stdout.text).toBe("");
  client.close();
  expect(await stdout.record(({ url }) => url === "/chat")).toMatchObject({ status: 101, upstream: "a" });
});

test("requests that node's parser rejects get an error response", async () => {
  const { port, stdout } = await serve(anyPort + poolOf(nowhere));
  const refusals = [
    ["GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n", 400],
    ["GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400],
    [`GET / HTTP/1.1\r\nHost: a\r\nX: ${"x".repeat(17_000)}\r\n\r\n`, 431],
    ["\x16\x03\x01\x02", 400],
  ] as const;
  for (const [bytes, status] of refusals) {
    const client = await RawClient.open(port, bytes);
    await client.closed;
    expect(client.received).toMatch(new RegExp(`^HTTP/1\\.1 ${status} [\\s\\S]*\\r\\nProxy-Status: evenkeel; error=`));
    expect(client.received).toContain("\r\nConnection: close\r\n");
  }
  const lines = await stdout.manyRecords(refusals.length);
  expect(lines.map(({ status, upstream }) => [status, upstream])).toEqual(
    refusals.map(([, status]) => [status, undefined]),
  );
});

test("malformed bytes behind a complete request do not affect its response, and get their own", async () => {
  const upstream = await startUpstream((_req, res) => void setTimeout(() => res.end("hello"), 50));
  const { port, stdout, kill, ended } = await serve(anyPort + poolOf(upstream.url));
  const client = await RawClient.open(port, "GET /whole HTTP/1.1\r\nHost: a\r\n\r\nrubbish\r\n\r\n");
  await client.closed;
  expect(client.received).toMatch(/^HTTP\/1\.1 200 [\s\S]*\r\n\r\nhelloHTTP\/1\.1 400 /);
  kill("SIGTERM");
  await ended;
  expect(stdout.records.map(({ status }) => status)).toEqual([200, 400]);
});

test("headers and bodies that do not arrive get a 408 response", async () => {
  const upstream = await startUpstream((req, res) => req.resume().on("end", () => res.end()));
  const timeouts = '[server.timeouts]\nrequestHeaders = "200ms"\nrequestBody = "200ms"\n';
  const { port, stdout, kill, ended } = await serve(anyPort + timeouts + poolOf(upstream.url));
  const clients = await Promise.all([
    RawClient.open(port, "GET / HTTP/1.1\r\nHost: a\r\nX-Slow"),
    RawClient.open(port, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nabc"),
    RawClient.open(port, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"),
  ]);
  const unused = await RawClient.open(port);
  await Promise.all([...clients, unused].map(({ closed }) => closed));
  for (const { received } of clients)
    expect(received).toMatch(/^HTTP\/1\.1 408 [\s\S]*\r\nProxy-Status: evenkeel; error=/);
  expect(unused.received).toBe("");
  kill("SIGTERM");
  await ended;
  expect(stdout.records.map(({ status }) => status)).toEqual([408, 408, 408]);
});

test("an upload that the upstream reads slowly is not a client timeout", async () => {
  const body = Buffer.alloc(8 * 1_048_576, "x");
  let read: () => void = () => {};
  const upstream = await startUpstream((req, res) => {
    let length = 0;
    req.on("data", (chunk: Buffer) => {
      length += chunk.length;
    });
    req.on("end", () => res.end(String(length))).pause();
    read = () => void req.resume();
    upstream.server.emit("waiting");
  });
  const timeouts = '[server.timeouts]\nrequestBody = "500ms"\n';
  const { url } = await serve(anyPort + timeouts + poolOf(upstream.url));
  const response = sendRequest(url, { method: "POST", body: body.toString() });
  await once(upstream.server, "waiting");
  // Longer than the limit and the check every second. There is no event to wait for.
  setTimeout(read, 2_000);
  expect((await response).text).toBe(String(body.length));
});

test("a malformed response of an upstream does not stop the proxy", async () => {
  const rubbish: Server = createServer((socket) => socket.on("error", () => {}).end("\x00\xff rubbish\r\n\r\n"));
  rubbish.listen(0, "127.0.0.1");
  await once(rubbish, "listening");
  const { port: upstreamPort } = rubbish.address() as { port: number };
  const { url, child } = await serve(anyPort + poolOf(`http://127.0.0.1:${upstreamPort}`));
  expect((await sendRequest(url)).status).toBe(502);
  expect((await sendRequest(url)).status).toBe(502);
  expect(child.exitCode).toBeNull();
  rubbish.close();
});

test("the proxy responds to expectations: one log line, and no 100 for a rejected request", async () => {
  const upstream = await startUpstream((req, res) => req.resume().on("end", () => res.end("taken")));
  const routes = '[[routes]]\npool = "app"\nmaxBodySize = "10b"\n';
  const { port, stdout } = await serve(anyPort + routes + poolOf(upstream.url));
  const head = (expectation: string, length: number) =>
    `POST / HTTP/1.1\r\nHost: a\r\nExpect: ${expectation}\r\nContent-Length: ${length}\r\n\r\n`;
  const strange = await RawClient.open(port, head("foo", 5));
  await strange.closed;
  expect(strange.received).toMatch(/^HTTP\/1\.1 417 /);
  const large = await RawClient.open(port, head("100-continue", 11));
  await large.closed;
  expect(large.received).toMatch(/^HTTP\/1\.1 413 /);
  const fine = await RawClient.open(port, head("100-continue", 5));
  await fine.until(/^HTTP\/1\.1 100 Continue\r\n\r\n/);
  fine.socket.write("hello");
  await fine.until(/taken/);
  const lines = await stdout.manyRecords(3);
  expect(lines.map(({ status }) => status)).toEqual([417, 413, 200]);
});
