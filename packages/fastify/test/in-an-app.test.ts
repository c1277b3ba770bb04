import { createAdmin } from "@evenkeel/admin";
import multipart from "@fastify/multipart";
import type { FastifyPluginAsync } from "fastify";
import { expect, test } from "vitest";
import { connect, startEcho } from "../../core/test/support/adapter-contract.ts";
import { ask, askSeen, nextRequest, sha256, startUpstream } from "../../core/test/support/adapter-lab.ts";
import evenkeel from "../src/index.ts";
import { closeTimeout, createApp, refusal, serve } from "./support/app.ts";

test.each([
  { around: "/v1", prefix: "/api", path: "/v1/api", url: "/", mountPath: "/v1/api" },
  { around: "/v1", prefix: "/api", path: "/v1/api/users/", url: "/users/", mountPath: "/v1/api" },
  { around: "/v1", prefix: "/api/", path: "/v1/api/?x", url: "/?x", mountPath: "/v1/api" },
  { around: "/users/:id", prefix: "/api", path: "/users/7/api/orders?x", url: "/orders?x", mountPath: "/users/7/api" },
  { around: "/users/:id", prefix: "/:part", path: "/users/7/a%2Fb//c", url: "//c", mountPath: "/users/7/a%2Fb" },
])("$path below $around and $prefix is forwarded as $url", async ({ around, prefix, path, url, mountPath }) => {
  const app = createApp();
  const upstream = await startUpstream();
  const requests: Promise<{ url: string }>[] = [];
  await app.register(
    async (scope) => {
      await scope.register(evenkeel, { prefix, upstreams: [upstream.url] });
      requests.push(nextRequest(scope.evenkeel));
    },
    { prefix: around },
  );
  const seen = await askSeen(await serve(app), { path });
  expect([seen.url, seen.headers["x-forwarded-prefix"]]).toEqual([url, mountPath]);
  expect((await requests[0])?.url).toBe(path);
});

test.each(["onRequest", "preValidation", "preHandler"] as const)(
  "an %s hook guards requests and handshakes alike, and nothing reaches the upstream",
  async (name) => {
    const { url, requests } = await startEcho();
    const app = createApp();
    await app.register(async (scope) => {
      scope.addHook(name, async (request, reply) => {
        if (request.headers.authorization === undefined) await reply.code(401).send({ error: "who are you?" });
      });
      await scope.register(evenkeel, { prefix: "/api", upstreams: [url], closeTimeout });
    });
    const port = await serve(app);
    expect((await ask(port, { path: "/api/x" })).status).toBe(401);
    expect((await refusal(port, "/api/chat")).statusCode).toBe(401);
    expect(requests).toEqual([]);
    expect((await ask(port, { path: "/api/x", headers: { authorization: "me" } })).status).toBe(200);
  },
);

test("hooks of the proxy are set in its options, and run for handshakes too", async () => {
  const { url } = await startEcho();
  const app = createApp();
  const seen: string[] = [];
  const hooks = { onRequest: ({ path }: { path: string }) => void seen.push(path) };
  await app.register(evenkeel, { prefix: "/api", upstreams: [url], hooks, closeTimeout });
  const port = await serve(app);
  await ask(port, { path: "/api/x?y" });
  await connect(port, "/api/chat");
  expect(seen).toEqual(["/x?y", "/chat"]);
});

test.each([
  { trusted: [] as string[], forwardedFor: "203.0.113.9" },
  { trusted: ["127.0.0.1"], forwardedFor: "198.51.100.7, 203.0.113.9" },
  { trusted: ["127.0.0.1", "203.0.113.0/24"], forwardedFor: "198.51.100.7, 203.0.113.9" },
])("the client is the app's request.ip when both trust $trusted", async ({ trusted, forwardedFor }) => {
  const app = createApp({ trustProxy: trusted.length > 0 && trusted });
  const seen: string[] = [];
  app.addHook("onRequest", async ({ ip }) => void seen.push(ip));
  await app.register(evenkeel, { upstreams: [(await startUpstream()).url], trustedProxies: trusted });
  const finished = nextRequest(app.evenkeel);
  await ask(await serve(app), { headers: { "x-forwarded-for": forwardedFor } });
  expect(seen).toEqual([(await finished).client]);
});

test("a multipart body bypasses @fastify/multipart, which still works for other routes", async () => {
  const app = createApp();
  await app.register(multipart, { attachFieldsToBody: "keyValues" });
  await app.register(evenkeel, { prefix: "/api", upstreams: [(await startUpstream()).url] });
  app.post("/own", (request) => request.body);
  const port = await serve(app);
  const body = '--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--x--\r\n';
  const headers = { "content-type": "multipart/form-data; boundary=x" };
  expect((await askSeen(port, { method: "POST", path: "/api/", headers, body })).sha256).toBe(
    sha256(Buffer.from(body)),
  );
  expect(String((await ask(port, { method: "POST", path: "/own", headers, body })).body)).toBe('{"a":"1"}');
});

test("the admin API can be mounted in the app", async () => {
  const app = createApp();
  await app.register(evenkeel, { prefix: "/api", upstreams: [{ id: "a", url: "http://127.0.0.1:1" }] });
  const { handler } = createAdmin(app.evenkeel, { token: "secret" });
  const admin: FastifyPluginAsync = async (scope) => {
    // The handler reads bodies itself.
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser("*", (_request, _payload, done) => done(null));
    scope.all("/*", ({ raw }, reply) => {
      reply.hijack();
      raw.url = (raw.url ?? "").slice(scope.prefix.length);
      handler(raw, reply.raw);
    });
  };
  await app.register(admin, { prefix: "/-/proxy" });
  const port = await serve(app);
  const headers = { authorization: "Bearer secret", "content-type": "application/json" };
  expect((await ask(port, { path: "/-/proxy/readyz" })).status).toBe(200);
  expect((await ask(port, { path: "/-/proxy/api/pools" })).status).toBe(401);
  const path = "/-/proxy/api/pools/default/upstreams/a";
  const { status } = await ask(port, { method: "PATCH", path, headers, body: '{"weight":5}' });
  expect([status, app.evenkeel.pools.get("default")?.upstreams[0]?.weight]).toEqual([200, 5]);
});
