/** What a hostile client, or a hostile page in an honest browser, may try. */

import { OptionsError } from "evenkeel";
import { expect, test } from "vitest";
import { createAdmin } from "../src/index.ts";
import { proxySnapshot, proxyWith, serve, serveAdmin } from "./harness.ts";

const onePool = { pools: { api: { upstreams: [{ id: "a", url: "http://127.0.0.1:3001" }] } } };
const token = "correct-horse";
const bearer = { authorization: `Bearer ${token}` };

test("missing authentication: everything but healthz and readyz asks for the token, unknown paths too", async () => {
  const { ask } = await serveAdmin(onePool, { token });
  for (const path of ["/metrics", "/api/pools", "/api/pools/api/upstreams/a", "/nowhere", "/"]) {
    const reply = await ask("GET", path);
    expect([path, reply.status, reply.json().error.code]).toEqual([path, 401, "unauthorized"]);
    expect(reply.headers["www-authenticate"]).toBe('Bearer realm="evenkeel"');
  }
  expect((await ask("PATCH", "/api/pools/api/upstreams/a", { body: { weight: 9 } })).status).toBe(401);
  expect((await ask("GET", "/healthz")).status).toBe(200);
  expect((await ask("GET", "/readyz")).status).toBe(200);
  expect((await ask("GET", "/api/pools", { headers: bearer })).status).toBe(200);
});

test.each([
  "Bearer correct-hors",
  "Bearer correct-horse2",
  "Bearer Correct-Horse",
  "Bearer ",
  "Bearer",
  "Basic Y29ycmVjdC1ob3JzZQ==",
  "correct-horse",
  "Bearer correct-horse correct-horse",
  `Bearer ${"x".repeat(4_000)}`,
])("a wrong token is refused: %s", async (authorization) => {
  const { ask } = await serveAdmin(onePool, { token });
  const reply = await ask("GET", "/api/pools", { headers: { authorization } });
  expect(reply.status).toBe(401);
  expect(reply.text).not.toContain(token);
});

test("the scheme's name may be written in any case", async () => {
  const { ask } = await serveAdmin(onePool, { token });
  expect((await ask("GET", "/api/pools", { headers: { authorization: `bearer ${token}` } })).status).toBe(200);
});

test.each(["", "two words", "tab\t", "ümlaut", "line\nbreak"])("a token no header can carry is refused: %j", (bad) => {
  expect(() => createAdmin(proxyWith(proxySnapshot), { token: bad })).toThrow(OptionsError);
});

test("exposure beyond this machine: without a token only loopback connections are served", async () => {
  for (const [address, status] of [
    ["192.0.2.7", 403],
    ["::ffff:192.0.2.7", 403],
    [undefined, 403],
    ["127.0.0.1", 200],
    ["::ffff:127.0.0.1", 200],
    ["::1", 200],
  ] as const) {
    const admin = createAdmin(proxyWith(proxySnapshot));
    const { ask } = await serve((req, res) => {
      Object.defineProperty(req.socket, "localAddress", { value: address });
      admin.handler(req, res);
    });
    for (const path of ["/healthz", "/metrics"])
      expect([address, (await ask("GET", path)).status]).toEqual([address, status]);
  }
});

test("exposure through a proxy on this machine: without a token a forwarded request is refused", async () => {
  const open = await serveAdmin(onePool);
  const closed = await serveAdmin(onePool, { token });
  for (const name of ["x-forwarded-for", "forwarded", "via", "x-real-ip"]) {
    expect((await open.ask("GET", "/api/pools", { headers: { [name]: "for=192.0.2.7" } })).status).toBe(403);
    expect((await closed.ask("GET", "/api/pools", { headers: { [name]: "x", ...bearer } })).status).toBe(200);
  }
});

test("DNS rebinding: Host has to be the listen address or a loopback name", async () => {
  const { ask } = await serveAdmin(onePool, { listen: ["Admin.Internal:9090", "10.1.2.3"] });
  for (const host of [
    "evil.com",
    "evil.com:9090",
    "localhost.evil.com",
    "127.0.0.1.evil.com",
    "evil@localhost",
    "a b",
  ]) {
    const reply = await ask("GET", "/api/pools", { headers: { host } });
    expect([host, reply.status]).toEqual([host, 421]);
    expect(reply.json().error.code).toBe("misdirected_request");
  }
  const known = [
    "localhost",
    "LOCALHOST.:80",
    "x.localhost",
    "127.0.0.1:1",
    "[::1]:9090",
    "admin.internal",
    "10.1.2.3:1",
  ];
  for (const host of known) {
    expect([host, (await ask("GET", "/api/pools", { headers: { host } })).status]).toEqual([host, 200]);
  }
});

test("Host may be the address that was connected to, for probes that know a machine by its IP", async () => {
  const admin = createAdmin(proxyWith(proxySnapshot), { token });
  const { ask } = await serve((req, res) => {
    Object.defineProperty(req.socket, "localAddress", { value: "::ffff:192.0.2.7" });
    admin.handler(req, res);
  });
  expect((await ask("GET", "/healthz", { headers: { host: "192.0.2.7:9090" } })).status).toBe(200);
  expect((await ask("GET", "/healthz", { headers: { host: "192.0.2.8:9090" } })).status).toBe(421);
});

test("cross-site request forgery: a foreign or null Origin is refused, the own one is not", async () => {
  const { ask, port } = await serveAdmin(onePool);
  const own = `http://127.0.0.1:${port}`;
  for (const origin of [
    "http://evil",
    "null",
    "http://127.0.0.1",
    `http://127.0.0.1:${port + 1}`,
    "",
    "file://",
    "%%",
  ]) {
    const reply = await ask("PATCH", "/api/pools/api/upstreams/a", { headers: { origin }, body: { weight: 9 } });
    expect([origin, reply.status]).toEqual([origin, 403]);
  }
  const host = `127.0.0.1:${port}`;
  expect((await ask("GET", "/api/pools", { headers: { origin: own, host } })).status).toBe(200);
  const behindTls = { origin: "https://localhost", host: "localhost:443" };
  expect((await ask("GET", "/api/pools", { headers: behindTls })).status).toBe(200);
});

test("cross-site request forgery: a no-cors fetch is refused", async () => {
  const { ask } = await serveAdmin(onePool);
  expect((await ask("GET", "/api/pools", { headers: { "sec-fetch-mode": "no-cors" } })).status).toBe(403);
  expect((await ask("GET", "/api/pools", { headers: { "sec-fetch-mode": "cors" } })).status).toBe(200);
});

test("cross-site request forgery: a change with a form's content-type is refused", async () => {
  const { ask, proxy } = await serveAdmin(onePool);
  const types = ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "application/jsonp", ""];
  for (const [method, path, body] of [
    ["PATCH", "/api/pools/api/upstreams/a", '{"weight":9}'],
    ["POST", "/api/pools/api/upstreams", '{"url":"http://127.0.0.1:1"}'],
    ["POST", "/api/reload", "{}"],
    ["DELETE", "/api/pools/api/upstreams/a", ""],
  ] as const) {
    for (const type of types) {
      const reply = await ask(method, path, { headers: { "content-type": type }, body });
      expect([method, type, reply.status]).toEqual([method, type, 415]);
    }
    expect((await ask(method, path, { body })).status).toBe(415);
  }
  expect(proxy.pools.get("api")?.upstreams.map(({ id, weight }) => [id, weight])).toEqual([["a", 1]]);
});

test("an upgrade is refused", async () => {
  const { ask } = await serveAdmin(onePool);
  const headers = { connection: "upgrade", upgrade: "websocket" };
  expect((await ask("GET", "/api/pools", { headers })).status).toBe(400);
});

test("every answer forbids caches and sniffing", async () => {
  const { ask } = await serveAdmin(onePool);
  for (const path of ["/healthz", "/readyz", "/metrics", "/api/pools", "/nowhere"]) {
    const { headers } = await ask("GET", path);
    expect(headers["cache-control"]).toBe("no-store");
    expect(headers["x-content-type-options"]).toBe("nosniff");
  }
});

test("a failure inside is a bare 500: no message, no stack", async () => {
  const admin = createAdmin(
    proxyWith(() => {
      throw new Error("secret detail");
    }),
  );
  const { ask } = await serve(admin.handler);
  for (const path of ["/readyz", "/metrics", "/api/pools"]) {
    const reply = await ask("GET", path);
    expect(reply.status).toBe(500);
    expect(Object.keys(reply.json().error)).toEqual(["code", "message"]);
    expect(reply.json().error.code).toBe("internal");
    expect(reply.text).not.toMatch(/secret|\.ts|at /);
  }
});

test("after close every request is answered 503", async () => {
  const { admin, ask } = await serveAdmin(onePool);
  expect((await ask("GET", "/healthz")).status).toBe(200);
  admin.close();
  const reply = await ask("GET", "/healthz");
  expect([reply.status, reply.json().error.code, reply.headers.connection]).toEqual([503, "closed", "close"]);
});
