import type { ServerResponse } from "node:http";
import { describe, expect, test } from "vitest";
import type { PoolOptions, StickyOptions } from "../../src/config/options.ts";
import type { ProxySurroundings } from "../../src/proxy.ts";
import { fetchFrom, rawClient } from "../support/client.ts";
import { until } from "../support/event-loop.ts";
import { memberOf } from "../support/pools.ts";
import { onlyPool, startProxy } from "../support/start-proxy.ts";
import { startUpstream, type TestUpstream } from "../support/start-upstream.ts";
import { VirtualClock } from "../support/virtual-clock.ts";
import { handshake, startEcho } from "../support/web-sockets.ts";

const secret = "a secret for tests";

/** Upstreams a, b and c that answer with their names, behind a proxy that keeps its clients. */
async function trio(sticky: StickyOptions = {}, options: Partial<PoolOptions> = {}, runtime: ProxySurroundings = {}) {
  const servers: Record<string, TestUpstream> = {};
  for (const name of ["a", "b", "c"]) servers[name] = await startUpstream(name);
  const upstreams = Object.entries(servers).map(([id, { url }]) => ({ id, url, maxInFlight: 2 }));
  const all = { upstreams, balance: "round-robin", trustedProxies: ["127.0.0.1"], ...options } as const;
  const started = await startProxy({ ...all, sticky: { secret, ...sticky } }, { runtime });
  const pool = onlyPool(started.proxy);
  return { ...started, servers, upstreams, pool, ask: askerOf(started.url) };
}

/** Asks as a browser does: who answers, and the cookie to come back with. */
function askerOf(url: string) {
  return async (cookie?: string, headers: Record<string, string> = {}) => {
    const answer = await fetchFrom(url, { headers: { ...headers, ...(cookie !== undefined && { Cookie: cookie }) } });
    const setCookies = answer.headers["set-cookie"] ?? [];
    return { ...answer, setCookies, cookie: setCookies[0]?.split(";")[0] ?? "" };
  };
}

/** A client that is bound to the upstream of that name. */
async function clientOf(name: string, ask: ReturnType<typeof askerOf>): Promise<string> {
  for (;;) {
    const { text, cookie } = await ask();
    if (text === name) return cookie;
  }
}

describe("a client that comes back with its cookie", () => {
  test.each(["p2c", "round-robin", "least-requests", "random", "peak-ewma", "hash", "first"] as const)(
    "is answered by the same upstream under %s, and gets no other cookie",
    async (balance) => {
      const { ask } = await trio({}, { balance });
      const first = await ask();
      expect(first.cookie).toMatch(/^evenkeel=[\w-]{43}$/);
      for (let count = 0; count < 6; count++) {
        const { text, setCookies } = await ask(first.cookie);
        expect([text, setCookies]).toEqual([first.text, []]);
      }
    },
  );

  test("is answered by it through another proxy that has the secret, and after a reload", async () => {
    const { ask, upstreams, proxy } = await trio();
    const cookie = await clientOf("b", ask);
    const other = askerOf((await startProxy({ upstreams: upstreams.toReversed(), sticky: { secret } })).url);
    expect(await other(cookie)).toMatchObject({ text: "b", setCookies: [] });
    proxy.reload({ upstreams: upstreams.slice(1), sticky: { secret } });
    expect(await ask(cookie)).toMatchObject({ text: "b", setCookies: [] });
  });

  test("is nobody's to a proxy with another secret, or of another pool", async () => {
    const { ask, upstreams } = await trio();
    const cookie = await clientOf("b", ask);
    for (const options of [
      { upstreams, sticky: { secret: "another secret" } },
      { upstreams, sticky: {} },
      { pools: { other: { upstreams, sticky: { secret } } } },
    ]) {
      const { setCookies } = await askerOf((await startProxy(options)).url)(cookie);
      expect(setCookies).toHaveLength(1);
    }
  });

  test("keeps its upstream over a reload without a secret", async () => {
    const { ask, upstreams, proxy } = await trio({ secret: undefined as never });
    const cookie = await clientOf("c", ask);
    proxy.reload({ upstreams, sticky: {} });
    expect(await ask(cookie)).toMatchObject({ text: "c", setCookies: [] });
  });

  test.each<[string, (pool: ReturnType<typeof onlyPool>) => void]>([
    ["drains", (pool) => pool.setState("b", "draining")],
    ["has weight 0", (pool) => pool.setWeight("b", 0)],
  ])("keeps an upstream that %s, and newcomers do not get it", async (_, change) => {
    const { ask, pool } = await trio();
    const cookie = await clientOf("b", ask);
    change(pool);
    expect(await ask(cookie)).toMatchObject({ text: "b", setCookies: [] });
    for (let count = 0; count < 6; count++) expect((await ask()).text).not.toBe("b");
  });

  test("stays where it is in panic", async () => {
    const { ask, pool } = await trio();
    const cookie = await clientOf("b", ask);
    for (const upstream of pool.upstreams) pool.setHealth(upstream, "unhealthy", "a test");
    for (let count = 0; count < 3; count++) expect(await ask(cookie)).toMatchObject({ text: "b", setCookies: [] });
  });
});

describe("an upstream that cannot be had", () => {
  const ways: [string, (pool: ReturnType<typeof onlyPool>) => void][] = [
    ["disabled", (pool) => pool.setState("b", "disabled")],
    ["unhealthy", (pool) => pool.setHealth(memberOf(pool, "b"), "unhealthy", "a test")],
    ["ejected", (pool) => pool.ejections.eject(memberOf(pool, "b"), "consecutive-failures", 60_000)],
    ["removed", (pool) => pool.remove("b")],
  ];

  test.each(ways)("is replaced when it is %s, and the client bound anew", async (_, change) => {
    const { ask, pool, servers, finished } = await trio();
    const cookie = await clientOf("b", ask);
    const before = servers["b"]?.received.length;
    change(pool);
    const moved = await ask(cookie);
    expect(moved.text).not.toBe("b");
    expect(moved.setCookies).toHaveLength(1);
    expect(await ask(moved.cookie)).toMatchObject({ text: moved.text, setCookies: [] });
    expect(servers["b"]?.received).toHaveLength(before as number);
    const events = await finished(3);
    expect(events.map(({ flags }) => flags.includes("rebound"))).toContain(true);
  });

  test.each(ways)("is 503 without a dial under `fail` when it is %s", async (how, change) => {
    const { ask, pool, requests } = await trio({ onMissing: "fail" });
    const cookie = await clientOf("b", ask);
    change(pool);
    const { status, headers, setCookies } = await ask(cookie);
    expect([status, headers["retry-after"]]).toEqual([503, "1"]);
    expect(headers["proxy-status"]).toBe('evenkeel; error=destination_unavailable; details="sticky_unavailable"');
    expect(requests.at(-1)).toMatchObject({ error: "sticky_unavailable", attempts: [] });
    // One that is a member may come back; a cookie of no member never holds again.
    const takenBack = ["evenkeel=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax"];
    expect(setCookies).toEqual(how === "removed" ? takenBack : []);
  });

  test("is 503 under `fail` in words of the app's own, too", async () => {
    const onError = ({ respond }: { respond(answer: { status: number; body: string }): void }) =>
      respond({ status: 503, body: "gone" });
    const { ask, pool } = await trio({ onMissing: "fail" }, {}, { onError });
    const cookie = await clientOf("b", ask);
    pool.remove("b");
    expect(await ask(cookie)).toMatchObject({ text: "gone", cookie: "evenkeel=" });
  });

  test("serves its clients again under `fail` when it is back", async () => {
    const { ask, pool } = await trio({ onMissing: "fail" });
    const cookie = await clientOf("b", ask);
    pool.setState("b", "disabled");
    expect((await ask(cookie)).status).toBe(503);
    pool.setState("b", "active");
    expect(await ask(cookie)).toMatchObject({ text: "b", setCookies: [] });
  });
});

describe("an upstream that fails", () => {
  test("loses its client to the one that answers", async () => {
    const { ask, servers } = await trio();
    const cookie = await clientOf("b", ask);
    await servers["b"]?.kill();
    const moved = await ask(cookie);
    expect(moved.text).not.toBe("b");
    expect(await ask(moved.cookie)).toMatchObject({ text: moved.text, setCookies: [] });
  });

  test("loses its client for a status that is retried, too", async () => {
    const { ask, servers } = await trio({}, { retry: { on: ["503"] } });
    const cookie = await clientOf("b", ask);
    (servers["b"] as TestUpstream).answer = (_req, res) => res.writeHead(503).end();
    const { status, text, setCookies } = await ask(cookie);
    expect([status, setCookies.length]).toEqual([200, 1]);
    expect(text).not.toBe("b");
  });

  test("is tried alone under `fail`, and the failure is told as it is", async () => {
    const { ask, servers, requests } = await trio(
      { onMissing: "fail" },
      {
        retry: { on: ["connect-failure", "503"], attempts: 1, connectFor: "0s" },
      },
    );
    const cookie = await clientOf("b", ask);
    (servers["b"] as TestUpstream).answer = (_req, res) => res.writeHead(503).end("busy");
    expect(await ask(cookie)).toMatchObject({ status: 503, text: "busy" });
    await servers["b"]?.kill();
    expect(await ask(cookie)).toMatchObject({ status: 502, setCookies: [] });
    expect(requests.at(-1)).toMatchObject({ error: "connect_refused", attempts: [{ upstream: "b" }] });
  });

  test("is waited for under `fail` while it restarts, though its failures eject it", async () => {
    const { ask, servers, requests, pool } = await trio({ onMissing: "fail" });
    const cookie = await clientOf("b", ask);
    await servers["b"]?.kill();
    const answer = ask(cookie);
    await until(() => pool.get("b")?.ejectedUntil !== undefined);
    await servers["b"]?.revive();
    expect(await answer).toMatchObject({ status: 200, text: "b" });
    expect(requests.at(-1)?.attempts.every(({ upstream }) => upstream === "b")).toBe(true);
    expect(requests.at(-1)?.flags.toSorted()).toEqual(["outage", "panic", "retried"]);
    expect(pool.get("b")?.ejectedUntil).toBeUndefined();
  });

  test("binds nobody when all of them fail", async () => {
    const { ask, servers } = await trio();
    for (const server of Object.values(servers)) await server.kill();
    expect(await ask()).toMatchObject({ status: 502, setCookies: [] });
  });
});

describe("an upstream that is full", () => {
  /** Whoever is bound to b finds it full until `release`. */
  async function fullB(sticky: StickyOptions = {}, options: Partial<PoolOptions> = {}) {
    const clock = new VirtualClock();
    const started = await trio(sticky, options, { clock });
    const { ask, servers, pool } = started;
    const cookie = await clientOf("b", ask);
    const held: ServerResponse[] = [];
    (servers["b"] as TestUpstream).answer = (_req, res) => void held.push(res);
    const busy = [ask(cookie), ask(cookie)];
    await until(() => held.length === 2);
    const release = async () => {
      (servers["b"] as TestUpstream).answer = (_req, res) => void res.end("b");
      for (const res of held) res.end("b");
      await Promise.all(busy);
    };
    return { ...started, clock, cookie, release, waiting: (count: number) => until(() => pool.queue.depth === count) };
  }

  test("is waited for, while others have room", async () => {
    const { ask, cookie, release, waiting, pool, requests } = await fullB();
    const waits = ask(cookie);
    await waiting(1);
    // What happens to others concerns nobody who waits for b.
    for (let count = 0; count < 4; count++) expect((await ask()).text).not.toBe("b");
    pool.setWeight("a", 2);
    expect(pool.queue.depth).toBe(1);
    await release();
    expect(await waits).toMatchObject({ text: "b", setCookies: [] });
    expect(requests.at(-1)?.flags).toEqual(["queued"]);
  });

  test("keeps its client, whom another serves when there is no more waiting", async () => {
    const { ask, cookie, release, waiting, clock } = await fullB();
    const waits = ask(cookie);
    await waiting(1);
    await clock.advanceAsync(5_000);
    const temporary = await waits;
    expect([temporary.status, temporary.setCookies]).toEqual([200, []]);
    expect(temporary.text).not.toBe("b");
    await release();
    expect(await ask(cookie)).toMatchObject({ text: "b", setCookies: [] });
  });

  test("keeps its client, whom another serves at once when nobody may wait", async () => {
    const { ask, cookie, release } = await fullB({}, { queue: { max: 0 } });
    const temporary = await ask(cookie);
    expect([temporary.status, temporary.setCookies]).toEqual([200, []]);
    expect(temporary.text).not.toBe("b");
    await release();
  });

  test.each<[string, PoolOptions["queue"]]>([
    ["queue_timeout", {}],
    ["queue_full", { max: 0 }],
  ])("is 503 with %s under `fail`", async (code, queue) => {
    const { ask, cookie, release, waiting, clock } = await fullB({ onMissing: "fail" }, { queue: queue ?? {} });
    const waits = ask(cookie);
    if (code === "queue_timeout") {
      await waiting(1);
      await clock.advanceAsync(5_000);
    }
    const { status, headers } = await waits;
    expect([status, headers["proxy-status"]]).toEqual([503, expect.stringContaining(code)]);
    await release();
  });

  test("is waited for in panic as well", async () => {
    const { ask, cookie, release, waiting, pool, requests } = await fullB();
    for (const upstream of pool.upstreams) pool.setHealth(upstream, "unhealthy", "a test");
    const waits = ask(cookie);
    await waiting(1);
    await release();
    expect(await waits).toMatchObject({ text: "b", setCookies: [] });
    expect(requests.at(-1)?.flags.toSorted()).toEqual(["panic", "queued"]);
  });

  test("is not waited for any longer when it goes", async () => {
    const { ask, cookie, release, waiting, pool } = await fullB();
    const waits = ask(cookie);
    await waiting(1);
    pool.setState("b", "disabled");
    const { text, setCookies } = await waits;
    expect([text === "b", setCookies.length]).toEqual([false, 1]);
    await release();
  });

  test("is waited for when it has not been checked yet", async () => {
    const { ask, cookie, release, waiting, pool } = await fullB();
    await release();
    pool.hold(memberOf(pool, "b"), true);
    const waits = ask(cookie);
    await waiting(1);
    pool.setHealth(memberOf(pool, "b"), "healthy", "a test");
    expect(await waits).toMatchObject({ text: "b", setCookies: [] });
  });
});

test.each(["redistribute", "fail"] as const)(
  "members that are still looked up are waited for under `%s`",
  async (onMissing) => {
    const { ask, pool, upstreams } = await trio({ onMissing });
    const cookie = await clientOf("b", ask);
    const lookedUp = { name: "app.internal", nextAt: null, lastOkAt: null, lastError: null };
    pool.remove("b");
    pool.discoveryStatus.record({ ...lookedUp, status: "awaited" } as never);
    const waits = ask(cookie);
    await until(() => pool.queue.depth === 1);
    pool.add(upstreams[1] as (typeof upstreams)[number]);
    pool.discoveryStatus.record({ ...lookedUp, status: "ok" } as never);
    expect(await waits).toMatchObject({ text: "b", setCookies: [] });
  },
);

describe("the cookie", () => {
  test("is for the session, for every path, and out of reach of scripts", async () => {
    const { ask } = await trio({ cookie: "home" });
    expect((await ask()).setCookies).toEqual([
      expect.stringMatching(/^home=[\w-]{43}; Path=\/; HttpOnly; SameSite=Lax$/),
    ]);
  });

  test("lasts as long as ttl says", async () => {
    const { ask } = await trio({ ttl: "90m" });
    expect((await ask()).setCookies[0]).toMatch(/^evenkeel=[\w-]{43}; Path=\/; Max-Age=5400; HttpOnly; SameSite=Lax$/);
  });

  test.each(["https", "HTTPS", "wss", "https, http"])(
    "is secure when a trusted proxy has taken %s in",
    async (proto) => {
      const { ask } = await trio();
      expect((await ask(undefined, { "X-Forwarded-Proto": proto })).setCookies[0]).toMatch(/; Secure$/);
    },
  );

  test("is not made secure by a stranger's word", async () => {
    const { ask } = await trio({}, { trustedProxies: [] } as object);
    expect((await ask(undefined, { "X-Forwarded-Proto": "https" })).setCookies[0]).toMatch(/; SameSite=Lax$/);
  });

  test("stands beside the upstream's own, and after what the route takes off", async () => {
    const { url } = await startUpstream("a", (_req, res) => {
      res.writeHead(200, ["Set-Cookie", "a=1", "Set-Cookie", "b=2"]).end();
    });
    const pools = { app: { upstreams: [url], sticky: { secret } } };
    const kept = askerOf((await startProxy({ pools })).url);
    expect((await kept()).setCookies).toEqual(["a=1", "b=2", expect.stringMatching(/^evenkeel=/)]);
    const routes = [{ pool: "app", responseHeaders: { remove: ["Set-Cookie"] } }];
    const taken = askerOf((await startProxy({ pools, routes })).url);
    expect((await taken()).setCookies).toEqual([expect.stringMatching(/^evenkeel=/)]);
  });

  test("goes on to the upstream, byte for byte as it came", async () => {
    const { ask, servers } = await trio();
    const cookie = await clientOf("b", ask);
    await ask(`x=1;  ${cookie};y="2"`);
    expect(servers["b"]?.received.at(-1)?.headers.cookie).toBe(`x=1;  ${cookie};y="2"`);
  });

  test("is set on an answer that is an error, and on none to a probe of the proxy's own", async () => {
    const { url } = await startUpstream("a", (_req, res) => res.writeHead(404).end());
    const { url: proxy } = await startProxy({ upstreams: [url], sticky: { secret } });
    expect((await askerOf(proxy)()).setCookies).toHaveLength(1);
    expect((await fetchFrom(proxy, { method: "TRACE" })).headers["set-cookie"]).toBeUndefined();
  });

  test("holds wherever it stands among others of its name", async () => {
    const { ask } = await trio();
    const cookie = await clientOf("b", ask);
    expect(await ask(`evenkeel=planted; ${cookie}`)).toMatchObject({ text: "b", setCookies: [] });
    expect(await ask(`a=1; evenkeel=; evenkeel; ${cookie}; evenkeel=x`)).toMatchObject({ text: "b", setCookies: [] });
    // Only so many are looked at.
    expect((await ask(`${"evenkeel=x; ".repeat(8)}${cookie}`)).setCookies).toHaveLength(1);
  });

  test.each([
    ["empty", ""],
    ["of one character", "x"],
    ["of the right length", "A".repeat(43)],
    ["very long", "A".repeat(12_000)],
    ["of 8-bit bytes", "\xff".repeat(43)],
    ["of what no cookie may hold", '"\\,{}"'],
  ])("that is forged, %s, is replaced", async (_, value) => {
    const { port } = await trio();
    const head = `GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\nCookie: evenkeel=${value}\r\n\r\n`;
    const client = await rawClient(port, Buffer.from(head, "latin1"));
    expect(await client.until(/\r\n\r\n/)).toMatch(/^HTTP\/1\.1 200 OK\r\n[^]*set-cookie: evenkeel=[\w-]{43};/i);
  });

  test("with a last character changed holds no more", async () => {
    const { ask } = await trio();
    const cookie = await clientOf("b", ask);
    const other = cookie.slice(0, -1) + (cookie.endsWith("A") ? "E" : "A");
    for (const forged of [other, `${cookie}A`, cookie.slice(0, -1)]) {
      expect((await ask(forged)).setCookies).toHaveLength(1);
    }
  });

  test("goes with the 101 of an upgrade, and brings the next one to the same upstream", async () => {
    const echoes = { a: await startEcho("a"), b: await startEcho("b") };
    const upstreams = Object.entries(echoes).map(([id, { url }]) => ({ id, url }));
    const { port, requests } = await startProxy({ upstreams, balance: "round-robin", sticky: { secret } });
    const shake = async (...lines: string[]) => {
      const client = await rawClient(port, handshake("/", lines));
      const text = await client.until(/101 Switching[^]*\r\n\r\n/);
      client.socket.destroy();
      return /^set-cookie: (evenkeel=[\w-]{43});/im.exec(text)?.[1];
    };
    const cookie = await shake();
    expect(cookie).toBeDefined();
    expect(await shake(`Cookie: ${cookie}`)).toBeUndefined();
    expect(await shake(`Cookie: ${cookie}`)).toBeUndefined();
    await until(() => requests.length === 3);
    expect(new Set(requests.map(({ upstream }) => upstream)).size).toBe(1);
  });

  test("goes with the answer to an upgrade that is refused", async () => {
    const { url } = await startUpstream("a");
    const { port } = await startProxy({ upstreams: [url], sticky: { secret } });
    const client = await rawClient(port, handshake());
    expect((await client.over()).text).toMatch(/^HTTP\/1\.1 200 OK\r\n[^]*set-cookie: evenkeel=/i);
  });
});

test("the secret is in no snapshot, event or mistake", async () => {
  const { ask, proxy, requests, upstreams } = await trio();
  await ask();
  expect(JSON.stringify([proxy.snapshot(), requests])).not.toContain(secret);
  for (const mistaken of ["short!", 1234567]) {
    expect(() => proxy.reload({ upstreams, sticky: { secret: mistaken as string } })).toThrow(
      expect.objectContaining({ code: "invalid_options", message: expect.not.stringContaining(`${mistaken}`) }),
    );
  }
});
