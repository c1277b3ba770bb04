import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createConnection, type Socket } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { performance } from "node:perf_hooks";
import { describe, expect, onTestFinished, test } from "vitest";
import { WebSocket, WebSocketServer } from "ws";
import type { ProxyOptions, Proxy as ReverseProxy } from "../../src/index.ts";
import { ask, askSeen, begin, patterned, sha256, startUpstream } from "./adapter-lab.ts";
import { refusingUrl } from "./refusing-port.ts";
import { refusal } from "./web-socket-refusal.ts";

/** A proxy under a path of an app. */
export interface Mount {
  readonly prefix: string;
  readonly options: ProxyOptions | { readonly config: string };
}

/** An app with its mounts, serving. */
export interface RunningApp {
  readonly port: number;
  /** In the order of the mounts. */
  readonly proxies: readonly ReverseProxy[];
  /** Stops listening and drains the proxies; tunnels get no more than a moment. Resolves when no connection is left. */
  close(): Promise<void>;
}

export interface Adapter {
  readonly name: string;
  readonly readsFiles: boolean;
  /** Starts an app that answers 404 with `the app's own` to whatever no proxy takes. Ends it with the test. */
  start(mounts: readonly Mount[]): Promise<RunningApp>;
}

/** How long a tunnel may go on after the app has been told to close. */
export const closeTimeout = "200ms";

/** What every way of mounting a proxy in an app owes its users. */
export function adapterContract({ name, readsFiles, start }: Adapter): void {
  const serve = (upstreams: readonly string[]) =>
    start([{ prefix: "/api", options: { upstreams, balance: "round-robin" } }]);

  describe(`${name}: requests`, () => {
    test("the mount path is taken off and told to the upstream", async () => {
      const { port } = await serve([(await startUpstream()).url]);
      const deep = await askSeen(port, { path: "/api/users/1" });
      expect(deep.url).toBe("/users/1");
      expect(deep.headers["x-forwarded-prefix"]).toBe("/api");
      expect((await askSeen(port, { path: "/api" })).url).toBe("/");
      expect((await askSeen(port, { path: "/api/" })).url).toBe("/");
      expect((await askSeen(port, { path: "/api?page=2" })).url).toBe("/?page=2");
    });

    test("no slash is put between prefixes and a query", async () => {
      const urls: (string | undefined)[] = [];
      const { url } = await startUpstream("strict", (req, res) => {
        urls.push(req.url);
        res.end();
      });
      const options = { pools: { api: { upstreams: [url] } }, routes: [{ pool: "api", addPrefix: "/v1" }] };
      const { port } = await start([{ prefix: "/api", options }]);
      for (const [path, seen] of [
        ["/api", "/v1"],
        ["/api?q=1", "/v1?q=1"],
        ["/api/", "/v1/"],
        ["/api/?q=1", "/v1/?q=1"],
        ["/api/users?q=/api", "/v1/users?q=/api"],
        ["/api/api", "/v1/api"],
      ] as const) {
        await ask(port, { path });
        await refusal(port, path);
        expect(urls.splice(0)).toEqual([seen, seen]);
      }
    });

    test("paths beside the mount are the app's", async () => {
      const { port } = await serve([(await startUpstream()).url]);
      for (const beside of ["/", "/apix", "/other/api"]) {
        const { status, body } = await ask(port, { path: beside });
        expect([status, body.toString()]).toEqual([404, "the app's own"]);
      }
    });

    test("what no route matches goes on to the app", async () => {
      const { url } = await startUpstream();
      const { port } = await start([
        {
          prefix: "/api",
          options: { pools: { api: { upstreams: [url] } }, routes: [{ path: "/users", pool: "api" }] },
        },
      ]);
      expect((await askSeen(port, { path: "/api/users/1" })).url).toBe("/users/1");
      const { status, body } = await ask(port, { path: "/api/orders/1", method: "POST", body: "some" });
      expect([status, body.toString()]).toEqual([404, "the app's own"]);
    });

    test("path and query go on byte for byte", async () => {
      const { port } = await serve([(await startUpstream()).url]);
      const target = "/a%2Fb//c/%E4%B8%AD;v=1?a=%20b+c&&d=~'(x)*!&e[]=1&a=2&=%zz";
      expect((await askSeen(port, { path: `/api${target}` })).url).toBe(target);
    });

    test.each(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"])(
      "%s goes through",
      async (method) => {
        const seen: string[] = [];
        const { url } = await startUpstream("a", (req, res) => {
          seen.push(`${req.method} ${req.url}`);
          res.writeHead(200).end();
        });
        const { port } = await serve([url]);
        expect((await ask(port, { method, path: "/api/x" })).status).toBe(200);
        expect(seen).toEqual([`${method} /x`]);
      },
    );

    test.each([
      { framing: "a length", chunked: false },
      { framing: "chunks", chunked: true },
    ])("5 MB with $framing arrive as they were sent", async ({ chunked }) => {
      const { port } = await serve([(await startUpstream()).url]);
      const body = patterned(5_000_000);
      const headers = { "content-type": "application/json" };
      const seen = await askSeen(port, { method: "POST", path: "/api/upload", body, chunked, headers });
      expect(seen).toMatchObject({ bytes: body.length, sha256: sha256(body) });
      expect(seen.headers["content-length"]).toBe(chunked ? undefined : `${body.length}`);
    });

    test("events name the target as it came", async () => {
      const { port, proxies } = await serve([(await startUpstream()).url]);
      const finished = new Promise((resolve) => proxies[0]?.once("request", resolve));
      await ask(port, { path: "/api/users?page=2" });
      expect(await finished).toMatchObject({ url: "/api/users?page=2", status: 200 });
    });
  });

  describe(`${name}: answers`, () => {
    test("5 MB come back as they were sent", async () => {
      const body = patterned(5_000_000);
      const { url } = await startUpstream("a", (_req, res) => res.end(body));
      const { port } = await serve([url]);
      expect(sha256((await ask(port, { path: "/api/download" })).body)).toBe(sha256(body));
    });

    test("repeated Set-Cookie headers stay apart", async () => {
      const cookies = ["a=1; Path=/", "b=2; Expires=Wed, 21 Oct 2026 07:28:00 GMT", "a=3"];
      const { url } = await startUpstream("a", (_req, res) => res.setHeader("Set-Cookie", cookies).end());
      const { port } = await serve([url]);
      expect((await ask(port, { path: "/api/" })).headers["set-cookie"]).toEqual(cookies);
    });

    test("events of a stream arrive one by one", async () => {
      const streams: ServerResponse[] = [];
      const { url } = await startUpstream("a", (_req, res) => {
        streams.push(res.writeHead(200, { "content-type": "text/event-stream" }));
        res.write("data: 1\n\n");
      });
      const { port } = await serve([url]);
      const req = begin(port, { path: "/api/events" }).end();
      const [res] = (await once(req, "response")) as [IncomingMessage];
      const events = (res as AsyncIterable<Buffer>)[Symbol.asyncIterator]();
      expect(String((await events.next()).value)).toBe("data: 1\n\n");
      streams[0]?.write("data: 2\n\n");
      expect(String((await events.next()).value)).toBe("data: 2\n\n");
      streams[0]?.end();
      expect((await events.next()).done).toBe(true);
    });

    test("no request fails while one of two upstreams is down", async () => {
      const { port } = await serve([await refusingUrl(), (await startUpstream("b")).url]);
      for (let round = 0; round < 10; round++) {
        expect((await askSeen(port, { path: "/api/" })).upstream).toBe("b");
        const posted = await askSeen(port, { path: "/api/", method: "POST", body: "some" });
        expect(posted).toMatchObject({ upstream: "b", sha256: sha256(Buffer.from("some")) });
      }
    });

    test("with every upstream down the answer is the proxy's own, at once", async () => {
      const { port } = await serve([await refusingUrl()]);
      const { status, headers } = await ask(port, { path: "/api/" });
      expect(status).toBe(502);
      expect(headers["proxy-status"]).toContain("connect_refused");
    });

    test("a client that leaves ends the upstream's request within 100 ms", async () => {
      const { server, url } = await startUpstream("a", () => {});
      const { port } = await serve([url]);
      const arrived = once(server, "request");
      const req = begin(port, { path: "/api/slow" }).end();
      req.on("error", () => {});
      const [upstreamReq] = (await arrived) as [IncomingMessage];
      const ended = once(upstreamReq.socket, "close");
      const left = performance.now();
      req.destroy();
      await ended;
      expect(performance.now() - left).toBeLessThan(100);
    });
  });

  describe(`${name}: tunnels`, () => {
    test("a WebSocket echoes text, binary and 64 KB, with no request before it", async () => {
      const upstream = await startEcho();
      const { port } = await serve([upstream.url]);
      const socket = await connect(port, "/api/chat?room=1", "two");
      expect(socket.protocol).toBe("two");
      expect(upstream.requests).toMatchObject([{ url: "/chat?room=1", headers: { "x-forwarded-prefix": "/api" } }]);
      const big = patterned(65_536);
      expect(await echo(socket, "hello")).toEqual([Buffer.from("hello"), false]);
      expect(await echo(socket, Buffer.from([0, 1, 255]))).toEqual([Buffer.from([0, 1, 255]), true]);
      expect(await echo(socket, big)).toEqual([big, true]);
      socket.close(1000, "done");
      const [code, reason] = (await once(socket, "close")) as [number, Buffer];
      expect([code, reason.toString()]).toEqual([1000, "done"]);
    });

    test("a WebSocket finds the upstream that is up", async () => {
      const { port } = await serve([await refusingUrl(), (await startEcho()).url]);
      expect(await echo(await connect(port, "/api/"), "hello")).toEqual([Buffer.from("hello"), false]);
    });

    test("an upgrade beside the mount, with nobody else to take it, is answered by the app", async () => {
      const { port } = await serve([(await startEcho()).url]);
      const [, res] = (await once(new WebSocket(`ws://127.0.0.1:${port}/other`), "unexpected-response")) as [
        unknown,
        IncomingMessage,
      ];
      expect(res.statusCode).toBe(404);
    });
  });

  describe(`${name}: life`, () => {
    test("closing lets a request finish, and then nobody listens", async () => {
      const streams: ServerResponse[] = [];
      const { url } = await startUpstream("a", (_req, res) => {
        streams.push(res);
        res.write("half, ");
      });
      const { port, close } = await serve([url]);
      const req = begin(port, { path: "/api/slow" }).end();
      const [res] = (await once(req, "response")) as [IncomingMessage];
      const closed = close();
      streams[0]?.end("whole");
      expect(String(Buffer.concat(await (res as AsyncIterable<Buffer> & IncomingMessage).toArray()))).toBe(
        "half, whole",
      );
      await closed;
      await expect(ask(port, { path: "/api/" })).rejects.toMatchObject({ code: "ECONNREFUSED" });
    });

    test("closing ends a tunnel that goes on and on", async () => {
      const { port, close } = await serve([(await startEcho()).url]);
      const socket = await connect(port, "/api/");
      const ended = once(socket, "close");
      await close();
      expect((await ended)[0]).toBe(1001);
    });

    test("closing ends a tunnel whose client does not listen", async () => {
      const { port, close } = await serve([(await startEcho()).url]);
      const socket = await shakeHands(port, "/api/");
      await close();
      expect(socket.writable).toBe(true);
    });

    test("12 mounts share a server without a warning", async () => {
      const warnings: Error[] = [];
      const note = (warning: Error) => warnings.push(warning);
      process.on("warning", note);
      onTestFinished(() => void process.off("warning", note));
      const { url } = await startEcho();
      const prefixes = Array.from({ length: 12 }, (_, index) => `/mount-${index}`);
      const { port } = await start(prefixes.map((prefix) => ({ prefix, options: { upstreams: [url] } })));
      for (const prefix of prefixes) {
        expect((await ask(port, { path: `${prefix}/x` })).body.toString()).toBe("/x");
        expect(await echo(await connect(port, `${prefix}/`), "hello")).toEqual([Buffer.from("hello"), false]);
      }
      expect(warnings).toEqual([]);
    });
  });

  if (!readsFiles) return;
  describe(`${name}: files`, () => {
    test("a TOML file says it all, and what is for the command line is left alone", async () => {
      const { url } = await startUpstream();
      const config = writeConfig(`
        [server]
        listen = "127.0.0.1:1"
        [admin]
        listen = "127.0.0.1:2"
        [[routes]]
        path = "/v1"
        stripPrefix = true
        pool = "api"
        [pools.api]
        balance = "round-robin"
        upstreams = ["${url}"]
      `);
      const { port, proxies } = await start([{ prefix: "/api", options: { config } }]);
      const seen = await askSeen(port, { path: "/api/v1/users" });
      expect(seen.url).toBe("/users");
      expect(seen.headers["x-forwarded-prefix"]).toBe("/api/v1");
      expect([...(proxies[0]?.pools.keys() ?? [])]).toEqual(["api"]);
    });

    test("a file with mistakes is refused with all of them", async () => {
      const config = writeConfig(`[pools.api]\nbalanse = "p2c"\nupstreams = ["ftp://127.0.0.1"]\n`);
      await expect(start([{ prefix: "/api", options: { config } }])).rejects.toMatchObject({
        code: "invalid_options",
        mistakes: [{ line: 2 }, { line: 3 }],
      });
    });
  });
}

/** A WebSocket upstream that sends everything back, and answers ordinary requests with their target. */
export async function startEcho(): Promise<{ readonly url: string; readonly requests: IncomingMessage[] }> {
  const { server, url } = await startUpstream("echo", (req, res) => res.end(req.url));
  const requests: IncomingMessage[] = [];
  const sockets = new WebSocketServer({ server, handleProtocols: (offered) => [...offered].at(-1) ?? false });
  sockets.on("connection", (socket, req) => {
    requests.push(req);
    socket.on("message", (data, isBinary) => socket.send(data, { binary: isBinary }));
  });
  onTestFinished(() => {
    for (const socket of sockets.clients) socket.terminate();
  });
  return { url, requests };
}

/** An open WebSocket, ended with the test. The upstream chooses the last protocol offered. */
export async function connect(port: number, target: string, ...protocols: string[]): Promise<WebSocket> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}${target}`, ["one", ...protocols]);
  onTestFinished(() => socket.terminate());
  await once(socket, "open");
  return socket;
}

/** A tunnel by hand, whose client never answers anything and never ends its side. */
async function shakeHands(port: number, target: string): Promise<Socket> {
  const socket = createConnection({ port, host: "127.0.0.1", allowHalfOpen: true });
  onTestFinished(() => void socket.destroy());
  socket.on("error", () => {});
  const lines = [`GET ${target} HTTP/1.1`, "Host: localhost", "Connection: Upgrade", "Upgrade: websocket"];
  socket.write([...lines, "Sec-WebSocket-Version: 13", `Sec-WebSocket-Key: ${"A".repeat(22)}==`, "", ""].join("\r\n"));
  const [head] = (await once(socket, "data")) as [Buffer];
  expect(head.toString()).toContain("101 Switching Protocols");
  return socket.resume();
}

/** Sends a message; resolves with the one that comes back, and whether it is binary. */
export async function echo(socket: WebSocket, message: string | Buffer): Promise<unknown> {
  const answered = once(socket, "message");
  socket.send(message);
  return answered;
}

function writeConfig(text: string): string {
  const folder = mkdtempSync(path.join(tmpdir(), "evenkeel-adapter-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const file = path.join(folder, "proxy.toml");
  writeFileSync(file, text);
  return file;
}
