import { Balancer, OptionsError } from "evenkeel";
import { expect, test, vi } from "vitest";
import { serveAdmin } from "./support/harness.ts";

const twoUpstreams = {
  pools: {
    api: {
      balance: "round-robin",
      upstreams: [
        { id: "a", url: "http://127.0.0.1:3001", weight: 3 },
        { id: "b", url: "http://127.0.0.1:3002" },
      ],
    },
    web: { upstreams: ["http://127.0.0.1:3003"] },
  },
  routes: [
    { path: "/api", pool: "api" },
    { path: "/", pool: "web" },
  ],
} as const;

const a = "/api/pools/api/upstreams/a";
const upstreams = "/api/pools/api/upstreams";
const empty = { headers: { "content-type": "application/json" } };

test("shows pools and upstreams as in the snapshot", async () => {
  const { send, proxy } = await serveAdmin(twoUpstreams);
  const { pools } = JSON.parse(JSON.stringify(proxy.snapshot()));
  expect((await send("GET", "/api/pools")).json()).toEqual({ pools });
  expect((await send("GET", "/api/pools/api")).json()).toEqual(pools[0]);
  expect((await send("GET", upstreams)).json()).toEqual({ upstreams: pools[0].upstreams });
  const reply = await send("GET", a);
  expect(reply.json()).toEqual(pools[0].upstreams[0]);
  expect(reply.json()).toMatchObject({ id: "a", weight: 3, effectiveWeight: 3, state: "active", inFlight: 0 });
  expect(reply.headers["content-type"]).toBe("application/json; charset=utf-8");
});

test("a changed weight and state apply from the very next pick", async () => {
  const { send, proxy } = await serveAdmin(twoUpstreams);
  const pool = proxy.pools.get("api");
  if (pool === undefined) throw new Error("no pool");
  const balancer = new Balancer(pool, { policy: "round-robin" });
  const picks = (count: number) => Array.from({ length: count }, () => balancer.pick()?.id).join("");
  expect(picks(8)).toBe("aabaaaba");

  const weight = await send("PATCH", a, { body: { weight: 1 } });
  expect([weight.status, weight.json().weight, weight.json().state]).toEqual([200, 1, "active"]);
  expect(picks(6)).toMatch(/^(ab){3}$|^(ba){3}$/);

  const state = await send("PATCH", a, { body: { state: "draining" } });
  expect([state.status, state.json().weight, state.json().state]).toEqual([200, 1, "draining"]);
  expect(state.json().available).toBe(false);
  expect(picks(4)).toBe("bbbb");

  const both = await send("PATCH", a, { body: { weight: 0, state: "active" } });
  expect([both.status, both.json().weight, both.json().state]).toEqual([200, 0, "active"]);
});

test.each([
  ["no body", undefined],
  ["an empty body", ""],
  ["an empty object", {}],
  ["null", "null"],
  ["an array", [{ weight: 2 }]],
  ["a number", 5],
  ["a string", '"weight"'],
  ["an unknown key", { weight: 2, wieght: 2 }],
  ["__proto__", '{"weight":2,"__proto__":{"x":1}}'],
  ["__proto__ alone", '{"__proto__":{"weight":2}}'],
  ["constructor", { weight: 2, constructor: { prototype: { x: 1 } } }],
  ["a weight that is text", { weight: "2", state: "draining" }],
  ["a weight that is null", { weight: null }],
  ["a broken weight", { weight: 1.5, state: "draining" }],
  ["a negative weight", { weight: -1, state: "draining" }],
  ["a weight over the limit", { weight: 257, state: "draining" }],
  ["a weight beyond numbers", '{"weight":1e999}'],
  ["an invalid timeout", { state: "draining", timeout: "soon" }],
  ["a timeout without its state", { timeout: "30s" }],
  ["a timeout of an active one", { state: "active", timeout: "30s" }],
  ["an unknown state", { weight: 2, state: "down" }],
  ["a state that is a list", { weight: 2, state: ["active"] }],
  ["a state that is null", { weight: 2, state: null }],
])("a change is validated as a whole before it is applied: %s", async (_, body) => {
  const { send, proxy } = await serveAdmin(twoUpstreams);
  const before = proxy.pools.get("api")?.snapshot().upstreams;
  const reply = await send("PATCH", a, { ...empty, body });
  expect([reply.status, reply.json().error.code]).toEqual([422, "invalid_options"]);
  expect(reply.json().error.issues.length).toBeGreaterThan(0);
  expect(proxy.pools.get("api")?.snapshot().upstreams).toEqual(before);
  expect(Object.hasOwn(Object.prototype, "x")).toBe(false);
});

test("a rejected change lists every mistake", async () => {
  const { send } = await serveAdmin(twoUpstreams);
  const { issues } = (await send("PATCH", a, { body: { wieght: 2, weight: "x", state: "down" } })).json().error;
  expect(issues.map(({ path }) => path)).toEqual(["wieght", "weight", "state"]);
  expect(issues[0]?.message).toContain('"weight"');
});

test("a new upstream is 201 with its location, and gets its share of requests", async () => {
  const { send, proxy, port } = await serveAdmin(twoUpstreams);
  const reply = await send("POST", upstreams, { body: { url: "http://127.0.0.1:3009", weight: 2, id: "c@x" } });
  expect([reply.status, reply.json().id, reply.json().weight]).toEqual([201, "c@x", 2]);
  const { pathname } = new URL(reply.headers.location ?? "", `http://127.0.0.1:${port}${upstreams}`);
  expect((await send("GET", pathname)).json().url).toBe("http://127.0.0.1:3009");
  expect(proxy.pools.get("api")?.available.map(({ id }) => id)).toEqual(["a", "b", "c@x"]);
});

test.each([
  ["no body", undefined],
  ["no url", { weight: 1 }],
  ["a bare string", '"http://127.0.0.1:3009"'],
  ["an array", ["http://127.0.0.1:3009"]],
  ["an unknown key", { url: "http://127.0.0.1:3009", wieght: 1 }],
  ["__proto__", '{"url":"http://127.0.0.1:3009","__proto__":{"x":1}}'],
  ["a taken id", { url: "http://127.0.0.1:3009", id: "a" }],
  ["an id that breaks lines", { url: "http://127.0.0.1:3009", id: "a\nb" }],
  ["a wrong weight", { url: "http://127.0.0.1:3009", weight: 300 }],
  ["a url that is a number", { url: 5 }],
  ["file:", { url: "file:///etc/passwd" }],
  ["gopher:", { url: "gopher://127.0.0.1" }],
  ["user info", { url: "http://u:p@127.0.0.1" }],
  ["port 0", { url: "http://127.0.0.1:0" }],
  ["port 99999", { url: "http://127.0.0.1:99999" }],
  ["a path with ..", { url: "http://127.0.0.1/a/.." }],
])("an invalid upstream is 422: %s", async (_, body) => {
  const { send, proxy } = await serveAdmin(twoUpstreams);
  const reply = await send("POST", upstreams, { ...empty, body });
  expect([reply.status, reply.json().error.code]).toEqual([422, "invalid_options"]);
  expect(proxy.pools.get("api")?.upstreams.map(({ id }) => id)).toEqual(["a", "b"]);
  expect(Object.hasOwn(Object.prototype, "x")).toBe(false);
});

test.each([
  "http://169.254.169.254/latest/meta-data",
  "http://169.254.169.254.:80",
  "http://2852039166",
  "http://0xa9fea9fe",
  "http://0251.0376.0251.0376",
  "http://[::ffff:169.254.169.254]",
  "http://[fe80::1]:3000",
  "https://[febf::1]",
  "http://[fd00:ec2::254]",
  "http://[fd20:ce::254]",
  "http://168.63.129.16",
  "http://metadata.google.internal",
  "https://Metadata.Google.Internal.:443/computeMetadata",
  "http+unix:///var/run/docker.sock",
])("server-side request forgery: %s cannot be added", async (url) => {
  const { send, proxy } = await serveAdmin(twoUpstreams);
  const reply = await send("POST", upstreams, { body: { url } });
  expect([reply.status, reply.json().error.issues[0]?.path]).toEqual([422, "url"]);
  expect(proxy.pools.get("api")?.upstreams.length).toBe(2);
});

test("a removed upstream is 202, gets no more requests, and is unknown from then on", async () => {
  const { send, proxy } = await serveAdmin(twoUpstreams);
  const reply = await send("DELETE", a, empty);
  expect([reply.status, reply.json()]).toEqual([202, { id: "a", state: "draining", inFlight: 0, tunnels: 0 }]);
  expect(proxy.pools.get("api")?.available.map(({ id }) => id)).toEqual(["b"]);
  expect((await send("DELETE", a, empty)).status).toBe(404);
  expect((await send("PATCH", a, { body: { weight: 1 } })).status).toBe(404);
  expect((await send("DELETE", `${upstreams}/b`, { body: { force: true } })).status).toBe(422);
});

test("reload responds with the changes", async () => {
  const changes = {
    pools: { added: ["x"], removed: [], changed: [] },
    upstreams: { added: [], removed: [] },
    routes: 1,
  };
  const onReload = vi.fn(() => Promise.resolve(changes));
  const { send } = await serveAdmin(twoUpstreams, { onReload });
  for (const options of [empty, { body: {} }]) {
    const reply = await send("POST", "/api/reload", options);
    expect([reply.status, reply.json()]).toEqual([200, changes]);
  }
  expect((await send("POST", "/api/reload", { body: { path: "/etc/passwd" } })).status).toBe(422);
  expect(onReload).toHaveBeenCalledTimes(2);
});

test("a failed reload is 422 with the errors", async () => {
  const issues = [{ path: ["pools", "api", "balance"], message: "expected another" }];
  const errors: unknown[] = [new OptionsError(issues), new Error("no such file"), "odd"];
  const { send } = await serveAdmin(twoUpstreams, {
    onReload: () => {
      throw errors.shift();
    },
  });
  const first = (await send("POST", "/api/reload", empty)).json().error;
  expect(first).toMatchObject({
    code: "invalid_options",
    issues: [{ path: "pools.api.balance", message: "expected another" }],
  });
  const second = await send("POST", "/api/reload", empty);
  expect([second.status, second.json().error]).toEqual([422, { code: "reload_failed", message: "no such file" }]);
  const third = await send("POST", "/api/reload", empty);
  expect([third.status, third.json().error.code]).toEqual([422, "reload_failed"]);
});

test("a reload without onReload is 501", async () => {
  const { send } = await serveAdmin(twoUpstreams);
  expect((await send("POST", "/api/reload", empty)).status).toBe(501);
});
