import { createProxy } from "evenkeel";
import type { FastifyServerOptions } from "fastify";
import { describe, expect, onTestFinished, test } from "vitest";
import { connect, startEcho } from "../../core/test/support/adapter-contract.ts";
import { ask, askSeen, nextRequest, patterned, sha256, startUpstream } from "../../core/test/support/adapter-lab.ts";
import { talk } from "../../core/test/support/talk.ts";
import evenkeel, { type EvenkeelOptions, evenkeel as named } from "../src/index.ts";
import { createApp, serve } from "./support/app.ts";

describe("registering", () => {
  test("the plugin is the default export and a named one", () => {
    expect(named).toBe(evenkeel);
  });

  test.each([
    ["passError", 'did you mean "passErrors"?'],
    ["closeTimeot", 'did you mean "closeTimeout"?'],
  ])("a misspelt option is reported: %s", async (key, message) => {
    const options = { upstreams: ["http://127.0.0.1:1"], [key]: "1s" };
    await expect(async () => createApp().register(evenkeel, options)).rejects.toThrow(message);
  });

  test("without options the error explains what is missing", async () => {
    await expect(async () => createApp().register(evenkeel)).rejects.toThrow("nothing to proxy to");
  });

  test("the app is decorated with the proxy, the first of several", async () => {
    const app = createApp();
    const { url } = await startUpstream();
    await app.register(evenkeel, { prefix: "/one", upstreams: [url] });
    const first = app.evenkeel;
    await app.register(evenkeel, { prefix: "/two", upstreams: [url] });
    await app.register(async (scope) => {
      await scope.register(evenkeel, { prefix: "/three", upstreams: [url] });
    });
    expect(app.evenkeel).toBe(first);
    const port = await serve(app);
    for (const prefix of ["/one", "/two", "/three"]) {
      expect((await askSeen(port, { path: `${prefix}/x` })).headers["x-forwarded-prefix"]).toBe(prefix);
    }
  });

  test("a prefix may have parameters, and may be nested in another", async () => {
    const app = createApp();
    const { url, requests } = await startEcho();
    await app.register(
      async (scope) => void (await scope.register(evenkeel, { prefix: "/:tenant/api/", upstreams: [url] })),
      {
        prefix: "/v1",
      },
    );
    const port = await serve(app);
    expect((await ask(port, { path: "/v1/acme/api/users?x=/v1" })).body.toString()).toBe("/users?x=/v1");
    await connect(port, "/v1/acme/api/chat");
    expect(requests).toMatchObject([{ url: "/chat", headers: { "x-forwarded-prefix": "/v1/acme/api" } }]);
  });

  test.each<[object, string, string]>([
    [{ caseSensitive: false }, "/API/Users", "/Users"],
    [{ ignoreDuplicateSlashes: true }, "//api//users", "//users"],
    [{ ignoreTrailingSlash: true }, "/api/", "/"],
    [{ useSemicolonDelimiter: true }, "/api;v=1", "/;v=1"],
    [{}, "/%61pi/users", "/users"],
  ])(
    "with the router's %j, %s is forwarded as %s, as a request and as a handshake",
    async (routerOptions, path, seen) => {
      const app = createApp({ routerOptions } as FastifyServerOptions);
      const { url, requests } = await startEcho();
      // Another listener ends every upgrade that it gets.
      app.server.on("upgrade", (_req, socket) => void socket.destroy());
      await app.register(evenkeel, { prefix: "/api", upstreams: [url], closeTimeout: "0ms" });
      const port = await serve(app);
      expect((await ask(port, { path })).body.toString()).toBe(seen);
      await connect(port, path);
      expect(requests.map((request) => request.url)).toEqual([seen]);
    },
  );

  test("rewriteUrl runs first, and logs have the original target", async () => {
    const app = createApp({ rewriteUrl: (req) => (req.url ?? "").replace("/old/", "/api/") });
    await app.register(evenkeel, { prefix: "/api", upstreams: [(await startUpstream()).url] });
    const port = await serve(app);
    const finished = nextRequest(app.evenkeel);
    const seen = await askSeen(port, { path: "/old/users?x" });
    expect([seen.url, seen.headers["x-forwarded-prefix"], (await finished).url]).toEqual([
      "/users?x",
      "/api",
      "/old/users?x",
    ]);
  });

  test.each([undefined, "", "/"])("the prefix %j stands for every path", async (prefix) => {
    const app = createApp();
    const options = { upstreams: [(await startUpstream()).url], ...(prefix !== undefined && { prefix }) };
    await app.register(evenkeel, options);
    const port = await serve(app);
    for (const path of ["/", "/users", "/a//b/"]) {
      const seen = await askSeen(port, { path });
      expect(seen.url).toBe(path);
      expect(seen.headers).not.toHaveProperty("x-forwarded-prefix");
    }
  });

  test("the app keeps the methods that it routes at the same path", async () => {
    const app = createApp();
    app.options("*", (_request, reply) => reply.code(204).header("x-from", "app").send());
    app.get("/health", () => "fine");
    await app.register(evenkeel, { upstreams: [(await startUpstream()).url] });
    const port = await serve(app);
    expect(await ask(port, { method: "OPTIONS", path: "/users" })).toMatchObject({
      status: 204,
      headers: { "x-from": "app" },
    });
    expect((await ask(port, { path: "/health" })).body.toString()).toBe("fine");
    expect((await askSeen(port, { path: "/users" })).url).toBe("/users");
  });

  test("a shared proxy may be registered twice, and its events are logged once", async () => {
    const lines: string[] = [];
    const app = createApp({ logger: { level: "info", stream: { write: (line) => lines.push(line) } } });
    const { url } = await startUpstream();
    const proxy = createProxy({ upstreams: [url] });
    onTestFinished(() => proxy.close());
    await app.register(evenkeel, { proxy, prefix: "/one" });
    await app.register(evenkeel, { proxy, prefix: "/two" });
    proxy.reload({ upstreams: [url] });
    expect(lines).toHaveLength(1);
    await app.close();
    lines.length = 0;
    proxy.reload({ upstreams: [url] });
    expect(lines).toEqual([]);
  });

  test("a shared proxy is not closed", async () => {
    const proxy = createProxy({ upstreams: [(await startUpstream()).url] });
    onTestFinished(() => proxy.close());
    const app = createApp();
    await app.register(evenkeel, { proxy });
    expect(app.evenkeel).toBe(proxy);
    await app.close();
    expect(proxy.draining).toBe(false);
  });

  test.each([
    { wrong: { upstreams: ["http://127.0.0.1:1"], prefx: "/api" } },
    { wrong: { upstreams: ["http://127.0.0.1:1"], closeTimeout: "soon" } },
    { wrong: { config: "proxy.toml", upstreams: ["http://127.0.0.1:1"] } },
    { wrong: { config: "there-is-no-such-file.toml" } },
  ])("invalid options are rejected: $wrong", async ({ wrong }) => {
    const registered = createApp().register(evenkeel, wrong as unknown as EvenkeelOptions);
    await expect(registered).rejects.toMatchObject({ code: "invalid_options" });
  });

  test("inject sends a request to the upstream", async () => {
    const app = createApp();
    await app.register(evenkeel, { prefix: "/api", upstreams: [(await startUpstream()).url] });
    const { statusCode, body } = await app.inject({ method: "POST", url: "/api/users?x=1", payload: { a: 1 } });
    expect(statusCode).toBe(200);
    expect(JSON.parse(body)).toMatchObject({ method: "POST", url: "/users?x=1", bytes: 7 });
  });
});

describe("in an app with other routes", () => {
  test("bodies bypass the app's parsers and limits, which still work for other routes", async () => {
    const app = createApp({ bodyLimit: 10 });
    app.addContentTypeParser("text/csv", { parseAs: "string" }, (_request, body, done) => done(null, `csv ${body}`));
    await app.register(evenkeel, { prefix: "/api", upstreams: [(await startUpstream()).url] });
    app.post("/own", (request) => request.body);
    const port = await serve(app);
    const body = patterned(1_000_000);
    for (const type of ["application/json", "text/csv", "multipart/form-data; boundary=x", undefined]) {
      const headers = type === undefined ? {} : { "content-type": type };
      const seen = await askSeen(port, { method: "POST", path: "/api/", headers, body });
      expect([seen.sha256, seen.headers["content-type"]]).toEqual([sha256(body), type]);
    }
    const own = (type: string, text: string) =>
      ask(port, { method: "POST", path: "/own", headers: { "content-type": type }, body: text });
    expect(JSON.parse(String((await own("application/json", '{"a":1}')).body))).toEqual({ a: 1 });
    expect(String((await own("text/csv", "a,b")).body)).toBe("csv a,b");
    expect((await own("application/json", '{"a":"too long"}')).status).toBe(413);
  });

  test("methods that fastify does not know are forwarded under the prefix only", async () => {
    const app = createApp();
    await app.register(evenkeel, { prefix: "/api", upstreams: [(await startUpstream()).url] });
    app.decorate("notify", "of the app");
    const port = await serve(app);
    expect(await askSeen(port, { method: "REPORT", path: "/api/x", body: "some" })).toMatchObject({
      method: "REPORT",
      bytes: 4,
    });
    expect((await ask(port, { method: "REPORT", path: "/x" })).status).toBe(404);
  });

  test("hooks of the app run first, and may reply instead", async () => {
    const ran: string[] = [];
    const app = createApp();
    app.addHook("onRequest", async (request) => void ran.push(`onRequest ${request.url}`));
    app.addHook("preHandler", async (request, reply) => {
      ran.push(`preHandler ${request.url}`);
      if (request.headers.authorization === undefined) await reply.code(401).send({ error: "who are you?" });
    });
    app.addHook("onResponse", async (request, reply) => void ran.push(`onResponse ${request.url} ${reply.statusCode}`));
    await app.register(evenkeel, { prefix: "/api", upstreams: [(await startUpstream()).url] });
    const port = await serve(app);
    expect((await ask(port, { path: "/api/x?y" })).status).toBe(401);
    expect((await ask(port, { path: "/api/x?y", headers: { authorization: "me" } })).status).toBe(200);
    expect(ran).toEqual([
      "onRequest /api/x?y",
      "preHandler /api/x?y",
      "onResponse /api/x?y 401",
      "onRequest /api/x?y",
      "preHandler /api/x?y",
      "onResponse /api/x?y 200",
    ]);
  });

  test("headers that hooks have set stay, unless the upstream sends the same ones", async () => {
    const { url } = await startUpstream("a", (_req, res) => res.setHeader("X-Frame-Options", "SAMEORIGIN").end());
    const app = createApp();
    app.addHook("onRequest", async (_request, reply) => {
      reply.headers({ "access-control-allow-origin": "*", "x-frame-options": "DENY" });
    });
    await app.register(evenkeel, { upstreams: [url] });
    const { headers } = await ask(await serve(app));
    expect(headers).toMatchObject({ "access-control-allow-origin": "*", "x-frame-options": "SAMEORIGIN" });
  });

  test("the app's logger logs changes of health, and the result of a reload", async () => {
    const lines: Record<string, unknown>[] = [];
    const app = createApp({ logger: { level: "info", stream: { write: (line) => lines.push(JSON.parse(line)) } } });
    let status = 503;
    const { url } = await startUpstream("a", (_req, res) => res.writeHead(status).end());
    const healthCheck = { interval: "100ms", healthyThreshold: 1, unhealthyThreshold: 1 };
    await app.register(evenkeel, { upstreams: [{ id: "a", url }], healthCheck });
    const changed = () => new Promise((resolve) => app.evenkeel.once("health", resolve));
    await changed();
    status = 200;
    await changed();
    expect(() => app.evenkeel.reload({ upstreams: ["nonsense"] })).toThrow();
    app.evenkeel.reload({ upstreams: [url] });
    expect(lines.map(({ level, msg }) => `${level} ${msg}`)).toEqual([
      "40 default/a is unhealthy: status 503",
      expect.stringMatching(/^30 default\/a is healthy: status 200, after \d s$/),
      expect.stringMatching(/^50 reload failed, the old configuration stays in force: /),
      "30 default/a was removed",
      "30 default/a was drained",
      expect.stringMatching(/^30 default\/127.* was added$/),
      expect.stringMatching(/^30 reloaded: /),
    ]);
    expect(lines[0]).toMatchObject({ pool: "default", upstream: "a", from: "unknown", to: "unhealthy" });
  });

  test("several registrations of a shared proxy log once; `logger` replaces the app's logger, or is false", async () => {
    const lines: unknown[] = [];
    const refusing = "http://127.0.0.1:1";
    const app = createApp({ logger: { level: "info", stream: { write: (line) => lines.push(JSON.parse(line)) } } });
    const own: string[] = [];
    const logger = ({ message }: { message: string }) => void own.push(message);
    const proxies = [createProxy({ upstreams: [refusing] }), createProxy({ upstreams: [refusing] }, { logger })];
    for (const [index, proxy] of proxies.entries()) {
      await app.register(evenkeel, { proxy, prefix: `/${index}/a` });
      await app.register(evenkeel, { proxy, prefix: `/${index}/b` });
      proxy.reload({ upstreams: [refusing] });
    }
    expect(lines).toHaveLength(1);
    expect(own).toHaveLength(1);
    for (const option of [logger, false] as const) {
      const other = createApp({ logger: { level: "info", stream: { write: (line) => lines.push(line) } } });
      await other.register(evenkeel, { upstreams: [refusing], logger: option });
      other.evenkeel.reload({ upstreams: [refusing] });
    }
    expect(lines).toHaveLength(1);
    expect(own).toHaveLength(2);
  });
});

test("the app's logger logs the exception of a failed hook, and a misspelt hook fails the registration", async () => {
  const lines: Record<string, unknown>[] = [];
  const app = createApp({ logger: { level: "error", stream: { write: (line) => lines.push(JSON.parse(line)) } } });
  const onRequest = () => {
    throw new Error("my own bug");
  };
  await app.register(evenkeel, { upstreams: [(await startUpstream()).url], hooks: { onRequest } });
  expect((await ask(await serve(app))).status).toBe(500);
  expect(lines).toMatchObject([{ msg: "onRequest failed: my own bug", where: "onRequest", pool: "default" }]);
  expect(lines[0]?.["err"]).toMatchObject({ message: "my own bug", stack: expect.stringContaining("plugin.test") });
  const misspelt = { upstreams: [], hooks: { onRequst: onRequest } as object };
  await expect(async () => createApp().register(evenkeel, misspelt)).rejects.toThrow(
    'hooks.onRequst: unknown key, did you mean "onRequest"?',
  );
});

test("malformed bytes behind a request get the proxy's error response, after the request's response", async () => {
  const app = createApp({ clientErrorHandler: (error, socket) => app.evenkeel.clientError(error, socket) });
  const { url } = await startUpstream("a", (_req, res) => void res.end("hello"));
  await app.register(evenkeel, { upstreams: [url] });
  const statuses: number[] = [];
  app.evenkeel.on("request", ({ status }) => void statuses.push(status));
  const text = await talk(await serve(app), "GET / HTTP/1.1\r\nHost: h\r\n\r\nnonsense\r\n\r\n");
  expect(text).toMatch(/^HTTP\/1\.1 200 [^]*\r\n\r\nhelloHTTP\/1\.1 400 [^]*\r\nProxy-Status: evenkeel; /);
  expect(statuses).toEqual([200, 400]);
});
