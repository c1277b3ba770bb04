import type { ServerResponse } from "node:http";
import { describe, expect, test } from "vitest";
import { OptionsError } from "../../src/config/issues.ts";
import type { ProxyOptions } from "../../src/config/options.ts";
import { ProxyError } from "../../src/errors.ts";
import type { ReloadEvent } from "../../src/events.ts";
import { begin, fetchFrom, keepAlive, rawClient, responseTo, underLoad } from "../support/client.ts";
import { turns, until } from "../support/event-loop.ts";
import { onlyPool, startProxy } from "../support/start-proxy.ts";
import { startUpstream } from "../support/start-upstream.ts";
import { connectSocket, echo, startEcho } from "../support/web-sockets.ts";

const upstreamOf = (id: string, url: string, weight = 1) => ({ id, url, weight });

describe("a hundred reloads under load", () => {
  test("lose no request, whatever changes", async () => {
    const servers = await Promise.all(["a", "b", "c"].map((name) => startUpstream(name)));
    const [a, b, c] = servers.map(({ url }) => url);
    if (a === undefined || b === undefined || c === undefined) throw new Error("three servers");
    const variants: ProxyOptions[] = [
      { upstreams: [upstreamOf("a", a), upstreamOf("b", b)] },
      { upstreams: [upstreamOf("b", b, 5), upstreamOf("c", c)], balance: "round-robin" },
      { upstreams: [upstreamOf("a", c)], connections: { keepAlive: "3s" } },
      { upstreams: [upstreamOf("c", c), upstreamOf("a", a)], timeouts: { headers: "20s" }, balance: "least-requests" },
      { pools: { default: { upstreams: [a] }, other: { upstreams: [b] } }, routes: [{ pool: "other" }] },
    ];
    const { url, proxy } = await startProxy(variants[0] as ProxyOptions);
    const agent = keepAlive(20);
    let running = true;
    const requests = underLoad(2_000, 20, async (index) => {
      const ask = { agent, ...(index % 3 === 0 && { method: "POST", body: "x".repeat(index) }) };
      return (await fetchFrom(url, ask)).status;
    }).finally(() => {
      running = false;
    });
    let reloads = 0;
    for (; reloads < 100 || running; reloads++) {
      proxy.reload(variants[(reloads + 1) % variants.length] as ProxyOptions);
      await turns(5);
    }
    expect((await requests).filter((status) => status !== 200)).toEqual([]);
    expect(proxy.snapshot().reloads).toEqual({ succeeded: reloads, failed: 0, lastSuccessful: true });
    for (const server of servers) expect(server.received.length).toBeGreaterThan(0);
  });
});

describe("a reload that is wrong", () => {
  test("changes nothing and says everything", async () => {
    const a = await startUpstream("a");
    const { url, proxy } = await startProxy({ upstreams: [upstreamOf("a", a.url)] });
    const events: ReloadEvent[] = [];
    proxy.on("reload", (event) => events.push(event));
    const before = proxy.snapshot();
    const wrong = { upstreams: ["ftp://x", { url: a.url, weight: 1_000 }], balance: "best" } as unknown as ProxyOptions;
    let thrown: unknown;
    try {
      proxy.reload(wrong);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(OptionsError);
    expect((thrown as OptionsError).issues.map(({ path }) => path.join("."))).toEqual(
      expect.arrayContaining(["upstreams.0", "upstreams.1.weight", "balance"]),
    );
    expect(events).toEqual([{ ok: false, error: thrown }]);
    expect(proxy.snapshot().pools).toEqual(before.pools);
    expect(proxy.snapshot().reloads).toEqual({ succeeded: 0, failed: 1, lastSuccessful: false });
    expect((await fetchFrom(url)).text).toBe("a");
    proxy.reload({ upstreams: [upstreamOf("a", a.url)] });
    expect(proxy.snapshot().reloads).toEqual({ succeeded: 1, failed: 1, lastSuccessful: true });
  });
});

describe("a reload that has no options to check", () => {
  test("is emitted and counted, and the options in force stay in force", async () => {
    const a = await startUpstream("a");
    const { url, proxy } = await startProxy({ upstreams: [upstreamOf("a", a.url)] });
    const events: ReloadEvent[] = [];
    proxy.on("reload", (event) => events.push(event));
    const before = proxy.snapshot();
    const missing = new Error("no such file");
    const reported = proxy.reloadFailed(missing);
    expect(reported).toBeInstanceOf(ProxyError);
    expect(reported).toMatchObject({ code: "invalid_options", message: "no such file", cause: missing });
    const mistake = new OptionsError([{ path: ["balance"], message: "expected another" }]);
    expect(proxy.reloadFailed(mistake)).toBe(mistake);
    expect(proxy.reloadFailed("odd").message).toBe("odd");
    expect(events.map((event) => (event.ok ? "" : event.error.message))).toEqual([
      "no such file",
      mistake.message,
      "odd",
    ]);
    expect(proxy.snapshot().pools).toEqual(before.pools);
    expect(proxy.snapshot().reloads).toEqual({ succeeded: 0, failed: 3, lastSuccessful: false });
    expect((await fetchFrom(url)).text).toBe("a");
  });

  test("options whose getter throws fail in the same way", async () => {
    const { proxy } = await startProxy({ upstreams: ["http://127.0.0.1:1"] });
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
  test("are a view that follows every reload", async () => {
    const { proxy } = await startProxy({ pools: { a: { upstreams: ["http://h:1"] } }, routes: [{ pool: "a" }] });
    const { pools } = proxy;
    const kept = pools.get("a");
    proxy.reload({
      pools: { a: { upstreams: ["http://h:1"] }, b: { upstreams: ["http://h:2"] } },
      routes: [{ pool: "a" }],
    });
    expect([...pools.keys()]).toEqual(["a", "b"]);
    expect(pools.get("a")).toBe(kept);
    expect(pools.get("b")?.upstreams.map(({ url }) => url)).toEqual(["http://h:2"]);
  });
});

describe("what a reload says that it changed", () => {
  test("is what it changed", async () => {
    const { proxy } = await startProxy({
      pools: { a: { upstreams: ["http://h:1", "http://h:2"] }, b: { upstreams: ["http://h:3"] }, c: { upstreams: [] } },
      routes: [{ pool: "a" }],
    });
    const changes = proxy.reload({
      pools: { a: { upstreams: ["http://h:2", "http://h:4"] }, c: { upstreams: [] }, d: { upstreams: ["http://h:5"] } },
      routes: [{ path: "/d", pool: "d" }, { pool: "a" }],
    });
    expect(changes).toEqual({
      pools: { added: ["d"], removed: ["b"], changed: ["a"] },
      upstreams: { added: ["a/h:4", "d/h:5"], removed: ["a/h:1", "b/h:3"] },
      routes: 2,
    });
    expect([...proxy.pools.keys()].sort()).toEqual(["a", "c", "d"]);
  });

  test.each<[string, object, object]>([
    ["a status to retry on", { retry: { on: ["503"] } }, { retry: { on: ["502"] } }],
    ["a method to retry", { retry: { methods: ["GET"] } }, { retry: { methods: ["GET", "PUT"] } }],
    ["a limit", { upstreams: ["http://h:1"] }, { upstreams: [{ url: "http://h:1", maxInFlight: 5 }] }],
    ["a pattern", { healthCheck: { expectBody: "/a/" } }, { healthCheck: { expectBody: "/b/" } }],
  ])("notices %s", async (_name, before, after) => {
    const { proxy } = await startProxy({ upstreams: ["http://h:9"], ...before });
    expect(proxy.reload({ upstreams: ["http://h:9"], ...before }).pools.changed).toEqual([]);
    expect(proxy.reload({ upstreams: ["http://h:9"], ...after }).pools.changed).toEqual(["default"]);
  });
});

describe("what stays over a reload", () => {
  test("connections, counters, weights of an operator, and the place in the round", async () => {
    const [a, b] = [await startUpstream("a"), await startUpstream("b")];
    const options: ProxyOptions = {
      balance: "round-robin",
      upstreams: [upstreamOf("a", a.url, 3), upstreamOf("b", b.url)],
    };
    const { url, proxy } = await startProxy(options);
    let names = "";
    for (let request = 0; request < 6; request++) names += (await fetchFrom(url)).text;
    onlyPool(proxy).setWeight("b", 3);
    const pool = onlyPool(proxy);
    const sockets = [...a.sockets];
    expect(proxy.reload(options).pools).toEqual({ added: [], removed: [], changed: [] });
    expect(onlyPool(proxy)).toBe(pool);
    expect(pool.get("b")?.weight).toBe(3);
    expect(pool.snapshot().upstreams.map(({ outcomes }) => outcomes.success)).toEqual([5, 1]);
    expect([...a.sockets]).toEqual(sockets);
    names += (await fetchFrom(url)).text;
    expect(names).toBe("aabaaab");
  });

  test("the tunnels of an upstream that stays, and of one that goes", async () => {
    const [a, b] = [await startEcho("a"), await startEcho("b")];
    const { url, proxy } = await startProxy({
      balance: "round-robin",
      upstreams: [upstreamOf("a", a.url), upstreamOf("b", b.url)],
    });
    const [first, second] = [await connectSocket(url), await connectSocket(url)];
    const drained: string[] = [];
    proxy.on("member", ({ upstream, change }) => drained.push(`${upstream} ${change}`));
    proxy.reload({ balance: "random", upstreams: [upstreamOf("a", a.url)] });
    expect((await echo(first, "still")).data.toString()).toBe("still");
    expect((await echo(second, "here")).data.toString()).toBe("here");
    expect(drained).toEqual(["b removed"]);
    expect(onlyPool(proxy).tunnels).toBe(2);
    second.close();
    await until(() => drained.length === 2);
    expect(drained).toEqual(["b removed", "b drained"]);
    first.close();
    await until(() => onlyPool(proxy).tunnels === 0);
  });

  test("requests on their way, with everything they began with", async () => {
    const held: ServerResponse[] = [];
    const a = await startUpstream("a", (_req, res) => void held.push(res));
    const b = await startUpstream("b");
    const pools = { p: { upstreams: [upstreamOf("a", a.url)] } };
    const { url, proxy, finished } = await startProxy({
      pools,
      routes: [{ path: "/x", pool: "p", responseHeaders: { set: { "X-Version": "1" } } }],
    });
    const request = begin(`${url}/x`).end();
    await until(() => held.length === 1);
    proxy.reload({ pools: { q: { upstreams: [upstreamOf("b", b.url)] } }, routes: [{ pool: "q" }] });
    expect(proxy.pools.has("p")).toBe(false);
    expect((await fetchFrom(`${url}/x`)).text).toBe("b");
    held[0]?.end("late");
    const response = await responseTo(request);
    response.resume();
    expect([response.statusCode, response.headers["x-version"]]).toEqual([200, "1"]);
    const events = await finished(2);
    expect(events.map(({ pool, route, upstream }) => [pool, route, upstream])).toEqual([
      ["q", "/*", "b"],
      ["p", "/x/*", "a"],
    ]);
    // Drained, the old pool's connection is not kept for anybody.
    await until(() => a.sockets.size === 0);
  });

  test("a request in the queue of a pool that goes gets its answer", async () => {
    const held: ServerResponse[] = [];
    const a = await startUpstream("a", (_req, res) => void held.push(res));
    const upstreams = [{ id: "a", url: a.url, maxInFlight: 1 }];
    const { url, port, proxy } = await startProxy({
      pools: { p: { upstreams, queue: { timeout: "100ms" } } },
      routes: [{ pool: "p" }],
    });
    const first = begin(url).end();
    await until(() => held.length === 1);
    const waiting = await rawClient(port, "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    await until(() => onlyPool(proxy).queue.depth === 1);
    proxy.reload({ pools: { q: { upstreams } }, routes: [{ pool: "q" }] });
    expect((await waiting.over()).text).toMatch(/^HTTP\/1\.1 503 /);
    held[0]?.end();
    (await responseTo(first)).resume();
  });
});

test("connections are made anew when what they are made with changes", async () => {
  const a = await startUpstream("a");
  const options = { upstreams: [upstreamOf("a", a.url)] };
  const { url, proxy } = await startProxy(options);
  await fetchFrom(url);
  expect(a.sockets.size).toBe(1);
  proxy.reload({ ...options, connections: { keepAlive: "2s" } });
  await until(() => a.sockets.size === 0);
  expect((await fetchFrom(url)).text).toBe("a");
});

test("health checks go on, change and stop with the options", async () => {
  const a = await startUpstream("a", (req, res) => void res.writeHead(req.url === "/bad" ? 500 : 200).end());
  const base = { upstreams: [upstreamOf("a", a.url)] };
  const check = (path: string) => ({ path, interval: "100ms", unhealthyThreshold: 1, jitter: 0 });
  const { proxy } = await startProxy({ ...base, healthCheck: check("/good") });
  const health = () => onlyPool(proxy).get("a")?.health;
  await until(() => health() === "healthy");
  proxy.reload({ ...base, healthCheck: check("/good"), balance: "random" });
  expect(health()).toBe("healthy");
  proxy.reload({ ...base, healthCheck: check("/bad") });
  await until(() => health() === "unhealthy");
  proxy.reload(base);
  expect(health()).toBe("unknown");
  expect(onlyPool(proxy).get("a")?.available).toBe(true);
});
