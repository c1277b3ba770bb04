import { once } from "node:events";
import http from "node:http";
import { createProxy } from "evenkeel";
import express from "express";
import { describe, expect, onTestFinished, test } from "vitest";
import { WebSocket, WebSocketServer } from "ws";
import { connect, echo, startEcho } from "../../core/test/support/adapter-contract.ts";
import { ask, askSeen, listen, startUpstream } from "../../core/test/support/adapter-lab.ts";
import { until } from "../../core/test/support/event-loop.ts";
import { handshake, talk } from "../../core/test/support/talk.ts";
import { refusal as refusedWith } from "../../core/test/support/web-socket-refusal.ts";
import { type EvenkeelOptions, evenkeel } from "../src/index.ts";
import { create } from "./support/app.ts";

/** The status of the response to a rejected WebSocket handshake. */
async function refusal(port: number, target: string): Promise<number | undefined> {
  return (await refusedWith(port, target)).statusCode;
}

describe("mounting", () => {
  test("a nested router and a parameter are part of the mount path", async () => {
    const app = express();
    const router = express.Router();
    router.use("/:tenant", create({ upstreams: [(await startUpstream()).url] }));
    app.use("/v1", router);
    const seen = await askSeen(await listen(http.createServer(app)), { path: "/v1/acme/users?x=1" });
    expect([seen.url, seen.headers["x-forwarded-prefix"]]).toEqual(["/users?x=1", "/v1/acme"]);
  });

  test("without a mount path nothing is stripped", async () => {
    const app = express().use(create({ upstreams: [(await startUpstream()).url] }));
    const seen = await askSeen(await listen(http.createServer(app)), { path: "/users" });
    expect(seen.url).toBe("/users");
    expect(seen.headers).not.toHaveProperty("x-forwarded-prefix");
  });

  test("the next middleware gets the request unchanged", async () => {
    const app = express();
    const options: EvenkeelOptions = {
      pools: { api: { upstreams: ["http://127.0.0.1:1"] } },
      routes: [{ path: "/no", pool: "api" }],
    };
    app.use("/api", create(options), (req, res) => void res.end(`${req.url} ${req.baseUrl} ${req.originalUrl}`));
    const { body } = await ask(await listen(http.createServer(app)), { path: "/api/users" });
    expect(body.toString()).toBe("/users /api /api/users");
  });

  test("headers that were set before stay, unless the upstream sends the same ones", async () => {
    const { url } = await startUpstream("a", (_req, res) => res.setHeader("X-Frame-Options", "SAMEORIGIN").end());
    const app = express();
    app.use((_req, res, next) => {
      res.set({ "X-Frame-Options": "DENY", "Strict-Transport-Security": "max-age=1" });
      next();
    });
    app.use(create({ upstreams: [url] }));
    const { headers } = await ask(await listen(http.createServer(app)));
    expect(headers).toMatchObject({ "x-frame-options": "SAMEORIGIN", "strict-transport-security": "max-age=1" });
  });

  test("a shared proxy is not closed", async () => {
    const proxy = createProxy({ upstreams: [(await startUpstream()).url] });
    onTestFinished(() => proxy.close());
    const first = evenkeel({ proxy });
    const second = evenkeel({ proxy, prefix: "/two" });
    expect([first.proxy, second.proxy]).toEqual([proxy, proxy]);
    await first.close();
    expect(proxy.draining).toBe(false);
  });

  test("one middleware serves two servers", async () => {
    const api = create({ upstreams: [(await startEcho()).url] });
    for (let index = 0; index < 2; index++) {
      const server = http.createServer(express().use(api)).on("upgrade", api.upgrade);
      const port = await listen(server);
      expect((await ask(port, { path: "/x" })).body.toString()).toBe("/x");
      expect(await echo(await connect(port, "/"), "hello")).toEqual([Buffer.from("hello"), false]);
    }
  });

  test.each([
    { wrong: { upstreams: ["http://127.0.0.1:1"], prefx: "/api" } },
    { wrong: { upstreams: ["http://127.0.0.1:1"], prefix: "api" } },
    { wrong: { upstreams: ["http://127.0.0.1:1"], prefix: "/api?x" } },
    { wrong: { config: "proxy.toml", upstreams: ["http://127.0.0.1:1"] } },
    { wrong: { config: "there-is-no-such-file.toml" } },
    { wrong: { proxy: createProxy({ upstreams: ["http://127.0.0.1:1"] }), routes: [] } },
  ])("invalid options are rejected: $wrong", ({ wrong }) => {
    expect(() => evenkeel(wrong as unknown as EvenkeelOptions)).toThrow(
      expect.objectContaining({ code: "invalid_options" }),
    );
  });
});

test.each([
  [undefined, "found nothing"],
  ["http://127.0.0.1:3001", "found a URL: write { upstreams: [url] }"],
  [{ upstreams: ["http://127.0.0.1:1"], passError: true }, 'did you mean "passErrors"?'],
])("the error of evenkeel(%j) explains the mistake", (argument, message) => {
  expect(() => evenkeel(argument as unknown as EvenkeelOptions)).toThrow(message);
});

describe("upgrades on a server with several listeners", () => {
  test("each goes to the middleware with its prefix, in any order of registration", async () => {
    const [one, two] = [await startEcho(), await startEcho()];
    const server = http.createServer(express());
    server.on("upgrade", create({ upstreams: [one.url], prefix: "/one" }).upgrade);
    server.on("upgrade", create({ upstreams: [two.url], prefix: "/two/" }).upgrade);
    const port = await listen(server);
    await connect(port, "/two/chat");
    await connect(port, "/one?x=1");
    expect([one, two].map(({ requests }) => requests.map(({ url }) => url))).toEqual([["/?x=1"], ["/chat"]]);
  });

  test("the first middleware that matches takes it, even if a later one matches too", async () => {
    const [narrow, wide] = [await startEcho(), await startEcho()];
    const server = http.createServer(express());
    server.on("upgrade", create({ upstreams: [narrow.url], prefix: "/chat" }).upgrade);
    server.on("upgrade", create({ upstreams: [wide.url] }).upgrade);
    const port = await listen(server);
    await connect(port, "/chat");
    await connect(port, "/other");
    expect([narrow, wide].map(({ requests }) => requests.length)).toEqual([1, 1]);
  });

  test("one that no route matches goes to the next middleware", async () => {
    const upstream = await startEcho();
    const routed = (path: string): EvenkeelOptions => ({
      pools: { api: { upstreams: [upstream.url] } },
      routes: [{ path, pool: "api" }],
    });
    const server = http.createServer(express());
    server.on("upgrade", create(routed("/one")).upgrade).on("upgrade", create(routed("/two")).upgrade);
    const port = await listen(server);
    expect(await echo(await connect(port, "/two"), "hello")).toEqual([Buffer.from("hello"), false]);
    expect(await refusal(port, "/three")).toBe(404);
  });

  test("one outside the prefix is left to another listener", async () => {
    const server = http.createServer(express());
    const own = new WebSocketServer({ noServer: true });
    own.on("connection", (socket) => socket.send("mine"));
    server.on("upgrade", create({ upstreams: [(await startEcho()).url], prefix: "/api" }).upgrade);
    server.on("upgrade", (req, socket, head) => {
      if (req.url === "/own") own.handleUpgrade(req, socket, head, (opened) => own.emit("connection", opened));
    });
    const port = await listen(server);
    const socket = new WebSocket(`ws://127.0.0.1:${port}/own`);
    onTestFinished(() => socket.terminate());
    expect(String((await once(socket, "message"))[0])).toBe("mine");
    expect(await echo(await connect(port, "/api/"), "hello")).toEqual([Buffer.from("hello"), false]);
  });

  test("one that no listener takes is an ordinary request of the app", async () => {
    const app = express();
    const page = Buffer.alloc(1_000_000, "x");
    app.get("/page", (_req, res) => void res.end(page));
    const server = http.createServer(app);
    server.on("upgrade", create({ upstreams: [(await startEcho()).url], prefix: "/one" }).upgrade);
    server.on("upgrade", create({ upstreams: [(await startEcho()).url], prefix: "/two" }).upgrade);
    const port = await listen(server);
    expect(await refusal(port, "/onemore")).toBe(404);
    const response = await talk(port, "GET /page HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n");
    expect(response).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    expect(response.length).toBeGreaterThan(page.length);
  });

  test("one sent before the response to an earlier request waits for it", async () => {
    const held: http.ServerResponse[] = [];
    const { url } = await startUpstream("slow", (_req, res) => void held.push(res));
    const app = express();
    app.get("/own", (_req, res) => void res.send("own"));
    const api = create({ upstreams: [url] });
    const finished: string[] = [];
    api.proxy.on("request", ({ url, status }) => void finished.push(`${url} ${status}`));
    const server = http.createServer(app.use(api)).on("upgrade", api.upgrade);
    const port = await listen(server);
    const first = "GET /own HTTP/1.1\r\nHost: a\r\n\r\nGET /slow HTTP/1.1\r\nHost: a\r\n\r\n";
    const bad = handshake.replace("Version: 13", "Version: 8");
    const response = talk(port, `${first}GET /ws HTTP/1.1\r\n${bad}`);
    await until(() => held.length === 1);
    held[0]?.end("late");
    expect(await response).toMatch(/^HTTP\/1\.1 200 [^]*ownHTTP\/1\.1 200 [^]*lateHTTP\/1\.1 400 /);
    expect(finished).toEqual(["/slow 200", "/ws 400"]);
  });
});

test("malformed bytes behind a request get the proxy's error response, after the request's response", async () => {
  const { url } = await startUpstream("a", (_req, res) => void res.end("hello"));
  const app = express();
  const api = create({ upstreams: [url] });
  const statuses: number[] = [];
  api.proxy.on("request", ({ status }) => void statuses.push(status));
  const server = http.createServer(app.use(api)).on("clientError", api.clientError);
  const text = await talk(await listen(server), "GET / HTTP/1.1\r\nHost: h\r\n\r\nnonsense\r\n\r\n");
  expect(text).toMatch(/^HTTP\/1\.1 200 [^]*\r\n\r\nhelloHTTP\/1\.1 400 [^]*\r\nProxy-Status: evenkeel; /);
  expect(statuses).toEqual([200, 400]);
});
