import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createConnection, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { describe, expect, onTestFinished, test } from "vitest";
import { WebSocket, WebSocketServer } from "ws";
import { connect, echo, startEcho } from "../../core/test/support/adapter-contract.ts";
import { startUpstream } from "../../core/test/support/adapter-lab.ts";
import { until } from "../../core/test/support/event-loop.ts";
import { handshake, talk } from "../../core/test/support/talk.ts";
import evenkeel from "../src/index.ts";
import { closeTimeout, createApp, refusal, serve } from "./support/app.ts";

describe("upgrades", () => {
  test("hooks run first, and may reply instead", async () => {
    const { url, requests } = await startEcho();
    const app = createApp();
    app.addHook("preHandler", async (request, reply) => {
      await new Promise(setImmediate);
      if (request.headers["sec-websocket-protocol"] === undefined)
        await reply.code(401).send({ error: "who are you?" });
    });
    await app.register(evenkeel, { prefix: "/api", upstreams: [url], closeTimeout });
    const port = await serve(app);
    expect((await refusal(port, "/api/chat")).statusCode).toBe(401);
    expect(requests).toEqual([]);
    expect(await echo(await connect(port, "/api/chat"), "hello")).toEqual([Buffer.from("hello"), false]);
  });

  test("one that no route matches is a 404", async () => {
    const app = createApp();
    const { url } = await startEcho();
    await app.register(evenkeel, { pools: { api: { upstreams: [url] } }, routes: [{ path: "/chat", pool: "api" }] });
    const port = await serve(app);
    expect((await refusal(port, "/other")).statusCode).toBe(404);
  });

  test("one under a prefix goes to the plugin only, and others go to the other listeners", async () => {
    const app = createApp();
    const own = new WebSocketServer({ noServer: true });
    own.on("connection", (socket) => socket.send("mine"));
    const seen: (string | undefined)[] = [];
    const listener = (req: IncomingMessage, socket: Duplex, head: Buffer) => {
      seen.push(req.url);
      if (req.url === "/own") own.handleUpgrade(req, socket, head, (opened) => own.emit("connection", opened));
      else socket.destroy();
    };
    app.server.on("upgrade", listener);
    await app.register(evenkeel, { prefix: "/one", upstreams: [(await startEcho()).url], closeTimeout });
    await app.register(evenkeel, { prefix: "/two", upstreams: [(await startEcho()).url], closeTimeout });
    const port = await serve(app);
    expect(await echo(await connect(port, "/one/"), "hello")).toEqual([Buffer.from("hello"), false]);
    expect(await echo(await connect(port, "/two"), "hello")).toEqual([Buffer.from("hello"), false]);
    const socket = new WebSocket(`ws://127.0.0.1:${port}/own`);
    onTestFinished(() => socket.terminate());
    expect(String((await once(socket, "message"))[0])).toBe("mine");
    expect(seen).toEqual(["/own"]);
    expect(app.server.listenerCount("upgrade")).toBe(2);
  });

  test.each(["/api/*x", "/api/*", "/api/:(", "/api/:a([)", "/api/:a(x+x+)+y)", "/api/:id", "/api/a::b", "/*/y", "/:("])(
    "a path such as %s is never read as a route pattern",
    async (path) => {
      const { url, requests } = await startEcho();
      const app = createApp();
      app.get("/api/room/:id", () => "the app's own");
      await app.register(evenkeel, { prefix: "/api", upstreams: [url], closeTimeout });
      const port = await serve(app);
      if (path.startsWith("/api/")) {
        expect(await echo(await connect(port, path), "hello")).toEqual([Buffer.from("hello"), false]);
        expect(requests.map((request) => request.url)).toEqual([path.slice(4)]);
      } else {
        expect((await refusal(port, path)).statusCode).toBe(404);
      }
    },
  );

  test("a static route of the app's own below the prefix keeps its upgrades, a colon in its path included", async () => {
    const { url, requests } = await startEcho();
    const app = createApp();
    app.get("/api/a::b", () => "the app's own");
    const seen: (string | undefined)[] = [];
    app.server.on("upgrade", (req: IncomingMessage, socket: Duplex) => {
      seen.push(req.url);
      socket.destroy();
    });
    await app.register(evenkeel, { prefix: "/api", upstreams: [url], closeTimeout });
    const port = await serve(app);
    expect(await talk(port, `GET /api/a:b HTTP/1.1\r\n${handshake}`)).toBe("");
    expect(seen).toEqual(["/api/a:b"]);
    expect(requests).toEqual([]);
  });

  test("one that no listener takes is an ordinary request of the app", async () => {
    const app = createApp();
    const page = "x".repeat(1_000_000);
    app.get("/page", () => page);
    await app.register(evenkeel, { prefix: "/api", upstreams: [(await startEcho()).url] });
    const port = await serve(app);
    const bytes =
      "GET /page HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\nGET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    const response = await talk(port, bytes);
    expect(response).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    expect(response.length).toBeGreaterThan(page.length);
  });

  test("the connection of a rejected one is closed, even if its client sends more", async () => {
    const app = createApp();
    app.addHook("onRequest", (_request, reply) => void reply.code(401).send());
    await app.register(evenkeel, { upstreams: [(await startEcho()).url] });
    const port = await serve(app);
    const client = createConnection({ port, host: "127.0.0.1", allowHalfOpen: true });
    client.write(`GET / HTTP/1.1\r\n${handshake}more`);
    client.resume();
    const [connection] = (await once(app.server, "connection")) as [Socket];
    const closed = once(connection, "close");
    await once(client, "end");
    client.end();
    await closed;
  });

  test("a client that disconnects while hooks run leaves nothing behind", async () => {
    const app = createApp();
    const held = new Promise<() => void>((resolve) => {
      app.addHook("onRequest", () => new Promise<void>((release) => resolve(release)));
    });
    await app.register(evenkeel, { upstreams: [(await startEcho()).url] });
    const port = await serve(app);
    const client = createConnection({ port, host: "127.0.0.1" });
    client.write(`GET / HTTP/1.1\r\n${handshake}`);
    const release = await held;
    client.destroy();
    await once(client, "close");
    release();
    await app.close();
    expect(app.evenkeel.snapshot().pools).toMatchObject([{ upstreams: [{ inFlight: 0 }] }]);
  });

  test("one sent before the response to an earlier request waits for it", async () => {
    const app = createApp();
    const held: ServerResponse[] = [];
    const { url } = await startUpstream("slow", (_req, res) => void held.push(res));
    app.get("/own", () => "own");
    await app.register(evenkeel, { upstreams: [url], closeTimeout });
    const finished: string[] = [];
    app.evenkeel.on("request", ({ url, status }) => void finished.push(`${url} ${status}`));
    const port = await serve(app);
    const first = "GET /own HTTP/1.1\r\nHost: a\r\n\r\nGET /slow HTTP/1.1\r\nHost: a\r\n\r\n";
    const bad = handshake.replace("Version: 13", "Version: 8");
    const response = talk(port, `${first}GET /ws HTTP/1.1\r\n${bad}`);
    await until(() => held.length === 1);
    held[0]?.end("late");
    expect(await response).toMatch(/^HTTP\/1\.1 200 [^]*ownHTTP\/1\.1 200 [^]*lateHTTP\/1\.1 400 /);
    expect(finished).toEqual(["/slow 200", "/ws 400"]);
    expect(app.server.listening).toBe(true);
  });
});
