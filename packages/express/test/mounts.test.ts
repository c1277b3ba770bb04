import { once } from "node:events";
import http from "node:http";
import { createProxy } from "evenkeel";
import { describe, expect, onTestFinished, test } from "vitest";
import { WebSocket } from "ws";
import { connect, startEcho } from "../../core/test/support/adapter-contract.ts";
import { ask, askSeen, listen, nextRequest, startUpstream } from "../../core/test/support/adapter-lab.ts";
import { refusal } from "../../core/test/support/web-socket-refusal.ts";
import { create, serve, versions } from "./support/app.ts";

describe.each(versions)("%s: mount paths", (_name, express) => {
  test.each([
    { mount: "/api", path: "/api", url: "/", prefix: "/api" },
    { mount: "/api", path: "/api/", url: "/", prefix: "/api" },
    { mount: "/api/", path: "/api/users/", url: "/users/", prefix: "/api" },
    { mount: "/api", path: "/api?page=2", url: "/?page=2", prefix: "/api" },
    { mount: "/api", path: "/api/api/x", url: "/api/x", prefix: "/api" },
    { mount: "/users/:id/api", path: "/users/7/api/orders", url: "/orders", prefix: "/users/7/api" },
    { mount: "/users/:id/api", path: "/users/a%2Fb/api", url: "/", prefix: "/users/a%2Fb/api" },
    { mount: "/", path: "/users", url: "/users", prefix: undefined },
  ])("$path below $mount is forwarded as $url", async ({ mount, path, url, prefix }) => {
    const api = create({ upstreams: [(await startUpstream()).url] });
    const port = await serve(express().use(mount, api));
    const finished = nextRequest(api.proxy);
    const seen = await askSeen(port, { path });
    expect([seen.url, seen.headers["x-forwarded-prefix"]]).toEqual([url, prefix]);
    expect((await finished).url).toBe(path);
  });

  test("the mount path is case-insensitive, for requests and handshakes", async () => {
    const { url, requests } = await startEcho();
    const api = create({ upstreams: [url], prefix: "/api" });
    const server = http.createServer(express().use("/api", api)).on("upgrade", api.upgrade);
    const port = await listen(server);
    expect((await ask(port, { path: "/API/Users" })).body.toString()).toBe("/Users");
    await connect(port, "/API/Users");
    expect(requests).toMatchObject([{ url: "/Users", headers: { "x-forwarded-prefix": "/API" } }]);
  });

  test("nested routers, with the parameters of the outer ones", async () => {
    const api = create({ upstreams: [(await startUpstream()).url] });
    const outer = express.Router();
    const inner = express.Router({ mergeParams: true });
    const params: unknown[] = [];
    inner.use((req, _res, next) => {
      params.push({ ...req.params });
      next();
    });
    inner.use("/api", api);
    outer.use("/users/:id", inner);
    const port = await serve(express().use("/v1", outer));
    const seen = await askSeen(port, { path: "/v1/users/7/api/orders?x=1" });
    expect([seen.url, seen.headers["x-forwarded-prefix"]]).toEqual(["/orders?x=1", "/v1/users/7/api"]);
    expect(params).toEqual([{ id: "7" }]);
  });

  test("several middlewares in a row: the first whose routes match forwards, and the app gets the rest", async () => {
    const [a, b] = [await startUpstream("a"), await startUpstream("b")];
    const routed = (url: string, path: string) =>
      create({ pools: { api: { upstreams: [url] } }, routes: [{ path, pool: "api" }] });
    const app = express().use("/api", routed(a.url, "/users"), routed(b.url, "/orders"));
    app.use((req, res) => void res.status(404).end(req.url));
    const port = await serve(app);
    expect((await askSeen(port, { path: "/api/users" })).upstream).toBe("a");
    expect((await askSeen(port, { path: "/api/orders" })).upstream).toBe("b");
    const { status, body } = await ask(port, { path: "/api/other?x" });
    expect([status, body.toString()]).toEqual([404, "/api/other?x"]);
  });
});

describe.each(versions)("%s: a guard in front", (_name, express) => {
  test("as a hook of the proxy, it guards requests and handshakes, and may be asynchronous", async () => {
    const { url, requests } = await startEcho();
    const api = create({
      upstreams: [url],
      prefix: "/api",
      hooks: {
        async onRequest(context) {
          await new Promise(setImmediate);
          if (context.headers.get("authorization") !== "Bearer open sesame") context.respond({ status: 401 });
        },
      },
    });
    const server = http.createServer(express().use("/api", api)).on("upgrade", api.upgrade);
    const port = await listen(server);
    expect((await ask(port, { path: "/api/x" })).status).toBe(401);
    expect((await refusal(port, "/api/chat")).statusCode).toBe(401);
    expect(requests).toEqual([]);
    const headers = { authorization: "Bearer open sesame" };
    expect((await ask(port, { path: "/api/x", headers })).status).toBe(200);
    const socket = new WebSocket(`ws://127.0.0.1:${port}/api/chat`, { headers });
    onTestFinished(() => socket.terminate());
    await once(socket, "open");
  });

  test("as a middleware, it guards requests only: Express does not run for upgrades", async () => {
    const { url } = await startEcho();
    const api = create({ upstreams: [url], prefix: "/api" });
    const app = express().use((_req, res) => void res.status(401).end());
    const port = await listen(http.createServer(app.use("/api", api)).on("upgrade", api.upgrade));
    expect((await ask(port, { path: "/api/x" })).status).toBe(401);
    await connect(port, "/api/chat");
  });

  test("a shared proxy has its own hooks, and accepts no others", () => {
    const proxy = createProxy({ upstreams: ["http://127.0.0.1:1"] });
    onTestFinished(() => proxy.close());
    expect(() => create({ proxy, hooks: {} } as never)).toThrow(expect.objectContaining({ code: "invalid_options" }));
  });
});

test("a misspelt or misplaced hook is rejected", () => {
  const upstreams = ["http://127.0.0.1:1"];
  expect(() => create({ upstreams, hooks: { onRequst: () => {} } as object })).toThrow(
    'hooks.onRequst: unknown key, did you mean "onRequest"?',
  );
  expect(() => create({ upstreams, onRequest: () => {} } as never)).toThrow(
    "onRequest: unknown key; hooks are functions beside the options",
  );
});

describe.each(versions)("%s: the client's address", (_name, express) => {
  test.each([
    { trusted: [], forwardedFor: "203.0.113.9" },
    { trusted: ["127.0.0.1"], forwardedFor: "203.0.113.9" },
    { trusted: ["127.0.0.1"], forwardedFor: "198.51.100.7, 203.0.113.9" },
    { trusted: ["127.0.0.1", "203.0.113.0/24"], forwardedFor: "198.51.100.7, 203.0.113.9" },
    { trusted: ["127.0.0.1", "203.0.113.0/24", "198.51.100.0/24"], forwardedFor: "198.51.100.7, 203.0.113.9" },
  ])("is the app's req.ip when both trust $trusted, for $forwardedFor", async ({ trusted, forwardedFor }) => {
    const api = create({ upstreams: [(await startUpstream()).url], trustedProxies: trusted });
    const seen: (string | undefined)[] = [];
    const app = express().set("trust proxy", trusted);
    app.use((req, _res, next) => {
      seen.push(req.ip);
      next();
    }, api);
    const finished = nextRequest(api.proxy);
    await ask(await serve(app), { headers: { "x-forwarded-for": forwardedFor } });
    expect(seen).toEqual([(await finished).client]);
  });
});
