import { expect, test } from "vitest";
import { createAdmin } from "../src/index.ts";
import { proxySnapshot, proxyWith, serve, serveAdmin } from "./support/harness.ts";

const slashed = { id: "a:b@c", url: "http://127.0.0.1:3001" };
const onePool = { pools: { api: { upstreams: [slashed] } } };

test.each([
  "/healthz/",
  "//healthz",
  "/-/metrics",
  "/%6detrics",
  "/api",
  "/api/",
  "/api/pools/",
  "/api/pools/api/",
  "/api/pools/api/upstreams/",
  "/api/pools/api/upstreams/a:b@c/",
  "/api/pools/api/upstreams/a:b@c/more",
  "/api/overview/",
  "/dashboard",
  "/dashboard/",
  "/dashboard/nothing.js",
  "/__proto__",
  "/constructor",
])("an unknown path is 404: %s", async (path) => {
  const { send } = await serveAdmin(onePool);
  const reply = await send("GET", path);
  expect([reply.status, reply.json().error.code]).toEqual([404, "not_found"]);
});

test.each([
  ["/api/pools/none", "unknown_pool"],
  ["/api/pools/__proto__", "unknown_pool"],
  ["/api/pools/none/upstreams", "unknown_pool"],
  ["/api/pools/none/upstreams/a", "unknown_pool"],
  ["/api/pools/api/upstreams/none", "unknown_upstream"],
  ["/api/pools/api/upstreams/constructor", "unknown_upstream"],
  ["/api/pools/api%2Fupstreams", "unknown_pool"],
])("an unknown name is 404: %s", async (path, code) => {
  const { send } = await serveAdmin(onePool);
  const reply = await send("GET", path);
  expect([reply.status, reply.json().error.code]).toEqual([404, code]);
});

test.each(["/api/pools/%", "/api/pools/%zz", "/api/pools/api/upstreams/%ff"])(
  "a path that cannot be decoded is 400: %s",
  async (path) => {
    const { send } = await serveAdmin(onePool);
    expect((await send("GET", path)).status).toBe(400);
  },
);

test.each([
  ["POST", "/healthz", "GET, HEAD"],
  ["DELETE", "/metrics", "GET, HEAD"],
  ["PUT", "/api/pools", "GET, HEAD"],
  ["OPTIONS", "/api/pools/api", "GET, HEAD"],
  ["PATCH", "/api/pools/api/upstreams", "GET, HEAD, POST"],
  ["POST", "/api/pools/api/upstreams/a", "GET, HEAD, PATCH, DELETE"],
  ["GET", "/api/reload", "POST"],
  ["HEAD", "/api/reload", "POST"],
])("%s %s is 405", async (method, path, allow) => {
  const { send } = await serveAdmin(onePool);
  const reply = await send(method, path, { headers: { "content-type": "application/json" } });
  expect([reply.status, reply.headers.allow]).toEqual([405, allow]);
});

test("names are decoded, and a query is ignored", async () => {
  const { send } = await serveAdmin(onePool);
  expect((await send("GET", "/api/pools/api/upstreams/a%3Ab%40c?x=/y")).json().id).toBe("a:b@c");
  expect((await send("GET", "/%68ealthz")).status).toBe(404);
});

test("HEAD responds like GET, without the body", async () => {
  const { send } = await serveAdmin(onePool);
  for (const path of ["/healthz", "/readyz", "/api/pools", "/api/pools/api/upstreams"]) {
    const get = await send("GET", path);
    const head = await send("HEAD", path);
    expect([head.status, head.text]).toEqual([get.status, ""]);
    expect(head.headers["content-length"]).toBe(get.headers["content-length"]);
    expect(head.headers["content-type"]).toBe(get.headers["content-type"]);
  }
  expect((await send("HEAD", "/metrics")).status).toBe(200);
});

test("works at a mount path that an app has stripped", async () => {
  const admin = createAdmin(proxyWith(proxySnapshot));
  const { send } = await serve((req, res) => {
    req.url = (req.url ?? "").slice("/ops".length) || "/";
    admin.handler(req, res);
  });
  expect((await send("GET", "/ops/healthz")).status).toBe(200);
  expect((await send("GET", "/ops/api/pools")).json()).toEqual({ pools: [] });
  expect((await send("GET", "/ops/")).headers["content-type"]).toBe("text/html; charset=utf-8");
});
