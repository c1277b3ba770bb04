import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import { connect } from "node:net";
import { createProxy } from "evenkeel";
import { afterEach, expect, test, vi } from "vitest";
import { createAdmin } from "../../src/index.ts";
import { limits } from "../../src/limits.ts";
import { serve, serveAdmin } from "../support/harness.ts";

const onePool = { pools: { api: { upstreams: [{ id: "a", url: "http://127.0.0.1:3001" }] } } };
const path = "/api/pools/api/upstreams/a";
const jsonType = { "content-type": "application/json" };
const head = `PATCH ${path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n`;

afterEach(() => {
  vi.useRealTimers();
});

test("a body over the limit is 413, with a content-length or chunked, and the connection is closed", async () => {
  const { send, proxy } = await serveAdmin(onePool);
  const body = JSON.stringify({ weight: 5, pad: "x".repeat(limits.bodyBytes) });
  for (const framing of [{ "content-length": body.length }, { "transfer-encoding": "chunked" }]) {
    const reply = await send("PATCH", path, { headers: { ...jsonType, ...framing }, body });
    expect([reply.status, reply.json().error.code]).toEqual([413, "body_too_large"]);
    expect(reply.headers.connection).toBe("close");
  }
  expect(proxy.pools.get("api")?.get("a")?.weight).toBe(1);
});

test("a body of exactly the limit is read", async () => {
  const { send } = await serveAdmin(onePool);
  const body = '{"weight":5}'.padEnd(limits.bodyBytes);
  expect((await send("PATCH", path, { headers: jsonType, body })).json().weight).toBe(5);
});

test.each(["{", "nul", '{"weight":5}}', "\u0000", "'weight'"])("a body that is not JSON is 400: %j", async (body) => {
  const { send } = await serveAdmin(onePool);
  const reply = await send("PATCH", path, { headers: jsonType, body });
  expect([reply.status, reply.json().error.code]).toEqual([400, "bad_request"]);
});

test("content-type may have parameters; a body with a content-encoding is 415", async () => {
  const { send } = await serveAdmin(onePool);
  const headers = { "content-type": "Application/JSON; charset=utf-8" };
  expect((await send("PATCH", path, { headers, body: '{"weight":5}' })).status).toBe(200);
  const coded = { ...jsonType, "content-encoding": "gzip" };
  expect((await send("PATCH", path, { headers: coded, body: '{"weight":5}' })).status).toBe(415);
});

test("a body that does not arrive is 408 after the limit, and the connection is closed", async () => {
  const admin = createAdmin(createProxy(onePool));
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  const { port } = await serve((req, res) => {
    admin.handler(req, res);
    vi.advanceTimersByTime(limits.bodyMs);
  });
  const socket = connect(port, "127.0.0.1");
  socket.write(`${head}Content-Length: 12\r\n\r\n{"we`);
  const chunks: Buffer[] = [];
  socket.on("data", (chunk) => chunks.push(chunk));
  await once(socket, "close");
  const response = Buffer.concat(chunks).toString();
  expect(response).toMatch(/^HTTP\/1\.1 408 /);
  expect(response).toMatch(/connection: close/i);
});

test("a client that disconnects in the middle of a body changes nothing and breaks nothing", async () => {
  const proxy = createProxy(onePool);
  const admin = createAdmin(proxy);
  const { port, server, send } = await serve(admin.handler);
  const socket = connect(port, "127.0.0.1");
  socket.write(`${head}Content-Length: 100\r\n\r\n{"weight":9}`);
  const [request] = (await once(server, "request")) as [IncomingMessage];
  const closed = new Promise((resolve) => request.once("close", resolve));
  socket.destroy();
  await closed;
  expect(proxy.pools.get("api")?.get("a")?.weight).toBe(1);
  expect((await send("GET", path)).json().weight).toBe(1);
});

test("the connection is closed when a request is rejected before its body was read", async () => {
  const { port } = await serveAdmin(onePool, { token: "t" });
  const socket = connect(port, "127.0.0.1");
  socket.write(`${head}Content-Length: 1000000\r\n\r\n`);
  const [response] = (await once(socket, "data")) as [Buffer];
  expect(response.toString()).toMatch(/^HTTP\/1\.1 401 /);
  await once(socket, "close");
});

test.each([
  ["parsed", { weight: 5 }, 200],
  ["text", '{"weight":6}', 200],
  ["raw", Buffer.from('{"weight":7}'), 200],
  ["parsed, with an unknown key", JSON.parse('{"__proto__":{"x":1}}'), 422],
  ["gone", undefined, 500],
])("uses a body that an app's parser has read already: %s", async (_, parsed, status) => {
  const admin = createAdmin(createProxy(onePool));
  const { send } = await serve((req, res) => {
    req.resume().once("end", () => admin.handler(Object.assign(req, { body: parsed }), res));
  });
  expect((await send("PATCH", path, { body: { weight: 1 } })).status).toBe(status);
});

test("reads a body itself when an app's parser has set an empty req.body without reading", async () => {
  const admin = createAdmin(createProxy(onePool));
  const { send } = await serve((req, res) => admin.handler(Object.assign(req, { body: {} }), res));
  expect((await send("PATCH", path, { body: { weight: 5 } })).json().weight).toBe(5);
});
