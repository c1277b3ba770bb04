import http from "node:http";
import { expect, onTestFinished, test } from "vitest";
import { type AdminOptions, createAdmin, proxyTarget, RestartRefused } from "../src/index.ts";
import { parseExposition, sampleValue } from "./support/exposition.ts";
import { groupOf, workerSnapshot } from "./support/group-target.ts";
import { serve, serveAdmin } from "./support/harness.ts";

const options = {
  pools: {
    api: { upstreams: ["a", "b"].map((id) => ({ id, url: `http://127.0.0.1:1/${id}` })) },
  },
} as const;

async function serveGroup(size: number, adminOptions: AdminOptions = {}) {
  const group = groupOf(options, size);
  return { ...group, ...(await serve(createAdmin(group.target, adminOptions).handler)) };
}

const a = "/api/pools/api/upstreams/a";
const empty = { headers: { "content-type": "application/json" } };

test("a change is in force in every worker before the response, which has the merged state", async () => {
  const { send, workers } = await serveGroup(3);
  const patched = await send("PATCH", a, { body: { weight: 5, state: "draining" } });
  expect([patched.status, patched.json()]).toMatchObject([200, { weight: 5, state: "draining", ejectedIn: 0 }]);
  const added = await send("POST", "/api/pools/api/upstreams", { body: { id: "c", url: "http://127.0.0.1:1/c" } });
  expect([added.status, added.json().id]).toEqual([201, "c"]);
  for (const worker of workers) {
    expect(worker.pools.get("api")?.get("a")).toMatchObject({ weight: 5, state: "draining" });
    expect(worker.pools.get("api")?.get("c")).toBeDefined();
  }
  for (const worker of workers) {
    const pool = worker.pools.get("api");
    const upstream = pool?.get("a");
    if (upstream !== undefined) pool?.begin(upstream);
  }
  expect((await send("DELETE", a, empty)).json()).toEqual({ id: "a", state: "draining", inFlight: 3, tunnels: 0 });
  expect((await send("GET", a)).json().error.code).toBe("unknown_upstream");
  for (const worker of workers) expect(worker.pools.get("api")?.get("a")).toBeUndefined();
});

test("what workers find out by their own traffic is merged: an ejection, metrics, explanations", async () => {
  const { send, workers } = await serveGroup(3);
  const pool = workers[1]?.pools.get("api");
  const upstream = pool?.get("a");
  if (upstream === undefined) throw new Error("no upstream");
  for (let count = 0; count < 5; count++) pool?.begin(upstream).settle("reset");
  expect((await send("GET", a)).json()).toMatchObject({ available: true, ejectedIn: 1, outcomes: { reset: 5 } });
  const explained = await send("GET", "/api/explain?url=/");
  expect(explained.json()).toMatchObject({ workers: { agreeing: [1, 3], others: [{ workers: [2] }] } });
  const families = parseExposition((await send("GET", "/metrics")).text);
  const labels = { pool: "api", upstream: "a" };
  expect(sampleValue(families, "evenkeel_upstream_requests_total", { ...labels, outcome: "reset" })).toBe(5);
  expect(sampleValue(families, "evenkeel_upstream_available", labels)).toBe(1);
});

test("shows the workers, and has metrics for each", async () => {
  const { send } = await serveGroup(2);
  expect((await send("GET", "/api/workers")).json()).toEqual({ workers: [workerSnapshot(1), workerSnapshot(2)] });
  const families = parseExposition((await send("GET", "/metrics")).text);
  const value = (name: string, labels: Record<string, string>) =>
    sampleValue(families, `evenkeel_worker_${name}`, { worker: "2", ...labels });
  expect(value("connections", {})).toBe(20);
  expect(value("event_loop_delay_seconds", { quantile: "0.99" })).toBe(0.0025);
  expect(value("event_loop_delay_seconds", { quantile: "1" })).toBe(0.04);
  expect(value("heap_used_bytes", {})).toBe(20_000_000);
  expect(value("resident_memory_bytes", {})).toBe(90_400_000);
  expect(value("start_time_seconds", {})).toBe(1_700_000_000);
  expect(["exited", "killed", "stalled", "unconfirmed"].map((reason) => value("restarts_total", { reason }))).toEqual([
    0, 2, 1, 0,
  ]);
});

test("one process has no workers, and no metrics of workers", async () => {
  const { send } = await serveAdmin(options);
  expect((await send("GET", "/api/workers")).text).toBe('{"workers":[]}\n');
  expect((await send("GET", "/metrics")).text).not.toContain("evenkeel_worker");
});

test("an event of a worker has its number", async () => {
  const { port, workers } = await serveGroup(2);
  const response = await new Promise<http.IncomingMessage>((resolve, reject) => {
    http.get({ port, path: "/api/events", agent: false }, resolve).on("error", reject);
  });
  onTestFinished(() => void response.destroy());
  let text = "";
  for await (const chunk of response.setEncoding("utf8")) {
    if (text === "") workers[1]?.pools.get("api")?.setWeight("a", 3);
    text += String(chunk);
    if (text.includes("event: weight")) break;
  }
  expect(text).toMatch(/event: weight\ndata: .*"upstream":"a".*"worker":2/);
});

test("readyz is 503 while the process is draining, though the target serves", async () => {
  let draining = false;
  const { send } = await serveGroup(1, { draining: () => draining });
  expect((await send("GET", "/readyz")).status).toBe(200);
  draining = true;
  const reply = await send("GET", "/readyz");
  expect([reply.status, reply.json().reasons.map(({ code }) => code)]).toEqual([503, ["draining"]]);
});

test("readyz is 503 until the process accepts connections", async () => {
  let starting = true;
  const { send } = await serveGroup(1, { starting: () => starting });
  const reply = await send("GET", "/readyz");
  expect([reply.status, reply.json().reasons.map(({ code }) => code)]).toEqual([503, ["starting"]]);
  starting = false;
  expect((await send("GET", "/readyz")).status).toBe(200);
});

test("simultaneous requests of readyz share one snapshot, and a failed one is not kept", async () => {
  const { target } = groupOf(options, 1);
  let snapshots = 0;
  let resume = () => {};
  const paused = new Promise<void>((resolve) => (resume = resolve));
  const snapshot = async () => {
    if (++snapshots === 1) {
      await paused;
      throw new Error("no worker");
    }
    return target.snapshot();
  };
  const { handler } = createAdmin({ ...target, snapshot }, { sampleAfter: new Promise(() => {}) });
  let received = 0;
  const { send } = await serve((req, res) => {
    handler(req, res);
    if (++received === 3) setImmediate(resume);
  });
  const replies = await Promise.all([1, 2, 3].map(() => send("GET", "/readyz")));
  expect(replies.map(({ status }) => status)).toEqual([500, 500, 500]);
  expect(snapshots).toBe(1);
  expect((await send("GET", "/readyz")).status).toBe(200);
});

test("a restart responds with the new process, or with the reason why there is none", async () => {
  const results: (() => Promise<{ pid: number }>)[] = [
    async () => ({ pid: 4_321 }),
    () => Promise.reject(new RestartRefused("a restart is in progress")),
    () => Promise.reject(new Error("the new process has ended with code 2: config.toml:3:1: unknown key")),
    async () => {
      throw "odd";
    },
  ];
  const { send } = await serveGroup(1, { onRestart: () => results.shift()?.() ?? Promise.reject(new Error("more")) });
  expect((await send("POST", "/api/restart", { body: { force: true } })).status).toBe(422);
  const replies = [];
  for (let count = 0; count < 4; count++) replies.push(await send("POST", "/api/restart", empty));
  expect(replies.map(({ status, text }) => [status, JSON.parse(text)])).toEqual([
    [200, { pid: 4_321 }],
    [409, { error: { code: "restart_refused", message: "a restart is in progress" } }],
    [500, { error: { code: "restart_failed", message: expect.stringContaining("config.toml:3:1") } }],
    [500, { error: { code: "restart_failed", message: "the new process could not be started" } }],
  ]);
});

test("a process that cannot be restarted in place responds with 501, and restarts need the token", async () => {
  const { send } = await serveAdmin(options);
  const reply = await send("POST", "/api/restart", empty);
  expect([reply.status, reply.json().error.code]).toEqual([501, "not_implemented"]);
  const guarded = await serveGroup(1, { token: "open-sesame", onRestart: async () => ({ pid: 1 }) });
  expect((await guarded.send("POST", "/api/restart", empty)).status).toBe(401);
  expect((await guarded.send("GET", "/api/workers")).status).toBe(401);
});

test("the target of a proxy rejects unknown pools and upstreams", async () => {
  const { base } = groupOf(options, 1);
  const target = proxyTarget(base);
  await expect(target.setUpstream("none", "a", { weight: 2 })).rejects.toMatchObject({ code: "unknown_upstream" });
  await expect(target.setUpstream("api", "none", { weight: 2 })).rejects.toMatchObject({ code: "unknown_upstream" });
  await expect(target.removeUpstream("api", "none")).rejects.toMatchObject({ code: "unknown_upstream" });
  await expect(target.addUpstream("none", { url: "http://127.0.0.1:1" })).rejects.toMatchObject({
    code: "unknown_upstream",
  });
});
