import { describe, expect, test } from "vitest";
import type { DiscoveryOptions, PoolOptions } from "../../src/config/options.ts";
import type { HealthEvent, PoolEvents } from "../../src/events.ts";
import { settle } from "../../src/runtime/virtual-clock.ts";
import type { Zone } from "../support/dns-server.ts";
import { startLab } from "../support/forward-lab.ts";
import { idsOf } from "../support/pools.ts";
import { ScriptedDns } from "../support/scripted-dns.ts";
import { scriptedUpstream } from "../support/scripted-upstream.ts";

/** Upstreams by name, DNS whose SRV records lead to those that are named, or another zone, and a proxy on virtual time. */
function scene(names: readonly string[] | Zone, options: Partial<PoolOptions> = {}) {
  const [a, b, c] = [scriptedUpstream("a"), scriptedUpstream("b"), scriptedUpstream("c")];
  const upstreams = new Map(Object.entries({ a, b, c }));
  const hostOf = (name: string) => new URL(upstreams.get(name)?.url ?? "").hostname;
  const idOf = (name: string) => `${hostOf(name)}:80`;
  const leadTo = (...targets: string[]): Zone => ({
    "_http._tcp.api.test": { srv: targets.map((name) => ({ target: `${name}.test`, port: 80 })) },
    ...Object.fromEntries(targets.map((name) => [`${name}.test`, { a: [hostOf(name)], ttl: 1 }])),
  });
  const dns = new ScriptedDns(Array.isArray(names) ? leadTo(...names) : (names as Zone));
  const discovery: DiscoveryOptions = { type: "srv", name: "_http._tcp.api.test", refresh: "1s" };
  const poolOptions = { balance: "round-robin", discovery, ...options } as const;
  const lab = startLab(poolOptions, { random: () => 0.5, openDns: dns.open });
  const { clock, pool } = lab;
  /** Lets the time of the next look-up come. */
  const lookUpAgain = async () => {
    const asked = dns.questions.length;
    await clock.advanceAsync(1_100);
    expect(dns.questions.length).toBeGreaterThan(asked);
  };
  return { lab, pool, clock, dns, a, b, c, idOf, leadTo, discovery, poolOptions, lookUpAgain };
}

test("requests that come before the first answer wait for it and are spread over all who are found", async () => {
  const { lab, pool } = scene(["a", "b"]);
  const asked = Array.from({ length: 10 }, () => lab.fetch());
  expect(pool.queue.depth).toBe(10);
  const answers = await Promise.all(asked);
  expect(answers.map(({ text }) => text).sort()).toEqual([..."aaaaabbbbb"]);
  const events = await lab.finished(10);
  expect(events.every(({ status, attempts }) => status === 200 && attempts.length === 1)).toBe(true);
});

test("requests that come before a first look-up that fails get 503 as soon as it has", async () => {
  const { lab, dns, lookUpAgain, leadTo } = scene({ "_http._tcp.api.test": "SERVFAIL" });
  const events: PoolEvents["discovery"][0][] = [];
  lab.on("discovery", (event) => events.push(event));
  expect((await lab.fetch()).status).toBe(503);
  expect(events).toEqual([{ pool: "default", name: "_http._tcp.api.test", ok: false, error: "SERVFAIL", members: 0 }]);
  expect((await lab.fetch()).status).toBe(503);
  expect((await lab.finished(2)).map(({ error }) => error)).toEqual(["none_available", "none_available"]);
  dns.zone = leadTo("a");
  await lookUpAgain();
  expect((await lab.fetch()).text).toBe("a");
});

test("a member that is gone from DNS finishes what it has begun", async () => {
  const { lab, pool, dns, a, idOf, leadTo, lookUpAgain } = scene(["a"]);
  a.respond = () => {};
  const first = lab.fetch();
  await settle();
  dns.zone = leadTo("b");
  await lookUpAgain();
  expect(idsOf(pool.upstreams)).toEqual([idOf("b")]);
  expect((await lab.fetch()).text).toBe("b");
  a.received[0]?.respond(200, [], "late");
  expect((await first).text).toBe("late");
});

test("members that were found are probed by their name, and ejected when they fail", async () => {
  const healthCheck = { interval: "10s", fastInterval: "1s", unhealthyThreshold: 1, healthyThreshold: 1 };
  const outlierDetection = { consecutiveFailures: 1, maxEjectionPercent: 100 };
  const { lab, clock, a, b, idOf } = scene(["a", "b", "c"], { healthCheck, outlierDetection });
  a.respond = (request) => request.respond(request.headers["user-agent"] === "evenkeel-health" ? 503 : 200, [], "a");
  b.respond = (request) => request.respond(request.url === "/fail" ? 503 : 200, [], "b");
  const verdicts = new Map<string, HealthEvent["to"]>();
  lab.on("health", ({ upstream, to }) => verdicts.set(upstream, to));
  const ejected: string[] = [];
  lab.on("eject", ({ upstream }) => ejected.push(upstream));
  await clock.advanceAsync(1_000);
  expect(["a", "b", "c"].map((name) => verdicts.get(idOf(name)))).toEqual(["unhealthy", "healthy", "healthy"]);
  expect(a.received[0]?.headers["host"]).toBe("api.test");
  const first = [await lab.fetch("/fail"), await lab.fetch("/fail")];
  expect(first.map(({ status }) => status).sort()).toEqual([200, 503]);
  expect(ejected).toEqual([idOf("b")]);
  expect([(await lab.fetch()).text, (await lab.fetch()).text]).toEqual(["c", "c"]);
});

describe("a reload", () => {
  test("that changes nothing of discovery looks nothing up", async () => {
    const { lab, pool, dns, poolOptions, idOf } = scene(["a"]);
    await settle();
    const [before] = pool.upstreams;
    const asked = dns.questions.length;
    const { upstreams } = lab.reload({ ...poolOptions, balance: "random" });
    await settle();
    expect(upstreams).toEqual({ added: [], removed: [] });
    expect(pool.get(idOf("a"))).toBe(before);
    expect(dns.questions).toHaveLength(asked);
  });

  test("with another name keeps the members until that has an answer", async () => {
    const { lab, pool, dns, discovery, idOf, leadTo, poolOptions } = scene(["a"]);
    await settle();
    dns.zone = { ...leadTo("b"), "other.test": leadTo("b")["_http._tcp.api.test"] ?? "NXDOMAIN" };
    lab.reload({ ...poolOptions, discovery: { ...discovery, name: "other.test" } });
    expect(idsOf(pool.upstreams)).toEqual([idOf("a")]);
    const meanwhile = lab.fetch();
    expect(pool.inFlight).toBe(1);
    expect((await meanwhile).text).toBe("a");
    await settle();
    expect(idsOf(pool.upstreams)).toEqual([idOf("b")]);
    expect((await lab.fetch()).text).toBe("b");
  });

  test("without discovery lets its members go", async () => {
    const { lab, pool, clock, c, idOf, poolOptions } = scene(["a", "b"]);
    await settle();
    const { discovery: _none, ...rest } = poolOptions;
    const changes = lab.reload({ ...rest, upstreams: [c.url] });
    expect(changes.upstreams.added).toEqual([`default/${idOf("c")}`]);
    expect(changes.upstreams.removed.toSorted()).toEqual([`default/${idOf("a")}`, `default/${idOf("b")}`].sort());
    expect(lab.snapshot().pools[0]?.discovery).toBeNull();
    await clock.advanceAsync(60_000);
    expect(idsOf(pool.upstreams)).toEqual([idOf("c")]);
  });

  test("that lists an address that was found, or does not any more, leaves no gap", async () => {
    const { lab, pool, a: server, idOf, poolOptions } = scene(["a"]);
    await settle();
    await lab.fetch();
    const a = pool.get(idOf("a"));
    // It is asked by another name now, so it is another member.
    lab.reload({ ...poolOptions, upstreams: [server.url] });
    expect(lab.snapshot().pools[0]?.upstreams).toMatchObject([{ id: idOf("a"), discovered: false }]);
    expect(pool.get(idOf("a"))).not.toBe(a);
    lab.reload(poolOptions);
    expect(lab.snapshot().pools[0]?.upstreams).toMatchObject([{ id: idOf("a"), discovered: true }]);
    expect((await lab.fetch()).text).toBe("a");
  });
});
