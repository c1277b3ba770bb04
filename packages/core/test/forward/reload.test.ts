import { describe, expect, test } from "vitest";
import { limits } from "../../src/config/defaults.ts";
import type { ProxyOptions } from "../../src/config/options.ts";
import type { ReloadEvent } from "../../src/events.ts";
import type { Upstream } from "../../src/pool/upstream.ts";
import { createProxy } from "../../src/proxy.ts";
import { settle } from "../../src/runtime/virtual-clock.ts";
import { startLab } from "../support/forward-lab.ts";
import { type ScriptedUpstream, scriptedUpstream, type UpstreamRequest } from "../support/scripted-upstream.ts";
import { VirtualClock } from "../support/virtual-clock.ts";

/** A proxy that no request reaches. */
function proxyOf(options: ProxyOptions) {
  return createProxy(options, { clock: new VirtualClock() });
}

const upstreamOf = ({ name, url }: ScriptedUpstream, weight = 1) => ({ id: name, url, weight });

/** An upstream that responds when told. */
function holding(name: string) {
  const held: UpstreamRequest[] = [];
  return { upstream: scriptedUpstream(name, (request) => void held.push(request)), held };
}

describe("a reload that has no options to check", () => {
  test("options whose getter throws fail in the same way", () => {
    const proxy = proxyOf({ upstreams: ["http://127.0.0.1:1"] });
    const events: ReloadEvent[] = [];
    proxy.on("reload", (event) => events.push(event));
    const options = {
      get upstreams(): never {
        throw new TypeError("broken");
      },
    };
    expect(() => proxy.reload(options)).toThrow(TypeError);
    expect(events).toEqual([{ ok: false, error: expect.objectContaining({ code: "invalid_options" }) }]);
    expect(proxy.snapshot().reloads.failed).toBe(1);
  });
});

describe("the pools of a proxy", () => {
  test("are a view that follows every reload", () => {
    const proxy = proxyOf({ pools: { a: { upstreams: ["http://10.0.0.1:1"] } }, routes: [{ pool: "a" }] });
    const { pools } = proxy;
    const kept = pools.get("a");
    proxy.reload({
      pools: { a: { upstreams: ["http://10.0.0.1:1"] }, b: { upstreams: ["http://10.0.0.1:2"] } },
      routes: [{ pool: "a" }],
    });
    expect([...pools.keys()]).toEqual(["a", "b"]);
    expect(pools.get("a")).toBe(kept);
    expect(pools.get("b")?.upstreams.map(({ url }) => url)).toEqual(["http://10.0.0.1:2"]);
  });
});

test("other buckets of latency apply to every histogram, and keep the counts", () => {
  const upstreams = ["http://127.0.0.1:1"];
  const proxy = proxyOf({ upstreams });
  const [pool] = proxy.pools.values();
  const [upstream] = pool?.upstreams ?? [];
  const attempt = pool?.begin(upstream as Upstream);
  attempt?.responded(30, 200);
  attempt?.settle("success");
  const latency = () => proxy.snapshot().pools[0]?.upstreams[0]?.latency;
  expect(latency()).toMatchObject({ count: 1 });
  expect(latency()?.bounds).toHaveLength(15);
  proxy.reload({ upstreams: [...upstreams, "http://127.0.0.1:2"], latencyBuckets: ["10ms", "0.2s"] });
  expect(latency()).toEqual({ bounds: [0.01, 0.2], counts: [0, 1], count: 1, sum: 0.03 });
  expect(proxy.snapshot().pools[0]?.upstreams[1]?.latency.bounds).toEqual([0.01, 0.2]);
  expect(proxy.describeOptions()).toMatchObject({ latencyBuckets: ["10ms", "0.2s"] });
});

describe("what a reload says that it changed", () => {
  const at = (...ports: number[]) => ({ upstreams: ports.map((port) => `http://10.0.0.1:${port}`) });

  test("is what it changed", () => {
    const proxy = proxyOf({ pools: { a: at(1, 2), b: at(3), c: at() }, routes: [{ pool: "a" }] });
    const changes = proxy.reload({
      pools: { a: at(2, 4), c: at(), d: at(5) },
      routes: [{ path: "/d", pool: "d" }, { pool: "a" }],
    });
    expect(changes).toEqual({
      pools: { added: ["d"], removed: ["b"], changed: ["a"] },
      upstreams: { added: ["a/10.0.0.1:4", "d/10.0.0.1:5"], removed: ["a/10.0.0.1:1", "b/10.0.0.1:3"] },
      routes: 2,
    });
    expect([...proxy.pools.keys()].sort()).toEqual(["a", "c", "d"]);
  });

  test.each<[string, object, object]>([
    ["a status to retry on", { retry: { on: ["503"] } }, { retry: { on: ["502"] } }],
    ["a method to retry", { retry: { methods: ["GET"] } }, { retry: { methods: ["GET", "PUT"] } }],
    ["a limit", at(1), { upstreams: [{ url: "http://10.0.0.1:1", maxInFlight: 5 }] }],
    ["a pattern", { healthCheck: { expectBody: "/a/" } }, { healthCheck: { expectBody: "/b/" } }],
  ])("notices %s", (_name, before, after) => {
    const proxy = proxyOf({ ...at(9), ...before });
    expect(proxy.reload({ ...at(9), ...before }).pools.changed).toEqual([]);
    expect(proxy.reload({ ...at(9), ...after }).pools.changed).toEqual(["default"]);
  });
});

describe("what stays over a reload", () => {
  test("connections, counters, weights of an operator, and the place in the round", async () => {
    const [a, b] = [scriptedUpstream("a"), scriptedUpstream("b")];
    const options: ProxyOptions = { balance: "round-robin", upstreams: [upstreamOf(a, 3), upstreamOf(b)] };
    const lab = startLab(options);
    let names = "";
    for (let request = 0; request < 6; request++) names += (await lab.fetch()).text;
    lab.pool.setWeight("b", 3);
    const { pool } = lab;
    const connections = pool.upstreams.map((upstream) => pool.transport(upstream));
    expect(lab.reload(options).pools).toEqual({ added: [], removed: [], changed: [] });
    expect(lab.pool).toBe(pool);
    expect(pool.get("b")?.weight).toBe(3);
    expect(pool.snapshot().upstreams.map(({ outcomes }) => outcomes.success)).toEqual([5, 1]);
    for (const [index, upstream] of pool.upstreams.entries()) expect(pool.transport(upstream)).toBe(connections[index]);
    expect([a.closings, b.closings]).toEqual([0, 0]);
    names += (await lab.fetch()).text;
    expect(names).toBe("aabaaab");
  });

  test("requests on their way, with everything they began with", async () => {
    const { upstream: a, held } = holding("a");
    const b = scriptedUpstream("b");
    const lab = startLab({
      pools: { p: { upstreams: [upstreamOf(a)] } },
      routes: [{ path: "/x", pool: "p", responseHeaders: { set: { "X-Version": "1" } } }],
    });
    const response = lab.fetch("/x");
    await settle();
    lab.reload({ pools: { q: { upstreams: [upstreamOf(b)] } }, routes: [{ pool: "q" }] });
    expect(lab.pools.has("p")).toBe(false);
    expect((await lab.fetch("/x")).text).toBe("b");
    expect(a.closings).toBe(0);
    held[0]?.respond(200, [], "late");
    const { status, headers, text } = await response;
    expect([status, headers["x-version"], text]).toEqual([200, "1", "late"]);
    const events = await lab.finished(2);
    expect(events.map(({ pool, route, upstream }) => [pool, route, upstream])).toEqual([
      ["q", "/*", "b"],
      ["p", "/x/*", "a"],
    ]);
    // Drained, the old pool's connection is not kept for anybody.
    await lab.clock.advanceAsync(limits.retireCheckMs);
    expect([a.closings, b.closings]).toEqual([1, 0]);
  });

  test("a request in the queue of a pool that goes gets its answer", async () => {
    const { upstream, held } = holding("a");
    const upstreams = [{ id: "a", url: upstream.url, maxInFlight: 1 }];
    const lab = startLab({ pools: { p: { upstreams, queue: { timeout: "100ms" } } }, routes: [{ pool: "p" }] });
    const first = lab.fetch();
    await settle();
    const waiting = lab.fetch();
    await settle();
    const { queue } = lab.pool;
    expect(queue.depth).toBe(1);
    lab.reload({ pools: { q: { upstreams } }, routes: [{ pool: "q" }] });
    await lab.clock.advanceAsync(99);
    expect(queue.depth).toBe(1);
    await lab.clock.advanceAsync(1);
    expect((await waiting).status).toBe(503);
    expect(lab.requests).toMatchObject([{ status: 503, error: "queue_timeout", pool: "p" }]);
    held[0]?.respond(200);
    expect((await first).status).toBe(200);
  });
});

test("health checks go on, change and stop with the options", async () => {
  const a = scriptedUpstream("a", (request) => request.respond(request.url === "/bad" ? 500 : 200));
  const base = { upstreams: [upstreamOf(a)] };
  const intervalMs = 100;
  const check = (path: string) => ({ path, interval: `${intervalMs}ms`, unhealthyThreshold: 1, jitter: 0 }) as const;
  const lab = startLab({ ...base, healthCheck: check("/good") });
  const health = () => lab.pool.get("a")?.health;
  /** The probes of the next few intervals. */
  const probes = async () => {
    const before = a.received.length;
    await lab.clock.advanceAsync(3 * intervalMs);
    return a.received.slice(before).map(({ url }) => url);
  };
  await probes();
  expect(health()).toBe("healthy");
  lab.reload({ ...base, healthCheck: check("/good"), balance: "random" });
  expect(health()).toBe("healthy");
  expect(await probes()).toEqual(["/good", "/good", "/good"]);
  lab.reload({ ...base, healthCheck: check("/bad") });
  expect(new Set(await probes())).toEqual(new Set(["/bad"]));
  expect(health()).toBe("unhealthy");
  lab.reload(base);
  expect(health()).toBe("unknown");
  expect(lab.pool.get("a")?.available).toBe(true);
  expect(await probes()).toEqual([]);
});
