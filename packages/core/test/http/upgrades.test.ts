import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { describe, expect, test } from "vitest";
import { fetchFrom, rawClient } from "../support/client.ts";
import { until } from "../support/event-loop.ts";
import { startProxy } from "../support/start-proxy.ts";
import { startRawUpstream, startUpstream } from "../support/start-upstream.ts";
import { connectSocket, echo, handshake, startEcho } from "../support/web-sockets.ts";

describe("what is no handshake", () => {
  test.each<[string, string]>([
    ["without a key", handshake().replace(/Sec-WebSocket-Key: .*\r\n/, "")],
    ["with a key that is none", handshake().replace(/Sec-WebSocket-Key: .*\r\n/, "Sec-WebSocket-Key: short\r\n")],
    ["of another version", handshake().replace("Version: 13", "Version: 8")],
    ["with a body", handshake("/", ["Content-Length: 5"]).concat("hello")],
    ["among other protocols", handshake().replace("Upgrade: websocket", "Upgrade: proto1, websocket, proto2")],
  ])("%s is 400 and ends the connection", async (_name, bytes) => {
    const upstream = await startEcho();
    const { port, finished } = await startProxy({ upstreams: [upstream.url] });
    const { text } = await (await rawClient(port, bytes)).over();
    expect(text).toMatch(/^HTTP\/1\.1 400 /);
    expect(upstream.received).toHaveLength(0);
    expect((await finished(1))[0]).toMatchObject({ status: 400, error: "bad_request", attempts: [] });
  });

  test("is an ordinary request without its Upgrade, and the connection goes on", async () => {
    const upstream = await startUpstream("a");
    const { port, finished } = await startProxy({ upstreams: [upstream.url] });
    const lines = "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__";
    const offer = `GET /x HTTP/1.1\r\nHost: h\r\n${lines}\r\n\r\n`;
    const { text } = await (
      await rawClient(port, `${offer}${offer}GET /y HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n`)
    ).over();
    expect(text.match(/HTTP\/1\.1 200 OK/g)).toHaveLength(3);
    const names = upstream.received.flatMap(({ rawHeaders }) => rawHeaders);
    expect(names.some((name) => /^(?:upgrade|http2-settings)$/i.test(name))).toBe(false);
    expect((await finished(3)).map(({ url, status }) => `${url} ${status}`)).toEqual(["/x 200", "/x 200", "/y 200"]);
  });

  test.each(["end", "reset"])("ends with its client, that leaves by a %s", async (how) => {
    const upstream = await startRawUpstream((socket) => void socket.on("end", () => socket.end()));
    const { port, finished } = await startProxy({ upstreams: [upstream.url] });
    const client = await rawClient(port, "GET /x HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n");
    await until(() => upstream.heads.length === 1);
    if (how === "end") client.socket.destroy();
    else client.socket.resetAndDestroy();
    expect((await finished(1))[0]).toMatchObject({ status: 499, error: "client_aborted" });
  });

  test.each(["end", "reset"])("ends with its client, that leaves by a %s in the middle of the body", async (how) => {
    const upstream = await startRawUpstream((socket) => void socket.on("end", () => socket.end()));
    const { port, finished } = await startProxy({ upstreams: [upstream.url] });
    const lines = "Connection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 10";
    const client = await rawClient(port, `POST /x HTTP/1.1\r\nHost: h\r\n${lines}\r\n\r\nhello`);
    await until(() => upstream.heads.length === 1);
    if (how === "end") client.socket.end();
    else client.socket.resetAndDestroy();
    expect((await finished(1))[0]).toMatchObject({ status: 499, error: "client_aborted" });
    await until(() => upstream.sockets.size === 0);
  });

  test("whose body stops coming is 408", async () => {
    const upstream = await startRawUpstream((socket) => void socket.on("end", () => socket.end()));
    const { port, finished } = await startProxy({ upstreams: [upstream.url], requestBodyTimeout: "60ms" });
    const lines = "Connection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 10";
    const client = await rawClient(port, `POST /x HTTP/1.1\r\nHost: h\r\n${lines}\r\n\r\nhello`);
    expect((await client.over()).text).toMatch(/^HTTP\/1\.1 408 /);
    expect((await finished(1))[0]).toMatchObject({ status: 408, error: "request_timeout" });
  });

  test("behind a request whose client leaves before the response ends with it", async () => {
    const upstream = await startRawUpstream(() => {});
    const { port, finished } = await startProxy({ upstreams: [upstream.url] });
    const client = await rawClient(port, `GET /slow HTTP/1.1\r\nHost: h\r\n\r\n${handshake("/ws")}`);
    await until(() => upstream.heads.length === 1);
    client.socket.end();
    await client.over();
    const statuses = (await finished(2)).map(({ url, status }) => `${url} ${status}`).sort();
    expect(statuses).toEqual(["/slow 499", "/ws 499"]);
    upstream.kill().catch(() => {});
    expect((await fetchFrom(`http://127.0.0.1:${port}`)).status).toBe(502);
  });
});

describe("a handshake that the client has pipelined", () => {
  test("becomes a tunnel once the earlier requests are answered, with what came behind it", async () => {
    const held: (() => void)[] = [];
    const upstream = await startEcho();
    const slow = await startUpstream("slow", (_req, res) => void held.push(() => res.end("slow")));
    const pools = { ws: { upstreams: [upstream.url] }, slow: { upstreams: [slow.url] } };
    const routes = [{ path: "/ws", pool: "ws" }, { pool: "slow" }];
    const { port, proxy, finished } = await startProxy({ pools, routes });
    const bytes = ["/1", "/2"].map((path) => `GET ${path} HTTP/1.1\r\nHost: h\r\n\r\n`).join("");
    const client = await rawClient(port, `${bytes}${handshake("/ws")}`);
    // A text frame of one byte, masked with zeros.
    client.socket.write(Buffer.from([0x81, 0x81, 0, 0, 0, 0, 0x78]));
    await until(() => held.length === 2);
    expect(upstream.received).toHaveLength(0);
    for (const answer of held) answer();
    await client.until(/\r\n\r\nslowHTTP\/1\.1 200 [^]*\r\n\r\nslowHTTP\/1\.1 101 [^]*\r\n\r\n..x$/);
    expect(proxy.snapshot().pools.find(({ name }) => name === "ws")?.tunnels).toBe(1);
    client.socket.end();
    expect((await finished(3)).map(({ url, status }) => `${url} ${status}`)).toEqual(["/1 200", "/2 200", "/ws 101"]);
  });

  test("is answered behind them when it is refused", async () => {
    const upstream = await startUpstream("a");
    const { port, finished } = await startProxy({ upstreams: [upstream.url] });
    const bad = handshake("/ws").replace("Version: 13", "Version: 8");
    const { text } = await (await rawClient(port, `GET /x HTTP/1.1\r\nHost: h\r\n\r\n${bad}`)).over();
    expect(text).toMatch(/^HTTP\/1\.1 200 OK[^]*HTTP\/1\.1 400 Bad Request/);
    expect((await finished(2)).map(({ url, status }) => `${url} ${status}`)).toEqual(["/x 200", "/ws 400"]);
  });

  test("is not answered when an earlier response ends the connection", async () => {
    const upstream = await startUpstream("a");
    const { port, finished } = await startProxy({ upstreams: [upstream.url] });
    const bad = "GET /x HTTP/1.1\r\nHost: h\r\nHost: i\r\n\r\n";
    const { text } = await (await rawClient(port, `${bad}${handshake("/ws")}`)).over();
    expect(text.match(/HTTP\/1\.1 /g)).toHaveLength(1);
    expect((await finished(1))[0]).toMatchObject({ url: "/x", status: 400 });
    expect(upstream.received).toHaveLength(0);
  });
});

describe("a handshake that no route matches", () => {
  const options = (url: string) => ({ pools: { a: { upstreams: [url] } }, routes: [{ path: "/api", pool: "a" }] });

  test("goes to next, once and untouched; one that a route matches does not", async () => {
    const upstream = await startEcho();
    const { proxy, server, port, requests } = await startProxy(options(upstream.url));
    server.removeAllListeners("upgrade");
    const told: string[] = [];
    server.on("upgrade", (req, socket, head) => {
      proxy.upgrade(req, socket, head, () => {
        told.push(`${req.url} ${head}`);
        socket.end("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nown");
      });
    });
    const client = await rawClient(port, `${handshake("/own")}early`);
    expect((await client.over()).text).toMatch(/\r\n\r\nown$/);
    expect((await echo(await connectSocket(`http://127.0.0.1:${port}/api`), "x")).data.toString()).toBe("x");
    expect(told).toEqual(["/own early"]);
    expect(requests).toHaveLength(0);
  });

  test("is left to the server's other listeners, before and behind it", async () => {
    const upstream = await startEcho();
    const { server, port, requests } = await startProxy(options(upstream.url));
    const own = (path: string) => (req: IncomingMessage, socket: Duplex) => {
      if (req.url === path) socket.end(`HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n${path}`);
    };
    server.on("upgrade", own("/behind")).prependListener("upgrade", own("/before"));
    for (const path of ["/before", "/behind"]) {
      const { text } = await (await rawClient(port, handshake(path))).over();
      expect(text).toMatch(new RegExp(`^HTTP/1\\.1 200 OK[^]*\r\n\r\n${path}$`));
    }
    expect(requests).toHaveLength(0);
  });

  test("is a request of the app when nothing else listens", async () => {
    const upstream = await startEcho();
    const { proxy, server, port, requests } = await startProxy(options(upstream.url));
    server.removeAllListeners("request");
    server.on("request", (req, res) => proxy.handler(req, res, () => res.end("own")));
    const { text } = await (await rawClient(port, handshake("/own"))).over();
    expect(text).toMatch(/^HTTP\/1\.1 200 OK[^]*\r\n\r\nown$/);
    expect(requests).toHaveLength(0);
  });

  test("of two proxies is taken by the one that has the route", async () => {
    const [a, b] = [await startEcho("a"), await startEcho("b")];
    const first = await startProxy(options(a.url));
    const second = await startProxy({ pools: { b: { upstreams: [b.url] } }, routes: [{ path: "/b", pool: "b" }] });
    first.server.on("upgrade", second.proxy.upgrade);
    await echo(await connectSocket(`${first.url}/b`), "x");
    await echo(await connectSocket(`${first.url}/api`), "x");
    expect([a.received.length, b.received.length]).toEqual([1, 1]);
    expect((await (await rawClient(first.port, handshake("/none"))).over()).text).toMatch(/^HTTP\/1\.1 404 /);
  });
});
