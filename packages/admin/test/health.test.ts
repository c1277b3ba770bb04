import { connect } from "node:net";
import { createProxy, type PoolSnapshot } from "evenkeel";
import { describe, expect, onTestFinished, test } from "vitest";
import { createAdmin } from "../src/index.ts";
import { discoverySnapshot, poolSnapshot, proxySnapshot, proxyWith, serve, serveAdmin } from "./support/harness.ts";

const twoPools = {
  pools: {
    api: { upstreams: [{ id: "a", url: "http://127.0.0.1:3001" }] },
    web: { upstreams: [{ id: "w", url: "http://127.0.0.1:3002" }] },
  },
  routes: [{ pool: "api" }],
};

test("healthz is 200 while the process runs, ready or not", async () => {
  const admin = createAdmin(proxyWith(() => proxySnapshot({ draining: true })));
  const { send } = await serve(admin.handler);
  expect((await send("GET", "/healthz")).json()).toEqual({ status: "ok" });
  expect((await send("GET", "/readyz")).status).toBe(503);
});

test("readyz is 503 with every reason", async () => {
  const pools = [
    poolSnapshot({ name: "api", available: 0, serving: false }),
    poolSnapshot(),
    poolSnapshot({ name: "web", available: 0, serving: false }),
  ];
  const admin = createAdmin(proxyWith(() => proxySnapshot({ draining: true, pools })));
  const { send } = await serve(admin.handler);
  const reply = await send("GET", "/readyz");
  expect(reply.status).toBe(503);
  const reasons = reply.json().reasons.map(({ code, pool }) => [code, pool]);
  expect(reply.json().ready).toBe(false);
  expect(reasons).toEqual([
    ["draining", undefined],
    ["none_available", "api"],
    ["none_available", "web"],
  ]);
});

describe("readyz", () => {
  const serving = { serving: true, available: 1 };
  const panicking = { serving: true, available: 0, panic: true };
  const down = { serving: false, available: 0 };

  test.each<[string, Partial<PoolSnapshot>[], number[], number, string[]]>([
    ["every pool serves", [serving, serving], [], 200, []],
    ["one of several does not serve", [serving, down], [], 200, ["none_available p1"]],
    ["a required one does not serve", [serving, down], [1], 503, ["none_available p1"]],
    ["one that is not required does not serve", [serving, down], [0], 200, ["none_available p1"]],
    ["the only one does not serve", [down], [], 503, ["none_available p0"]],
    ["none serves", [down, down], [], 503, ["none_available p0", "none_available p1"]],
    ["panic serves the only one", [panicking], [], 200, ["panic p0"]],
    ["panic serves one that is required", [panicking, down], [0], 200, ["panic p0", "none_available p1"]],
    ["all upstreams are full", [{ serving: true, available: 0 }], [0], 200, []],
    ["there is no pool", [], [], 503, ["no_pools undefined"]],
  ])("when %s", async (_, changes, required, status, reasons) => {
    const pools = changes.map((change, index) => poolSnapshot({ name: `p${index}`, ...change }));
    const names = pools.map(({ name }) => name);
    const proxy = proxyWith(() => proxySnapshot({ pools }), names);
    const { send } = await serve(createAdmin(proxy, { readyPools: required.map((index) => `p${index}`) }).handler);
    const reply = await send("GET", "/readyz");
    expect(reply.status).toBe(status);
    expect(reply.json().ready).toBe(status === 200);
    expect(reply.json().reasons.map(({ code, pool }) => `${code} ${pool}`)).toEqual(reasons);
  });

  test("is 503 when a reload has removed a required pool", async () => {
    const { send, proxy } = await serveAdmin(twoPools, { readyPools: ["web"] });
    expect((await send("GET", "/readyz")).status).toBe(200);
    proxy.reload({ pools: { api: twoPools.pools.api } });
    const reply = await send("GET", "/readyz");
    expect([reply.status, reply.json().reasons]).toEqual([
      503,
      [{ code: "unknown_pool", pool: "web", message: 'there is no pool "web"' }],
    ]);
  });
});

test.each([
  [["wbe"], 'readyPools[0]: there is no pool "wbe", did you mean "web"?'],
  ["web", "readyPools: expected an array of names of pools"],
  [[1], "readyPools: expected an array of names of pools"],
])("readyPools %j is rejected", (readyPools, message) => {
  const proxy = createProxy(twoPools);
  onTestFinished(() => proxy.close());
  expect(() => createAdmin(proxy, { readyPools: readyPools as string[] })).toThrow(message);
});

test.each([
  ["awaited", null, "api.internal is being looked up"],
  ["failing", { reason: "SERVFAIL", at: 0 }, "looking up api.internal fails (SERVFAIL)"],
  ["ok", null, undefined],
] as const)("readyz says what DNS has to do with it: %s", async (status, lastError, because) => {
  const discovery = discoverySnapshot({ status, lastError });
  const pools = [poolSnapshot({ available: 0, serving: false, discovery })];
  const { send } = await serve(createAdmin(proxyWith(() => proxySnapshot({ pools }))).handler);
  const message = ['pool "api" has no available upstream', because].filter((part) => part !== undefined).join(": ");
  expect((await send("GET", "/readyz")).json().reasons).toEqual([{ code: "none_available", pool: "api", message }]);
});

test("readyz follows the state of the pools and the close of the proxy", async () => {
  const { send, proxy } = await serveAdmin(twoPools);
  expect((await send("GET", "/readyz")).json()).toEqual({ ready: true, reasons: [] });

  proxy.pools.get("web")?.setState("w", "disabled");
  const reply = await send("GET", "/readyz");
  expect([reply.status, reply.json().reasons[0]?.pool]).toEqual([200, "web"]);

  proxy.pools.get("api")?.setState("a", "disabled");
  expect((await send("GET", "/readyz")).status).toBe(503);

  proxy.pools.get("web")?.setState("w", "active");
  expect((await send("GET", "/readyz")).status).toBe(200);

  await proxy.close();
  const closed = await send("GET", "/readyz");
  expect([closed.status, closed.json().reasons[0]?.code]).toEqual([503, "draining"]);
  expect((await send("GET", "/healthz")).status).toBe(200);
});

test("thousands of pipelined requests start in one turn of the event loop each", async () => {
  let inTurn = 0;
  let most = 0;
  let all = 0;
  const proxy = proxyWith(() => {
    if (inTurn === 0) {
      setImmediate(() => {
        inTurn = 0;
      });
    }
    all++;
    most = Math.max(most, ++inTurn);
    return proxySnapshot({ pools: [poolSnapshot()] });
  });
  const { port } = await serve(createAdmin(proxy, { sampleAfter: new Promise(() => {}) }).handler);
  const client = connect(port, "127.0.0.1");
  onTestFinished(() => void client.destroy());
  client.write("GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(1_500));
  client.resume();
  await expect.poll(() => all, { timeout: 20_000 }).toBe(1_500);
  expect(most).toBeLessThanOrEqual(3);
});
