import { expect, test } from "vitest";
import { createAdmin } from "../src/index.ts";
import { discoverySnapshot, poolSnapshot, proxySnapshot, proxyWith, serve, serveAdmin } from "./harness.ts";

const twoPools = {
  pools: {
    api: { upstreams: [{ id: "a", url: "http://127.0.0.1:3001" }] },
    web: { upstreams: [{ id: "w", url: "http://127.0.0.1:3002" }] },
  },
  routes: [{ pool: "api" }],
};

test("healthz is 200 while the process lives, ready or not", async () => {
  const admin = createAdmin(proxyWith(() => proxySnapshot({ draining: true })));
  const { ask } = await serve(admin.handler);
  expect((await ask("GET", "/healthz")).json()).toEqual({ status: "ok" });
  expect((await ask("GET", "/readyz")).status).toBe(503);
});

test("readyz is 503 with every reason", async () => {
  const pools = [
    poolSnapshot({ name: "api", available: 0 }),
    poolSnapshot(),
    poolSnapshot({ name: "web", available: 0 }),
  ];
  const admin = createAdmin(proxyWith(() => proxySnapshot({ draining: true, pools })));
  const { ask } = await serve(admin.handler);
  const reply = await ask("GET", "/readyz");
  expect(reply.status).toBe(503);
  const reasons = reply.json().reasons.map(({ code, pool }) => [code, pool]);
  expect(reply.json().ready).toBe(false);
  expect(reasons).toEqual([
    ["draining", undefined],
    ["none_available", "api"],
    ["none_available", "web"],
  ]);
});

test.each([
  ["awaited", null, "api.internal is being looked up"],
  ["failing", { reason: "SERVFAIL", at: 0 }, "looking up api.internal fails (SERVFAIL)"],
  ["ok", null, undefined],
] as const)("readyz says what DNS has to do with it: %s", async (status, lastError, because) => {
  const discovery = discoverySnapshot({ status, lastError });
  const pools = [poolSnapshot({ available: 0, discovery })];
  const { ask } = await serve(createAdmin(proxyWith(() => proxySnapshot({ pools }))).handler);
  const message = ['pool "api" has no available upstream', because].filter((part) => part !== undefined).join(": ");
  expect((await ask("GET", "/readyz")).json().reasons).toEqual([{ code: "none_available", pool: "api", message }]);
});

test("readyz follows the pools and the proxy's end", async () => {
  const { ask, proxy } = await serveAdmin(twoPools);
  expect((await ask("GET", "/readyz")).json()).toEqual({ ready: true });

  proxy.pools.get("web")?.setState("w", "disabled");
  const reply = await ask("GET", "/readyz");
  expect([reply.status, reply.json().reasons[0]?.pool]).toEqual([503, "web"]);

  proxy.pools.get("web")?.setState("w", "active");
  expect((await ask("GET", "/readyz")).status).toBe(200);

  await proxy.close();
  const closed = await ask("GET", "/readyz");
  expect([closed.status, closed.json().reasons[0]?.code]).toEqual([503, "draining"]);
  expect((await ask("GET", "/healthz")).status).toBe(200);
});
