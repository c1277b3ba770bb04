/** Attacks by a hostile client, and by a hostile page in a user's browser. */

import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import http from "node:http";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createProxy, OptionsError } from "evenkeel";
import { expect, onTestFinished, test } from "vitest";
import { createAdmin } from "../../src/index.ts";
import { proxySnapshot, proxyWith, serve, serveAdmin } from "../support/harness.ts";

const onePool = { pools: { api: { upstreams: [{ id: "a", url: "http://127.0.0.1:3001" }] } } };
const token = "correct-horse";
const bearer = { authorization: `Bearer ${token}` };

test("missing authentication: every path with data requires the token, unknown paths too", async () => {
  const { send } = await serveAdmin(onePool, { token });
  for (const path of ["/metrics", "/api/pools", "/api/pools/api/upstreams/a", "/api/overview", "/nowhere", "//"]) {
    const reply = await send("GET", path);
    expect([path, reply.status, reply.json().error.code]).toEqual([path, 401, "unauthorized"]);
    expect(reply.headers["www-authenticate"]).toBe('Bearer realm="evenkeel"');
  }
  expect((await send("PATCH", "/api/pools/api/upstreams/a", { body: { weight: 9 } })).status).toBe(401);
  expect((await send("GET", "/healthz")).status).toBe(200);
  expect((await send("GET", "/readyz")).status).toBe(200);
  expect((await send("GET", "/api/pools", { headers: bearer })).status).toBe(200);
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
])("a wrong token is rejected: %s", async (authorization) => {
  const { send } = await serveAdmin(onePool, { token });
  const reply = await send("GET", "/api/pools", { headers: { authorization } });
  expect(reply.status).toBe(401);
  expect(reply.text).not.toContain(token);
  // The response distinguishes a wrong token from a missing one (RFC 6750 section 3.1).
  const sent = /^Bearer [^ ]+$/.test(authorization);
  expect(reply.json().error.code).toBe(sent ? "invalid_token" : "unauthorized");
  expect(reply.headers["www-authenticate"]).toBe(
    sent ? 'Bearer realm="evenkeel", error="invalid_token"' : 'Bearer realm="evenkeel"',
  );
});

test("the name of the scheme is case-insensitive", async () => {
  const { send } = await serveAdmin(onePool, { token });
  expect((await send("GET", "/api/pools", { headers: { authorization: `bearer ${token}` } })).status).toBe(200);
});

test.each(["", "two words", "tab\t", "ümlaut", "line\nbreak"])(
  "a token that is not a valid header value is rejected: %j",
  (bad) => {
    expect(() => createAdmin(proxyWith(proxySnapshot), { token: bad })).toThrow(OptionsError);
  },
);

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
    const { send } = await serve((req, res) => {
      Object.defineProperty(req.socket, "localAddress", { value: address });
      admin.handler(req, res);
    });
    for (const path of ["/healthz", "/metrics"])
      expect([address, (await send("GET", path)).status]).toEqual([address, status]);
  }
});

test("exposure through a proxy on this machine: without a token a forwarded request is rejected", async () => {
  const open = await serveAdmin(onePool);
  const closed = await serveAdmin(onePool, { token });
  for (const name of ["x-forwarded-for", "forwarded", "via", "x-real-ip"]) {
    expect((await open.send("GET", "/api/pools", { headers: { [name]: "for=192.0.2.7" } })).status).toBe(403);
    expect((await closed.send("GET", "/api/pools", { headers: { [name]: "x", ...bearer } })).status).toBe(200);
  }
});

test("a Unix socket needs no known Host, and a token only if one is set", async () => {
  const socketPath = join(mkdtempSync(join(tmpdir(), "evenkeel-admin-")), "admin.sock");
  onTestFinished(() => rmSync(dirname(socketPath), { recursive: true }));
  for (const options of [{}, { listen: `unix:${socketPath}` }, { token }]) {
    const proxy = createProxy(onePool);
    onTestFinished(() => proxy.close({ timeout: "0s" }));
    const server = http.createServer(createAdmin(proxy, options).handler).listen(socketPath);
    await once(server, "listening");
    const get = async (path: string, headers: http.OutgoingHttpHeaders = {}) => {
      const request = http.get({ socketPath, path, agent: false, headers });
      const [response] = (await once(request, "response")) as [http.IncomingMessage];
      response.resume();
      return response.statusCode;
    };
    const expected = "token" in options ? 401 : 200;
    expect(await get("/healthz")).toBe(200);
    expect(await get("/api/pools")).toBe(expected);
    expect(await get("/api/pools", { host: "any.name.at.all" })).toBe(expected);
    expect(await get("/api/pools", bearer)).toBe(200);
    // Another proxy on this machine forwards requests of other machines.
    expect(await get("/api/pools", { "x-forwarded-for": "192.0.2.7" })).toBe("token" in options ? 401 : 403);
    server.close();
    await once(server, "close");
  }
});

test("DNS rebinding: Host must be the listen address, a loopback name or one of hosts", async () => {
  const { send } = await serveAdmin(onePool, { listen: "Admin.Internal:9090", hosts: ["10.1.2.3", "[2001:db8::1]"] });
  for (const host of [
    "evil.com",
    "evil.com:9090",
    "localhost.evil.com",
    "127.0.0.1.evil.com",
    "evil@localhost",
    "a b",
  ]) {
    const reply = await send("GET", "/api/pools", { headers: { host } });
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
    "[2001:DB8::1]:9090",
  ];
  for (const host of known) {
    expect([host, (await send("GET", "/api/pools", { headers: { host } })).status]).toEqual([host, 200]);
  }
});

test("Host may be the local address of the connection", async () => {
  const admin = createAdmin(proxyWith(proxySnapshot), { token });
  const { send } = await serve((req, res) => {
    Object.defineProperty(req.socket, "localAddress", { value: "::ffff:192.0.2.7" });
    admin.handler(req, res);
  });
  expect((await send("GET", "/metrics", { headers: { host: "192.0.2.7:9090" } })).status).toBe(401);
  expect((await send("GET", "/metrics", { headers: { host: "192.0.2.8:9090" } })).status).toBe(421);
});

test("any Host is accepted with a valid token, and for public paths: scrapers and probes use the name of a service", async () => {
  const { send } = await serveAdmin(onePool, { token });
  for (const host of ["evenkeel:9090", "evenkeel.infra.svc.cluster.local", "evil.com", "a b"]) {
    for (const path of ["/healthz", "/readyz", "/healthz?x=/api/pools"]) {
      expect([host, path, (await send("GET", path, { headers: { host } })).status]).toEqual([host, path, 200]);
    }
    for (const path of ["/metrics", "/api/pools"]) {
      expect((await send("GET", path, { headers: { host, ...bearer } })).status).toBe(200);
      expect((await send("GET", path, { headers: { host } })).status).toBe(421);
      const wrong = await send("GET", path, { headers: { host, authorization: "Bearer wrong" } });
      expect(wrong.status).toBe(421);
      expect(wrong.json().error.message).toContain("the bearer token is not the token of the admin API");
    }
    // Only the exact path is public.
    for (const path of ["/healthz/", "//healthz", "/HEALTHZ", "/api/pools?/healthz", "/api/pools#/healthz"]) {
      expect((await send("GET", path, { headers: { host } })).status).toBe(421);
    }
  }
  const change = await send("PATCH", "/api/pools/api/upstreams/a", {
    headers: { host: "evenkeel", origin: "http://dashboard.example", ...bearer },
    body: { weight: 2 },
  });
  expect(change.status).toBe(200);
});

test("if no token is configured, a sent one does not replace the check of Host", async () => {
  const { send } = await serveAdmin(onePool);
  expect((await send("GET", "/api/pools", { headers: { host: "evil.com", ...bearer } })).status).toBe(421);
  expect((await send("GET", "/healthz", { headers: { host: "evil.com" } })).status).toBe(200);
});

test.each(["", "a b", "admin.example.com/x", "http://admin", 5])("invalid hosts are rejected: %j", (host) => {
  const create = () => createAdmin(proxyWith(proxySnapshot), { hosts: ["admin.example.com", host as string] });
  expect(create).toThrow(/^hosts\[1\]: expected a host/);
});

test("cross-site request forgery: a foreign or null Origin is rejected, the own one is not", async () => {
  const { send, port } = await serveAdmin(onePool);
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
    const reply = await send("PATCH", "/api/pools/api/upstreams/a", { headers: { origin }, body: { weight: 9 } });
    expect([origin, reply.status]).toEqual([origin, 403]);
  }
  const host = `127.0.0.1:${port}`;
  expect((await send("GET", "/api/pools", { headers: { origin: own, host } })).status).toBe(200);
  const behindTls = { origin: "https://localhost", host: "localhost:443" };
  expect((await send("GET", "/api/pools", { headers: behindTls })).status).toBe(200);
});

test("cross-site request forgery: a no-cors fetch is rejected", async () => {
  const { send } = await serveAdmin(onePool);
  expect((await send("GET", "/api/pools", { headers: { "sec-fetch-mode": "no-cors" } })).status).toBe(403);
  expect((await send("GET", "/api/pools", { headers: { "sec-fetch-mode": "cors" } })).status).toBe(200);
});

test("cross-site request forgery: a change with the content-type of a form is rejected", async () => {
  const { send, proxy } = await serveAdmin(onePool);
  const types = ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "application/jsonp", ""];
  for (const [method, path, body] of [
    ["PATCH", "/api/pools/api/upstreams/a", '{"weight":9}'],
    ["POST", "/api/pools/api/upstreams", '{"url":"http://127.0.0.1:1"}'],
    ["POST", "/api/reload", "{}"],
    ["DELETE", "/api/pools/api/upstreams/a", ""],
  ] as const) {
    for (const type of types) {
      const reply = await send(method, path, { headers: { "content-type": type }, body });
      expect([method, type, reply.status]).toEqual([method, type, 415]);
    }
    expect((await send(method, path, { body })).status).toBe(415);
  }
  expect(proxy.pools.get("api")?.upstreams.map(({ id, weight }) => [id, weight])).toEqual([["a", 1]]);
});

test("an upgrade is rejected", async () => {
  const { send } = await serveAdmin(onePool);
  const headers = { connection: "upgrade", upgrade: "websocket" };
  expect((await send("GET", "/api/pools", { headers })).status).toBe(400);
});

test("every response forbids caching and MIME sniffing", async () => {
  const { send } = await serveAdmin(onePool);
  for (const path of ["/healthz", "/readyz", "/metrics", "/api/pools", "/nowhere"]) {
    const { headers } = await send("GET", path);
    expect(headers["cache-control"]).toBe("no-store");
    expect(headers["x-content-type-options"]).toBe("nosniff");
  }
});

test("an internal failure is a bare 500 without a message or a stack", async () => {
  const admin = createAdmin(
    proxyWith(() => {
      throw new Error("secret detail");
    }),
  );
  const { send } = await serve(admin.handler);
  for (const path of ["/readyz", "/metrics", "/api/pools"]) {
    const reply = await send("GET", path);
    expect(reply.status).toBe(500);
    expect(Object.keys(reply.json().error)).toEqual(["code", "message"]);
    expect(reply.json().error.code).toBe("internal");
    expect(reply.text).not.toMatch(/secret|\.ts|at /);
  }
});

test("after close every response is 503", async () => {
  const { admin, send } = await serveAdmin(onePool);
  expect((await send("GET", "/healthz")).status).toBe(200);
  admin.close();
  const reply = await send("GET", "/healthz");
  expect([reply.status, reply.json().error.code, reply.headers.connection]).toEqual([503, "closed", "close"]);
});
