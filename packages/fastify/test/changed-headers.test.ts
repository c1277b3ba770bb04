import { once } from "node:events";
import { IncomingMessage } from "node:http";
import { createProxy, type Hooks } from "evenkeel";
import type { FastifyRequest } from "fastify";
import { describe, expect, onTestFinished, test } from "vitest";
import { WebSocket } from "ws";
import { connect, startEcho } from "../../core/test/support/adapter-contract.ts";
import { ask, askSeen, startUpstream } from "../../core/test/support/adapter-lab.ts";
import evenkeel from "../src/index.ts";
import { closeTimeout, createApp, serve } from "./support/app.ts";

function decide({ headers }: FastifyRequest): void {
  headers["x-user-id"] = "42";
  headers.authorization = "Bearer internal";
  delete headers["x-role"];
}

const headers = { "X-User-Id": "root", Authorization: "Bearer mine", "X-Role": "admin", "X-Kept": "1" };
const decided = { "x-user-id": "42", authorization: "Bearer internal", "x-kept": "1" };

describe("a change of request.headers in a hook", () => {
  test.each(["onRequest", "preHandler"] as const)("reaches the upstream from %s, as a request", async (hook) => {
    const app = createApp();
    app.addHook(hook, async (request: FastifyRequest) => decide(request));
    await app.register(evenkeel, { prefix: "/api", upstreams: [(await startUpstream()).url] });
    const seen = await askSeen(await serve(app), { path: "/api/x", headers });
    expect(seen.headers).toMatchObject(decided);
    expect(seen.headers).not.toHaveProperty("x-role");
  });

  test("reaches the upstream with a handshake", async () => {
    const { url, requests } = await startEcho();
    const app = createApp();
    app.addHook("preHandler", async (request) => decide(request));
    await app.register(evenkeel, { prefix: "/api", upstreams: [url], closeTimeout });
    const socket = new WebSocket(`ws://127.0.0.1:${await serve(app)}/api/chat`, { headers });
    onTestFinished(() => socket.terminate());
    await once(socket, "open");
    expect(requests).toMatchObject([{ headers: decided }]);
    expect(requests[0]?.headers).not.toHaveProperty("x-role");
  });

  test("reaches the upstream when request.headers itself is set", async () => {
    const app = createApp();
    app.addHook("onRequest", async (request) => {
      // Fastify merges it with the client's headers.
      request.headers = { "x-user-id": "42", "x-role": undefined };
    });
    await app.register(evenkeel, { prefix: "/api", upstreams: [(await startUpstream()).url] });
    const seen = await askSeen(await serve(app), { path: "/api/x", headers });
    expect(seen.headers).toMatchObject({ "x-user-id": "42", authorization: "Bearer mine" });
    expect(seen.headers).not.toHaveProperty("x-role");
  });

  test("reaches the upstream from a request that was injected", async () => {
    const app = createApp();
    app.addHook("preHandler", async (request) => decide(request));
    await app.register(evenkeel, { prefix: "/api", upstreams: [(await startUpstream()).url] });
    const { statusCode, body } = await app.inject({ url: "/api/x", headers: { ...headers, "x-list": ["1", "2"] } });
    expect(statusCode).toBe(200);
    expect(JSON.parse(body)).toMatchObject({ headers: { ...decided, "x-list": "1, 2" } });
    expect(body).not.toMatch(/x-role/i);
  });
});

describe("a hook of the proxy gets fastify's request", () => {
  test("with the properties that the app has set, for requests and handshakes", async () => {
    const { url, requests } = await startEcho();
    const app = createApp();
    app.decorateRequest("user", "");
    app.addHook("preHandler", async (request) => void Object.assign(request, { user: "ann" }));
    const hooks: Hooks<FastifyRequest> = {
      onRequest({ req, headers: passed }) {
        passed.set("X-User", (req as FastifyRequest & { user: string }).user);
        passed.set("X-Route", req.routeOptions.url ?? "");
      },
      onResponse({ req, headers: responseHeaders }) {
        responseHeaders.set("X-Seen", req.id);
      },
    };
    await app.register(evenkeel, { prefix: "/api", upstreams: [url], closeTimeout, hooks });
    const port = await serve(app);
    const { headers: responseHeaders } = await ask(port, { path: "/api/x", headers: { "X-User": "root" } });
    expect(responseHeaders["x-seen"]).toMatch(/^req-/);
    await connect(port, "/api/chat");
    expect(requests).toMatchObject([{ headers: { "x-user": "ann", "x-route": "/api/*" } }]);
  });

  test("but hooks of a shared proxy get Node's request", async () => {
    const seen: unknown[] = [];
    const upstreams = [(await startUpstream()).url];
    const proxy = createProxy(
      { upstreams },
      { onRequest: ({ req }) => void seen.push(req instanceof IncomingMessage) },
    );
    const app = createApp();
    app.addHook("onClose", () => proxy.close());
    await app.register(evenkeel, { prefix: "/api", proxy });
    await askSeen(await serve(app), { path: "/api/x" });
    expect(seen).toEqual([true]);
  });
});
