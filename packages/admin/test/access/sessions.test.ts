/** Browsers: signing in and out, and pages of other origins that try to use the session of a user. */

import http, { type IncomingMessage } from "node:http";
import { afterEach, expect, onTestFinished, test, vi } from "vitest";
import { limits } from "../../src/limits.ts";
import { type SendRequest, serveAdmin } from "../support/harness.ts";

const onePool = { pools: { api: { upstreams: [{ id: "a", url: "http://127.0.0.1:3001" }] } } };
const token = "correct-horse";
const readToken = "may-only-look";
const upstream = "/api/pools/api/upstreams/a";

afterEach(() => {
  vi.useRealTimers();
});

async function serveBoth() {
  const served = await serveAdmin(onePool, { token, readToken, hosts: ["admin.example"] });
  onTestFinished(() => served.admin.close());
  const origin = `http://127.0.0.1:${served.port}`;
  return { ...served, origin, host: `127.0.0.1:${served.port}` };
}

/** Returns the Cookie header of a browser that has signed in. */
async function signIn(send: SendRequest, host: string, secret = token): Promise<string> {
  const headers = { host, origin: `http://${host}` };
  const reply = await send("POST", "/api/session", { body: { token: secret }, headers });
  expect(reply.status).toBe(204);
  const [cookie = ""] = reply.headers["set-cookie"] ?? [];
  return cookie.split(";")[0] ?? "";
}

test("a browser signs in, may do what its token may do, and signs out", async () => {
  const { send, host, origin, port } = await serveBoth();
  const info = async (headers = {}) => (await send("GET", "/api/session", { headers: { host, ...headers } })).json();
  expect(await info()).toEqual({ role: null, signIn: true });
  const signedIn = await send("POST", "/api/session", { body: { token }, headers: { host, origin } });
  const [cookie = "", ...others] = signedIn.headers["set-cookie"] ?? [];
  expect([signedIn.status, signedIn.text, others]).toEqual([204, "", []]);
  // No Path: the browser takes the folder of /api/session, wherever the API is mounted.
  expect(cookie).toMatch(new RegExp(`^evenkeel-session-${port}=[\\w-]{43}; Max-Age=43200; HttpOnly; SameSite=Strict$`));
  expect(cookie).not.toContain(token);
  const session = { host, cookie: `theme=dark; ${cookie.split(";")[0]}; other=1` };
  expect(await info(session)).toEqual({ role: "operator", signIn: true });
  expect((await send("GET", "/api/overview", { headers: session })).json()).toMatchObject({ role: "operator" });
  const patch = () => send("PATCH", upstream, { body: { weight: 4 }, headers: { ...session, origin } });
  expect((await patch()).json().weight).toBe(4);

  const stream = await open(port, session);
  const signedOut = await send("DELETE", "/api/session", { body: {}, headers: { ...session, origin } });
  expect(signedOut.status).toBe(204);
  expect(signedOut.headers["set-cookie"]?.[0]).toMatch(/=; Max-Age=0; HttpOnly; SameSite=Strict$/);
  await stream.ended;
  expect((await patch()).status).toBe(401);
  expect(await info(session)).toEqual({ role: null, signIn: true });
});

test("a viewer may read everything and change nothing, with a session and with a bearer token", async () => {
  const { send, host, origin, proxy } = await serveBoth();
  const cookie = await signIn(send, host, readToken);
  for (const headers of [{ host, origin, cookie }, { authorization: `Bearer ${readToken}` }]) {
    for (const path of ["/api/overview", "/api/history", "/api/failures", "/api/config", "/api/pools", upstream]) {
      expect([path, (await send("GET", path, { headers })).status]).toEqual([path, 200]);
    }
    expect((await send("GET", "/api/overview", { headers })).json()).toMatchObject({ role: "viewer" });
    for (const [method, path, body] of [
      ["PATCH", upstream, { weight: 9 }],
      ["DELETE", upstream, {}],
      ["POST", "/api/pools/api/upstreams", { url: "http://127.0.0.1:3002" }],
      ["POST", "/api/reload", {}],
      ["POST", "/api/restart", {}],
      ["POST", "/api/overview", {}],
      ["POST", "/nowhere", {}],
    ] as const) {
      const reply = await send(method, path, { body, headers });
      expect([path, reply.status, reply.json().error.code]).toEqual([path, 403, "read_only"]);
    }
  }
  expect(proxy.snapshot().pools[0]?.upstreams).toMatchObject([{ id: "a", weight: 1, state: "active" }]);
  const out = await send("DELETE", "/api/session", { body: {}, headers: { host, origin, cookie } });
  expect(out.status).toBe(204);
});

test("a page of another origin cannot use the session, even on this host", async () => {
  const { send, host, origin, proxy } = await serveBoth();
  const cookie = await signIn(send, host);
  const attempts: readonly [string, http.OutgoingHttpHeaders, number][] = [
    ["another port, which SameSite allows", { origin: "http://127.0.0.1:3000" }, 403],
    ["another site", { origin: "https://evil.example" }, 403],
    ["a sandboxed frame", { origin: "null" }, 403],
    ["no Origin", {}, 403],
    ["by the browser's own word", { origin, "sec-fetch-site": "same-site" }, 403],
    ["DNS rebinding", { host: "evil.example", origin: "http://evil.example" }, 421],
  ];
  for (const [name, headers, status] of attempts) {
    const sent = { host, cookie, ...headers };
    const change = await send("PATCH", upstream, { body: { weight: 9 }, headers: sent });
    expect([name, change.status]).toEqual([name, status]);
    expect([name, (await send("DELETE", "/api/session", { body: {}, headers: sent })).status]).toEqual([name, status]);
  }
  // A form and text/plain need no CORS preflight.
  for (const type of ["application/x-www-form-urlencoded", "text/plain", "multipart/form-data; boundary=x"]) {
    for (const [method, path] of [
      ["PATCH", upstream],
      ["POST", "/api/session"],
    ] as const) {
      const headers = { host, cookie, origin, "content-type": type };
      expect((await send(method, path, { body: '{"weight":9}', headers })).status).toBe(415);
    }
  }
  for (const headers of [{ "sec-fetch-site": "cross-site" }, { "sec-fetch-site": "same-site" }, { origin: "null" }]) {
    expect((await send("GET", "/api/overview", { headers: { host, cookie, ...headers } })).status).toBe(403);
  }
  expect(proxy.snapshot().pools[0]?.upstreams[0]?.weight).toBe(1);
  expect((await send("GET", "/api/overview", { headers: { host, cookie } })).status).toBe(200);
});

test("signing in needs a known Host and the page's own origin, and replaces the session before", async () => {
  const { send, host, origin, port } = await serveBoth();
  const attempt = (headers: http.OutgoingHttpHeaders, body: unknown = { token }) =>
    send("POST", "/api/session", { body, headers });
  expect((await attempt({ host: "evil.example", origin: "http://evil.example" })).status).toBe(421);
  expect((await attempt({ host, origin: "http://127.0.0.1:3000" })).status).toBe(403);
  expect((await attempt({ host, origin }, { token: 1 })).status).toBe(422);
  expect((await attempt({ host, origin }, { token, more: 1 })).status).toBe(422);
  expect((await attempt({ host, origin }, "not json")).status).toBe(415);
  // Behind a proxy that ends TLS, the origin says that the browser uses it.
  const secure = await attempt({ host: "admin.example", origin: "https://admin.example" });
  expect(secure.headers["set-cookie"]?.[0]).toMatch(/^evenkeel-session=.*; HttpOnly; SameSite=Strict; Secure$/);

  const first = await signIn(send, host);
  const headers = { host, origin, cookie: first };
  const second = (await send("POST", "/api/session", { body: { token: readToken }, headers })).headers["set-cookie"];
  expect((await send("GET", "/api/overview", { headers })).status).toBe(401);
  const cookie = second?.[0]?.split(";")[0] ?? "";
  expect((await send("GET", "/api/overview", { headers: { host, cookie } })).json()).toMatchObject({ role: "viewer" });
  // Nothing that a client has chosen becomes a session.
  for (const value of ["", "x", "__proto__", "a".repeat(43)]) {
    const fixed = { host, cookie: `evenkeel-session-${port}=${value}` };
    expect((await send("GET", "/api/overview", { headers: fixed })).status).toBe(401);
  }
});

test("wrong tokens are throttled, in the form and as bearer tokens, and sessions go on", async () => {
  const { send, host, origin } = await serveBoth();
  const cookie = await signIn(send, host);
  const attempt = (secret: string) =>
    send("POST", "/api/session", { body: { token: secret }, headers: { host, origin } });
  const read = (secret: string) => send("GET", "/api/overview", { headers: { authorization: `Bearer ${secret}` } });
  for (let count = 0; count < limits.signInAttempts; count++) {
    const reply = await attempt(`guess-${count}`);
    expect([reply.status, reply.json().error.code]).toEqual([401, "invalid_token"]);
    expect(reply.text).not.toContain(`guess-${count}`);
  }
  // The right one too: otherwise the limit would limit nothing.
  for (const secret of ["one-more", token]) {
    const reply = await attempt(secret);
    expect([reply.status, reply.json().error.code]).toEqual([429, "too_many_attempts"]);
    expect(Number(reply.headers["retry-after"])).toBeGreaterThan(0);
  }
  expect((await read(token)).status).toBe(200);
  const wrong = Array.from({ length: limits.bearerAttempts }, (_, count) => read(`wrong-${count}`));
  expect(new Set((await Promise.all(wrong)).map(({ status }) => status))).toEqual(new Set([401]));
  expect((await read(token)).status).toBe(429);
  expect((await send("GET", "/api/overview", { headers: { host, cookie } })).status).toBe(200);
  expect((await send("GET", "/healthz")).status).toBe(200);
});

test("a session ends after its time, with the admin API, and when there are too many of its role", async () => {
  const { send, host, admin, port } = await serveBoth();
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  const old = await signIn(send, host);
  const status = async (cookie: string) => (await send("GET", "/api/overview", { headers: { host, cookie } })).status;
  const stream = await open(port, { host, cookie: old });
  vi.advanceTimersByTime(limits.sessionMs - 1);
  expect(await status(old)).toBe(200);
  vi.advanceTimersByTime(1);
  expect(await status(old)).toBe(401);
  await stream.ended;

  const operator = await signIn(send, host);
  const [first = "", second = ""] = [await signIn(send, host, readToken), await signIn(send, host, readToken)];
  for (let count = 2; count <= limits.sessions; count++) await signIn(send, host, readToken);
  expect([await status(first), await status(second), await status(operator)]).toEqual([401, 200, 200]);
  const last = await open(port, { host, cookie: operator });
  admin.close();
  await last.ended;
  expect(await status(operator)).toBe(503);
});

test("without a token every local client is an operator, and there is nothing to sign in to", async () => {
  const { send, admin } = await serveAdmin(onePool);
  onTestFinished(() => admin.close());
  expect((await send("GET", "/api/session")).json()).toEqual({ role: "operator", signIn: false });
  const reply = await send("POST", "/api/session", { body: { token } });
  expect([reply.status, reply.json().error.code]).toEqual([409, "no_token"]);
});

/** Opens the event stream. */
async function open(port: number, headers: http.OutgoingHttpHeaders): Promise<{ readonly ended: Promise<unknown> }> {
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    http.get({ port, path: "/api/events", agent: false, headers }, resolve).on("error", reject);
  });
  expect(response.statusCode).toBe(200);
  response.resume();
  return { ended: new Promise((resolve) => response.on("close", resolve)) };
}
