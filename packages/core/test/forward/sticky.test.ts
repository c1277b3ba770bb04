import { describe, expect, test } from "vitest";
import type { PoolOptions, StickyOptions } from "../../src/config/options.ts";
import type { Pool } from "../../src/pool/pool.ts";
import { until } from "../support/event-loop.ts";
import { startLab } from "../support/forward-lab.ts";
import { memberOf } from "../support/pools.ts";
import { respondWith, type ScriptedUpstream, type UpstreamRequest } from "../support/scripted-upstream.ts";
import { askerOf, clientOf, retryPauseMs, secret, trio } from "../support/sticky-lab.ts";

describe("a client that comes back with its cookie", () => {
  test.each(["p2c", "round-robin", "least-requests", "random", "peak-ewma", "hash", "first"] as const)(
    "is answered by the same upstream under %s, and gets no other cookie",
    async (balance) => {
      const { ask } = trio({}, { balance });
      const first = await ask();
      expect(first.cookie).toMatch(/^evenkeel=[\w-]{43}$/);
      for (let count = 0; count < 6; count++) {
        const { text, setCookies } = await ask(first.cookie);
        expect([text, setCookies]).toEqual([first.text, []]);
      }
    },
  );

  test("is answered by it through another proxy that has the secret, and after a reload", async () => {
    const { ask, upstreams, lab } = trio();
    const cookie = await clientOf("b", ask);
    const other = askerOf(startLab({ upstreams: upstreams.toReversed(), sticky: { secret } }));
    expect(await other(cookie)).toMatchObject({ text: "b", setCookies: [] });
    lab.reload({ upstreams: upstreams.slice(1), sticky: { secret } });
    expect(await ask(cookie)).toMatchObject({ text: "b", setCookies: [] });
  });

  test("is nobody's to a proxy with another secret, or of another pool", async () => {
    const { ask, upstreams } = trio();
    const cookie = await clientOf("b", ask);
    for (const options of [
      { upstreams, sticky: { secret: "another secret" } },
      { upstreams, sticky: {} },
      { pools: { other: { upstreams, sticky: { secret } } } },
    ]) {
      const { setCookies } = await askerOf(startLab(options))(cookie);
      expect(setCookies).toHaveLength(1);
    }
  });

  test("keeps its upstream over a reload without a secret", async () => {
    const { ask, upstreams, lab } = trio({ secret: undefined as never });
    const cookie = await clientOf("c", ask);
    lab.reload({ upstreams, sticky: {} });
    expect(await ask(cookie)).toMatchObject({ text: "c", setCookies: [] });
  });

  test.each<[string, (pool: Pool) => void]>([
    ["drains", (pool) => pool.setState("b", "draining")],
    ["has weight 0", (pool) => pool.setWeight("b", 0)],
  ])("keeps an upstream that %s, and newcomers do not get it", async (_, change) => {
    const { ask, pool } = trio();
    const cookie = await clientOf("b", ask);
    change(pool);
    expect(await ask(cookie)).toMatchObject({ text: "b", setCookies: [] });
    for (let count = 0; count < 6; count++) expect((await ask()).text).not.toBe("b");
  });

  test("stays where it is in panic", async () => {
    const { ask, pool } = trio();
    const cookie = await clientOf("b", ask);
    for (const upstream of pool.upstreams) pool.setHealth(upstream, "unhealthy", "a test");
    for (let count = 0; count < 3; count++) expect(await ask(cookie)).toMatchObject({ text: "b", setCookies: [] });
  });
});

describe("an upstream that cannot be had", () => {
  const ways: [string, (pool: Pool) => void][] = [
    ["disabled", (pool) => pool.setState("b", "disabled")],
    ["unhealthy", (pool) => pool.setHealth(memberOf(pool, "b"), "unhealthy", "a test")],
    ["ejected", (pool) => pool.ejections.eject(memberOf(pool, "b"), "consecutive-failures", 60_000)],
    ["removed", (pool) => pool.remove("b")],
  ];

  test.each(ways)("is replaced when it is %s, and the client bound anew", async (_, change) => {
    const { ask, pool, servers, lab } = trio();
    const cookie = await clientOf("b", ask);
    const before = servers["b"]?.received.length;
    change(pool);
    const moved = await ask(cookie);
    expect(moved.text).not.toBe("b");
    expect(moved.setCookies).toHaveLength(1);
    expect(await ask(moved.cookie)).toMatchObject({ text: moved.text, setCookies: [] });
    expect(servers["b"]?.received).toHaveLength(before as number);
    const events = await lab.finished(3);
    expect(events.map(({ flags }) => flags.includes("rebound"))).toContain(true);
  });

  test.each(ways)("is 503 without a dial under `fail` when it is %s", async (how, change) => {
    const { ask, pool, requests } = trio({ onMissing: "fail" });
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
    const { ask, pool } = trio({ onMissing: "fail" }, {}, { onError });
    const cookie = await clientOf("b", ask);
    pool.remove("b");
    expect(await ask(cookie)).toMatchObject({ text: "gone", cookie: "evenkeel=" });
  });

  test("serves its clients again under `fail` when it is back", async () => {
    const { ask, pool } = trio({ onMissing: "fail" });
    const cookie = await clientOf("b", ask);
    pool.setState("b", "disabled");
    expect((await ask(cookie)).status).toBe(503);
    pool.setState("b", "active");
    expect(await ask(cookie)).toMatchObject({ text: "b", setCookies: [] });
  });
});

describe("an upstream that fails", () => {
  test("loses its client to the one that answers", async () => {
    const { ask, servers } = trio();
    const cookie = await clientOf("b", ask);
    servers["b"]?.kill();
    const moved = await ask(cookie);
    expect(moved.text).not.toBe("b");
    expect(await ask(moved.cookie)).toMatchObject({ text: moved.text, setCookies: [] });
  });

  test("loses its client for a status that is retried, too", async () => {
    const { ask, servers, clock } = trio({}, { retry: { on: ["503"] } });
    const cookie = await clientOf("b", ask);
    (servers["b"] as ScriptedUpstream).respond = (request) => request.respond(503);
    const answer = ask(cookie);
    await clock.advanceAsync(retryPauseMs);
    const { status, text, setCookies } = await answer;
    expect([status, setCookies.length]).toEqual([200, 1]);
    expect(text).not.toBe("b");
  });

  test("is tried alone under `fail`, and the failure is told as it is", async () => {
    const { ask, servers, requests, clock } = trio(
      { onMissing: "fail" },
      {
        retry: { on: ["connect-failure", "503"], attempts: 1, connectFor: "0s" },
      },
    );
    const cookie = await clientOf("b", ask);
    (servers["b"] as ScriptedUpstream).respond = (request) => request.respond(503, [], "busy");
    const busy = ask(cookie);
    await clock.advanceAsync(retryPauseMs);
    expect(await busy).toMatchObject({ status: 503, text: "busy" });
    servers["b"]?.kill();
    expect(await ask(cookie)).toMatchObject({ status: 502, setCookies: [] });
    expect(requests.at(-1)).toMatchObject({ error: "connect_refused", attempts: [{ upstream: "b" }] });
  });

  test("is waited for under `fail` while it restarts, though its failures eject it", async () => {
    const { ask, servers, requests, pool, clock } = trio({ onMissing: "fail" });
    const cookie = await clientOf("b", ask);
    servers["b"]?.kill();
    const answer = ask(cookie);
    for (let waited = 0; pool.get("b")?.ejectedUntil === undefined && waited < 1_500; waited += 10) {
      await clock.advanceAsync(10);
    }
    expect(pool.get("b")?.ejectedUntil).toBeDefined();
    servers["b"]?.revive();
    await clock.advanceAsync(500);
    expect(await answer).toMatchObject({ status: 200, text: "b" });
    expect(requests.at(-1)?.attempts.every(({ upstream }) => upstream === "b")).toBe(true);
    expect(requests.at(-1)?.flags.toSorted()).toEqual(["outage", "panic", "retried"]);
    expect(pool.get("b")?.ejectedUntil).toBeUndefined();
  });

  test("binds nobody when all of them fail", async () => {
    const { ask, servers } = trio();
    for (const server of Object.values(servers)) server.kill();
    expect(await ask()).toMatchObject({ status: 502, setCookies: [] });
  });
});

describe("an upstream that is full", () => {
  /** Whoever is bound to b finds it full until `release`. */
  async function fullB(sticky: StickyOptions = {}, options: Partial<PoolOptions> = {}) {
    const started = trio(sticky, options);
    const { ask, servers, pool } = started;
    const cookie = await clientOf("b", ask);
    const held: UpstreamRequest[] = [];
    (servers["b"] as ScriptedUpstream).respond = (request) => void held.push(request);
    const busy = [ask(cookie), ask(cookie)];
    await until(() => held.length === 2);
    const release = async () => {
      (servers["b"] as ScriptedUpstream).respond = respondWith("b");
      for (const request of held) request.respond(200, [], "b");
      await Promise.all(busy);
    };
    return { ...started, cookie, release, waiting: (count: number) => until(() => pool.queue.depth === count) };
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
    const { ask, pool, upstreams } = trio({ onMissing });
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
