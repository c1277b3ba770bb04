import { createAdmin } from "@evenkeel/admin";
import { describe, expect, test } from "vitest";
import { ask } from "../../core/test/support/adapter-lab.ts";
import { create, serve, versions } from "./support/app.ts";

describe.each(versions)("%s: the admin API in the app", (_name, express) => {
  const mount = async (...parsers: readonly ReturnType<typeof express.json>[]) => {
    const api = create({ upstreams: [{ id: "a", url: "http://127.0.0.1:1" }] });
    const app = express();
    for (const parser of parsers) app.use(parser);
    const admin = createAdmin(api.proxy, { token: "secret", hosts: ["app.example"] });
    app.use("/-/proxy", admin.handler);
    app.use(api);
    return { api, port: await serve(app) };
  };
  const headers = { authorization: "Bearer secret", "content-type": "application/json" };

  test("serves its mount path, with its own access rules", async () => {
    const { port } = await mount();
    expect((await ask(port, { path: "/-/proxy/healthz" })).status).toBe(200);
    expect((await ask(port, { path: "/-/proxy/api/pools" })).status).toBe(401);
    expect((await ask(port, { path: "/-/proxy/nothing", headers })).status).toBe(404);
    const { body } = await ask(port, { path: "/-/proxy/api/pools?x", headers });
    expect(JSON.stringify(JSON.parse(body.toString()))).toContain('"id":"a"');
    const named = (host: string, more = {}) => ask(port, { path: "/-/proxy/api/pools", headers: { host, ...more } });
    expect((await named("app.example")).status).toBe(401);
    expect((await named("evil.example")).status).toBe(421);
    expect((await named("evil.example", headers)).status).toBe(200);
  });

  test("serves the dashboard at its mount path, with and without a slash at the end, and its sign-in", async () => {
    const { port } = await mount(express.json());
    const bare = await ask(port, { path: "/-/proxy?theme=dark" });
    expect([bare.status, bare.headers.location]).toEqual([308, "./proxy/?theme=dark"]);
    const page = await ask(port, { path: "/-/proxy/" });
    expect([page.status, page.headers["content-type"]]).toEqual([200, "text/html; charset=utf-8"]);
    const [, script = ""] = /src="([^"]+)"/.exec(page.body.toString()) ?? [];
    expect((await ask(port, { path: `/-/proxy/${script}` })).status).toBe(200);
    const origin = `http://127.0.0.1:${port}`;
    const body = '{"token":"secret"}';
    const sent = { origin, host: `127.0.0.1:${port}`, "content-type": "application/json" };
    const signedIn = await ask(port, { method: "POST", path: "/-/proxy/api/session", headers: sent, body });
    const cookie = String(signedIn.headers["set-cookie"]).split(";")[0] ?? "";
    const overview = await ask(port, { path: "/-/proxy/api/overview", headers: { host: sent.host, cookie } });
    expect([signedIn.status, overview.status]).toEqual([204, 200]);
  });

  test.each([
    { parsed: false, parsers: [] },
    { parsed: true, parsers: [express.json()] },
  ])("accepts a change, with the body read before: $parsed", async ({ parsers }) => {
    const { api, port } = await mount(...parsers);
    const path = "/-/proxy/api/pools/default/upstreams/a";
    const { status } = await ask(port, { method: "PATCH", path, headers, body: '{"weight":5}' });
    expect([status, api.proxy.pools.get("default")?.upstreams[0]?.weight]).toEqual([200, 5]);
  });
});
