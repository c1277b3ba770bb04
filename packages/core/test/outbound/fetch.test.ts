import { describe, expect, test } from "vitest";
import { ProxyError } from "../../src/errors.ts";
import { outbound } from "../../src/outbound/outbound.ts";
import { Pool } from "../../src/pool/pool.ts";
import { fetchFrom, underLoad } from "../support/client.ts";
import { until } from "../support/event-loop.ts";
import { refusingUrl } from "../support/refusing-port.ts";
import { onlyPool, startProxy } from "../support/start-proxy.ts";
import { bodyOf, startRawUpstream, startUpstream } from "../support/start-upstream.ts";

/** The error code that a `fetch` was rejected with. */
async function codeOf(promise: Promise<unknown>): Promise<string> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(TypeError);
  const { cause } = error as TypeError;
  expect(cause).toBeInstanceOf(ProxyError);
  return (cause as ProxyError).code;
}

const textOf = async (response: Promise<Response>) => (await response).text();

describe("fetch on a proxy's pool", () => {
  test("balances by weight, interleaved with proxied requests", async () => {
    const [a, b] = [await startUpstream("a"), await startUpstream("b")];
    const upstreams = [
      { url: a.url, weight: 3 },
      { url: b.url, weight: 1 },
    ];
    const { proxy, url, requests } = await startProxy({ upstreams, balance: "round-robin" });
    const { fetch } = proxy.outbound("default");
    const responses: string[] = [];
    for (let count = 0; count < 8; count++) {
      responses.push(await textOf(fetch("/x?y=1")), (await fetchFrom(url)).text);
    }
    expect(responses.join("")).toBe("aabaaabaaabaaaba");
    expect(a.received[0]).toMatchObject({ method: "GET", url: "/x?y=1" });
    expect(a.received[0]?.headers.host).toBe(`127.0.0.1:${a.port}`);
    // Only proxied requests are counted as requests.
    expect(requests).toHaveLength(8);
    const outcomes = proxy.snapshot().pools[0]?.upstreams.map((upstream) => upstream.outcomes["success"]);
    expect(outcomes).toEqual([12, 4]);
  });

  test("no request fails while one upstream of three is left, with any method", async () => {
    const alive = await startUpstream("alive");
    const upstreams = [await refusingUrl(), alive.url, await refusingUrl()];
    const { proxy } = await startProxy({ upstreams, balance: "round-robin", outlierDetection: false });
    const { fetch } = proxy.outbound("default");
    const responses = await underLoad(60, 6, (index) =>
      textOf(fetch("/", index % 2 === 0 ? {} : { method: "POST", body: "once" })),
    );
    expect(new Set(responses)).toEqual(new Set(["alive"]));
    expect(alive.received).toHaveLength(60);
  });

  test("retries a GET after a reset, but never a POST", async () => {
    const broken = await startRawUpstream((socket) => void socket.resetAndDestroy());
    const whole = await startUpstream("whole");
    const { proxy } = await startProxy({
      upstreams: [broken.url, whole.url],
      balance: "round-robin",
      outlierDetection: false,
    });
    const { fetch } = proxy.outbound("default");
    expect(await textOf(fetch("/"))).toBe("whole");
    // After that retry it is the turn of `whole`.
    expect(await textOf(fetch("/"))).toBe("whole");
    const outcomes = [];
    for (let count = 0; count < 4; count++) {
      outcomes.push(
        await textOf(fetch("/", { method: "POST", body: "x" })).catch(({ cause }: { cause: ProxyError }) => cause.code),
      );
    }
    expect(outcomes.toSorted()).toEqual(["reset", "reset", "whole", "whole"]);
    expect(broken.heads.filter((head) => head.startsWith("POST"))).toHaveLength(2);
    expect(whole.received.filter(({ method }) => method === "POST")).toHaveLength(2);
    expect(proxy.snapshot().pools[0]?.retries).toMatchObject({ reset: expect.any(Number) });
  });

  test("retries on a status listed in `retry.on`", async () => {
    const busy = await startUpstream("busy", (_req, res) => void res.writeHead(503).end());
    const ready = await startUpstream("ready");
    const { proxy } = await startProxy({
      upstreams: [busy.url, ready.url],
      balance: "first",
      retry: { on: ["503"] },
    });
    const { fetch } = proxy.outbound("default");
    expect(await textOf(fetch("/"))).toBe("ready");
    expect((await fetch("/", { method: "POST" })).status).toBe(503);
  });

  test("a stale connection counts as no failure", async () => {
    const upstream = await startUpstream("up");
    const { proxy } = await startProxy({ upstreams: [upstream.url] });
    const { fetch } = proxy.outbound("default");
    expect(await textOf(fetch("/"))).toBe("up");
    for (const socket of upstream.sockets) socket.resetAndDestroy();
    expect(await textOf(fetch("/"))).toBe("up");
    expect(proxy.snapshot().pools[0]?.upstreams[0]?.outcomes).toMatchObject({ success: 2 });
  });

  test("shares maxInFlight and the queue with proxied requests", async () => {
    const held: (() => void)[] = [];
    const upstream = await startUpstream("up", (_req, res) => void held.push(() => void res.end("up")));
    const { proxy, url } = await startProxy({
      upstreams: [{ url: upstream.url, maxInFlight: 1 }],
      queue: { max: 1, timeout: "10s" },
    });
    const { fetch } = proxy.outbound("default");
    const forwarded = fetchFrom(url);
    await until(() => held.length === 1);
    const own = textOf(fetch("/own"));
    await until(() => onlyPool(proxy).queue.depth === 1);
    expect(await codeOf(fetch("/too-many"))).toBe("queue_full");
    expect((await fetchFrom(url)).status).toBe(503);
    held.shift()?.();
    expect((await forwarded).text).toBe("up");
    await until(() => held.length === 1);
    held.shift()?.();
    expect(await own).toBe("up");
  });

  test("failures of outbound requests eject for proxied requests, and the other way round", async () => {
    const good = await startUpstream("good");
    const bad = await startUpstream("bad", (_req, res) => void res.writeHead(500).end("bad"));
    const outlierDetection = { consecutiveFailures: 3, failureStatuses: ["500-599"], maxEjectionPercent: 50 };
    for (const from of ["own", "forwarded"] as const) {
      const { proxy, url } = await startProxy({
        upstreams: [good.url, bad.url],
        balance: "round-robin",
        outlierDetection,
      });
      const { fetch } = proxy.outbound("default");
      const ask = { own: () => textOf(fetch("/")), forwarded: async () => (await fetchFrom(url)).text };
      let ejected = false;
      proxy.on("eject", () => {
        ejected = true;
      });
      while (!ejected) await ask[from]();
      const other = from === "own" ? ask.forwarded : ask.own;
      expect([await other(), await other(), await other()]).toEqual(["good", "good", "good"]);
    }
  });

  test("rejects with the reason as its cause", async () => {
    const { proxy } = await startProxy({ upstreams: [await refusingUrl()], outlierDetection: false });
    const { fetch } = proxy.outbound("default");
    expect(await codeOf(fetch("/"))).toBe("connect_refused");
    onlyPool(proxy).setState(onlyPool(proxy).upstreams[0]?.id ?? "", "disabled");
    expect(await codeOf(fetch("/"))).toBe("none_available");
  });

  test("follows a reload, also one that removes its pool", async () => {
    const [a, b] = [await startUpstream("a"), await startUpstream("b")];
    const pools = (api: string) => ({ pools: { api: { upstreams: [api] }, web: { upstreams: [b.url] } } });
    const routes = [{ pool: "web" }];
    const { proxy } = await startProxy({ ...pools(a.url), routes });
    const { fetch } = proxy.outbound("api");
    expect(await textOf(fetch("/"))).toBe("a");
    proxy.reload({ ...pools(b.url), routes });
    expect(await textOf(fetch("/"))).toBe("b");
    proxy.reload({ pools: { web: { upstreams: [b.url] } }, routes });
    expect(await codeOf(fetch("/"))).toBe("none_available");
    expect(() => proxy.outbound("api")).toThrow('there is no pool "api"');
  });

  test("close waits for requests in flight, and refuses later ones", async () => {
    let respond = () => {};
    const upstream = await startUpstream("up", (_req, res) => {
      respond = () => void res.end("late");
    });
    const { proxy } = await startProxy({ upstreams: [upstream.url] });
    const { fetch } = proxy.outbound("default");
    const own = textOf(fetch("/"));
    await until(() => upstream.received.length === 1);
    const closed = proxy.close({ timeout: "10s" });
    respond();
    expect(await own).toBe("late");
    await closed;
    expect(await codeOf(fetch("/"))).toBe("closed");
  });

  test("close ends requests after its timeout", async () => {
    const upstream = await startUpstream("up", () => {});
    const { proxy } = await startProxy({ upstreams: [upstream.url] });
    const own = codeOf(proxy.outbound("default").fetch("/"));
    await until(() => upstream.received.length === 1);
    await proxy.close({ timeout: "0ms" });
    expect(await own).toBe("closed");
  });

  test("observes `timeouts.total`", async () => {
    const upstream = await startUpstream("up", () => {});
    const { proxy } = await startProxy({ upstreams: [upstream.url], timeouts: { total: "50ms" } });
    expect(await codeOf(proxy.outbound("default").fetch("/"))).toBe("total_timeout");
  });
});

describe("fetch on a pool alone", () => {
  test("accepts paths, URLs and Requests, whose host is only a name", async () => {
    const upstream = await startUpstream("up", (req, res) => {
      const head = `${req.method} ${req.url} ${String(req.headers["x-own"] ?? "")}`;
      void bodyOf(req).then((body) => res.end(`${head} ${body.toString()}`));
    });
    const pool = new Pool("api", { upstreams: [`${upstream.url}/base`] });
    const { fetch } = outbound(pool, { hosts: ["api.example.com"] });
    const init = { headers: new Headers({ "X-Own": "1" }) };
    expect(await textOf(fetch("/x", init))).toBe("GET /base/x 1 ");
    expect(await textOf(fetch(new URL("http://api/x?"), init))).toBe("GET /base/x? 1 ");
    expect(await textOf(fetch("https://API.pool/x"))).toBe("GET /base/x  ");
    expect(await textOf(fetch("https://api.example.com/x"))).toBe("GET /base/x  ");
    const request = new Request("http://api/x", { method: "PUT", body: "all", ...init });
    expect(await textOf(fetch(request))).toBe("PUT /base/x 1 all");
    expect(await textOf(fetch(new Request("http://api/x"), { method: "POST", body: "new" }))).toBe("POST /base/x  new");
    const form = new FormData();
    form.append("file", new File(["content"], "name.txt"));
    expect(await textOf(fetch("/x", { method: "POST", body: form }))).toContain('filename="name.txt"');
    expect(await textOf(fetch("/x", { method: "POST", body: new URLSearchParams({ a: "1" }) }))).toMatch(/ a=1$/);
    pool.close();
  });

  test("refuses other hosts, also in redirects", async () => {
    const elsewhere = await startUpstream("elsewhere");
    let location = "/there";
    const upstream = await startUpstream("up", (req, res) => {
      if (req.url === "/") res.writeHead(302, { location }).end();
      else res.end(req.url);
    });
    const pool = new Pool("api", { upstreams: [upstream.url] });
    const { fetch } = outbound(pool);
    expect(await codeOf(fetch("http://other/"))).toBe("no_route");
    expect(await codeOf(fetch("//other/"))).toBe("no_route");
    expect(await textOf(fetch("/"))).toBe("/there");
    location = `${upstream.url}/own-address`;
    expect(await textOf(fetch("/"))).toBe("/own-address");
    location = `${elsewhere.url}/`;
    expect(await codeOf(fetch("/"))).toBe("no_route");
    expect(elsewhere.received).toEqual([]);
    pool.close();
  });

  test("hashes by `hashOn` of the pool", async () => {
    const upstreams = [await startUpstream("a"), await startUpstream("b"), await startUpstream("c")];
    const pool = new Pool("api", {
      upstreams: upstreams.map(({ url }) => url),
      balance: "hash",
      hashOn: "header:x-user",
    });
    const { fetch } = outbound(pool);
    const responses = new Map<string, Set<string>>();
    for (let count = 0; count < 60; count++) {
      const user = String(count % 12);
      const set = responses.get(user) ?? new Set();
      responses.set(user, set.add(await textOf(fetch("/", { headers: { "x-user": user } }))));
    }
    expect([...responses.values()].every((names) => names.size === 1)).toBe(true);
    expect(new Set([...responses.values()].flatMap((names) => [...names])).size).toBeGreaterThan(1);
    pool.close();
  });

  test("applies a load report, and removes it from the response", async () => {
    const upstream = await startUpstream("busy", (_req, res) => void res.setHeader("X-Load", "0.75").end("busy"));
    const pool = new Pool("api", { upstreams: [upstream.url], weights: { header: "x-load" } });
    const response = await outbound(pool).fetch("/");
    expect([response.headers.has("x-load"), await response.text()]).toEqual([false, "busy"]);
    expect(pool.upstreams[0]?.effectiveWeight).toBe(0.25);
    pool.close();
  });

  test("an abort ends the request at the upstream, counts as no failure, and leaves the queue", async () => {
    const upstream = await startUpstream("up", () => {});
    const pool = new Pool("api", { upstreams: [{ id: "up", url: upstream.url, maxInFlight: 1 }] });
    const { fetch } = outbound(pool);
    const [first, second] = [new AbortController(), new AbortController()];
    const running = fetch("/", { signal: first.signal });
    await until(() => upstream.received.length === 1);
    const waiting = fetch("/", { signal: second.signal });
    await until(() => pool.queue.depth === 1);
    second.abort(new Error("no patience"));
    await expect(waiting).rejects.toThrow("no patience");
    expect(pool.queue.depth).toBe(0);
    first.abort();
    await expect(running).rejects.toMatchObject({ name: "AbortError" });
    await until(() => upstream.sockets.size === 0);
    expect(pool.inFlight).toBe(0);
    expect(pool.snapshot().upstreams[0]).toMatchObject({ outcomes: { aborted: 1 }, lastFailure: null });
    await expect(fetch("/", { signal: AbortSignal.abort() })).rejects.toMatchObject({ name: "AbortError" });
    expect(pool.inFlight).toBe(0);
    pool.close();
  });
});
