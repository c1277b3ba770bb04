import type { FastifyError } from "fastify";
import { expect, test } from "vitest";
import { ask, nextRequest, startUpstream } from "../../core/test/support/adapter-lab.ts";
import { refusingUrl } from "../../core/test/support/refusing-port.ts";
import evenkeel from "../src/index.ts";
import { createApp, refusal, serve } from "./support/app.ts";

test("passErrors passes failures to the app's error handler, and its hooks run", async () => {
  const ran: string[] = [];
  const app = createApp();
  app.setErrorHandler<FastifyError & { status: number }>(async (error, request, reply) => {
    const { code, status } = error;
    return reply.code(503).send({ sent: reply.raw.headersSent, code, status, url: request.url });
  });
  app.addHook("onError", async (_request, _reply, { code }) => void ran.push(`onError ${code}`));
  app.addHook("onSend", async (_request, _reply, payload) => {
    ran.push("onSend");
    return payload;
  });
  app.addHook("onResponse", async (_request, reply) => void ran.push(`onResponse ${reply.statusCode}`));
  await app.register(evenkeel, { prefix: "/api", upstreams: [await refusingUrl()], passErrors: true });
  const finished = nextRequest(app.evenkeel);
  const { status, headers, body } = await ask(await serve(app), { path: "/api/users?x" });
  expect([status, JSON.parse(body.toString())]).toEqual([
    503,
    { sent: false, code: "connect_refused", status: 502, url: "/api/users?x" },
  ]);
  expect(headers).not.toHaveProperty("proxy-status");
  expect(await finished).toMatchObject({ url: "/api/users?x", status: 503, error: "connect_refused" });
  expect(ran).toEqual(["onError connect_refused", "onSend", "onResponse 503"]);
});

test("without an error handler of the app, fastify responds with the error's status", async () => {
  const app = createApp();
  await app.register(evenkeel, { upstreams: [await refusingUrl()], passErrors: true });
  const { status, body } = await ask(await serve(app));
  expect([status, JSON.parse(body.toString())]).toMatchObject([502, { statusCode: 502, code: "connect_refused" }]);
});

test("passErrors changes neither responses nor requests that no route matches", async () => {
  const { url } = await startUpstream("a", (_req, res) => res.writeHead(500).end("theirs"));
  const ran: number[] = [];
  const app = createApp();
  app.addHook("onResponse", async (_request, reply) => void ran.push(reply.statusCode));
  const options = { pools: { api: { upstreams: [url] } }, routes: [{ path: "/api", pool: "api" }] };
  await app.register(evenkeel, { ...options, passErrors: true });
  const port = await serve(app);
  expect((await ask(port, { path: "/api" })).body.toString()).toBe("theirs");
  expect((await ask(port, { path: "/" })).status).toBe(404);
  expect(ran).toEqual([500, 404]);
});

test("a failed handshake always gets the proxy's error response", async () => {
  const app = createApp();
  await app.register(evenkeel, { upstreams: [await refusingUrl()], passErrors: true });
  const { statusCode, headers } = await refusal(await serve(app), "/");
  expect([statusCode, headers["proxy-status"]]).toEqual([502, expect.stringContaining("connect_refused")]);
});

test("a body that a hook has read is a 500 with the reason", async () => {
  const app = createApp();
  app.addHook("onRequest", async ({ raw }) => {
    for await (const _chunk of raw);
  });
  await app.register(evenkeel, { upstreams: [(await startUpstream()).url] });
  const { status, body } = await ask(await serve(app), { method: "POST", body: "some" });
  expect([status, body.toString()]).toEqual([500, expect.stringContaining("mount the proxy in front of it")]);
});
