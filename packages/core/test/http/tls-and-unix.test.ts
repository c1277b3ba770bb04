import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer, request as httpRequest, type Server } from "node:http";
import { createServer as createSecureServer } from "node:https";
import { type AddressInfo, connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect as connectSecurely, type TLSSocket } from "node:tls";
import { describe, expect, onTestFinished, test } from "vitest";
import { WebSocketServer } from "ws";
import type { ProxyOptions, TlsOptions } from "../../src/config/options.ts";
import { answerOf, fetchFrom, rawOver, responseTo } from "../support/client.ts";
import { startProxy } from "../support/start-proxy.ts";
import { startRawUpstream, startUpstream } from "../support/start-upstream.ts";
import { connectSocket, echo, handshake, startEcho } from "../support/web-sockets.ts";

const certs = new URL("../support/certs/", import.meta.url);
const cert = await readFile(new URL("localhost.crt", certs), "utf8");
const key = await readFile(new URL("localhost.key", certs), "utf8");

async function listening<T extends Server>(server: T, ...where: [number, string] | [string]): Promise<T> {
  await new Promise<void>((resolve) => {
    server.listen(where[0] as number, where[1] as string, resolve);
  });
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return server;
}

/** The path of a socket that nobody listens on yet. */
async function socketPath(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "evenkeel-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return join(folder, "app.sock");
}

const half = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf";

describe("a proxy behind TLS", () => {
  async function secure(options: ProxyOptions) {
    const started = await startProxy(options);
    const server = createSecureServer({ cert, key }, started.proxy.handler).on("upgrade", started.proxy.upgrade);
    const { port } = (await listening(server, 0, "127.0.0.1")).address() as AddressInfo;
    const dial = () => connectSecurely({ port, host: "127.0.0.1", ca: cert, allowHalfOpen: true } as object);
    return { ...started, dial, secureUrl: `https://localhost:${port}` };
  }

  test("says https to its upstream", async () => {
    const upstream = await startUpstream("a");
    const { dial } = await secure({ upstreams: [upstream.url] });
    const client = await rawOver(dial(), "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    expect((await client.over()).text).toMatch(/^HTTP\/1\.1 200 OK/);
    expect(upstream.received[0]?.headers).toMatchObject({ "x-forwarded-proto": "https", "x-forwarded-port": "443" });
  });

  test("echoes a WebSocket", async () => {
    const upstream = await startEcho();
    const { secureUrl } = await secure({ upstreams: [upstream.url] });
    const socket = await connectSocket(secureUrl, [], { ca: cert });
    expect((await echo(socket, "safe")).data.toString()).toBe("safe");
    socket.close();
  });

  test("cuts an HTTP/1.0 client off when the upstream dies", async () => {
    const upstream = await startRawUpstream((socket) => void socket.write(half));
    const { dial, finished } = await secure({ upstreams: [upstream.url] });
    const client = await rawOver(dial(), "GET / HTTP/1.0\r\nHost: h\r\n\r\n");
    await client.until(/half/);
    for (const socket of upstream.sockets) socket.resetAndDestroy();
    expect((await client.over()).text).toMatch(/half$/);
    expect((await finished(1))[0]).toMatchObject({ error: "response_truncated", flags: ["truncated"] });
  });
});

describe("a proxy that listens on a unix socket", () => {
  async function local(options: ProxyOptions) {
    const started = await startProxy(options);
    const path = await socketPath();
    await listening(createServer(started.proxy.handler).on("upgrade", started.proxy.upgrade), path);
    return { ...started, path };
  }

  test("names no client", async () => {
    const upstream = await startUpstream("a");
    const { path, finished } = await local({ upstreams: [upstream.url], forwarded: true });
    const { status } = await answerOf(await responseTo(httpRequest({ socketPath: path, path: "/" }).end()));
    expect(status).toBe(200);
    expect(upstream.received[0]?.headers["x-forwarded-for"]).toBeUndefined();
    expect(upstream.received[0]?.headers["forwarded"]).toBe("for=unknown;host=localhost;proto=http");
    expect((await finished(1))[0]?.client).toBe("");
  });

  test("cuts an HTTP/1.0 client off when the upstream dies", async () => {
    const upstream = await startRawUpstream((socket) => void socket.write(half));
    const { path, finished } = await local({ upstreams: [upstream.url] });
    const client = await rawOver(connect({ path, allowHalfOpen: true }), "GET / HTTP/1.0\r\nHost: h\r\n\r\n");
    await client.until(/half/);
    for (const socket of upstream.sockets) socket.resetAndDestroy();
    expect((await client.over()).text).toMatch(/half$/);
    expect((await finished(1))[0]).toMatchObject({ error: "response_truncated", flags: ["truncated"] });
  });
});

describe("an upstream behind TLS", () => {
  async function secureUpstream() {
    const server = createSecureServer({ cert, key }, (req, res) => {
      res.end(`${(req.socket as TLSSocket).encrypted} ${req.headers["x-forwarded-proto"]}`);
    });
    const endpoint = new WebSocketServer({ server });
    endpoint.on("connection", (client) => client.on("message", (data) => client.send(data)));
    const { port } = (await listening(server, 0, "127.0.0.1")).address() as AddressInfo;
    return `https://localhost:${port}`;
  }

  test("is asked over TLS, for requests and for tunnels", async () => {
    const { url } = await startProxy({ upstreams: [await secureUpstream()], tls: { ca: cert } });
    expect((await fetchFrom(url)).text).toBe("true http");
    const socket = await connectSocket(url);
    expect((await echo(socket, "safe")).data.toString()).toBe("safe");
    socket.close();
  });

  test.each<[string, TlsOptions]>([
    ["that nobody vouches for", {}],
    ["that is another's", { ca: cert, servername: "elsewhere.example" }],
  ])("with a certificate %s is 502, and any other method may move on", async (_name, tls) => {
    const fine = await startUpstream("fine");
    const { url, port, finished } = await startProxy({ upstreams: [await secureUpstream()], tls });
    const { status, headers } = await fetchFrom(url, { method: "POST", body: "x" });
    expect([status, headers["proxy-status"]]).toEqual([
      502,
      'evenkeel; error=tls_protocol_error; details="tls_failed"',
    ]);
    const client = await rawOver(connect(port, "127.0.0.1"), handshake());
    expect((await client.over()).text).toMatch(/^HTTP\/1\.1 502 [^]*details="tls_failed"/);
    expect((await finished(2)).map(({ error }) => error)).toEqual(["tls_failed", "tls_failed"]);
    const both = await startProxy({ upstreams: [await secureUpstream(), { url: fine.url, backup: true }], tls });
    expect((await fetchFrom(both.url, { method: "POST", body: "x" })).text).toBe("fine");
  });

  test("that is none speaks another language: 502", async () => {
    const plain = await startUpstream("a");
    const { url } = await startProxy({ upstreams: [plain.url.replace("http:", "https:")], tls: { verify: false } });
    const { status, headers } = await fetchFrom(url);
    expect([status, headers["proxy-status"]]).toEqual([
      502,
      'evenkeel; error=tls_protocol_error; details="tls_failed"',
    ]);
  });
});

describe("an upstream on a unix socket", () => {
  test("is asked like any other, for requests and for tunnels", async () => {
    const path = await socketPath();
    const server = createServer((req, res) => void res.end(`${req.url} ${req.headers.host}`));
    new WebSocketServer({ server }).on("connection", (client) => client.on("message", (data) => client.send(data)));
    await listening(server, path);
    const { url } = await startProxy({ upstreams: [`http+unix://${path}`] });
    const { text } = await fetchFrom(`${url}/x?y`, { headers: { Host: "shop.example" } });
    expect(text).toBe("/x?y shop.example");
    const socket = await connectSocket(url);
    expect((await echo(socket, "near")).data.toString()).toBe("near");
    socket.close();
  });

  test("that is not there is 502", async () => {
    const { url, finished } = await startProxy({ upstreams: [`http+unix://${await socketPath()}`] });
    expect((await fetchFrom(url)).status).toBe(502);
    expect((await finished(1))[0]?.error).toBe("connect_failed");
  });
});
