import { describe, expect, test } from "vitest";
import type { DiscoveryOptions, PoolOptions } from "../../src/config/options.ts";
import { resolvePool } from "../../src/config/resolve.ts";
import type { ResolvedDiscovery } from "../../src/config/resolved.ts";
import { Discovery } from "../../src/discovery/discovery.ts";
import type { AddressRecord, OpenDns, ServiceRecord } from "../../src/dns/dns-client.ts";
import { Pool } from "../../src/pool/pool.ts";
import { idsOf, memberOf } from "../support/pools.ts";
import { VirtualClock } from "../support/virtual-clock.ts";

type Answer = readonly string[] | readonly ServiceRecord[] | "silence" | "ESERVFAIL" | "ENOTFOUND" | "ENODATA";

/** A pool with scripted DNS on virtual time, the times of its lookups, and a record of its events. */
function lab(
  options: Partial<DiscoveryOptions> = {},
  { chance = 0, ...poolOptions }: PoolOptions & { chance?: number } = {},
) {
  const clock = new VirtualClock(0);
  const runtime = { clock, random: () => chance };
  const pool = new Pool("api", poolOptions, runtime);
  const lookupTimes: number[] = [];
  const events: string[] = [];
  const dns = { answer: "silence" as Answer, ttl: 0, open: 0 };

  const ask = (signal: AbortSignal) => {
    const { answer } = dns;
    if (answer === "silence") {
      dns.open++;
      return new Promise<never>((_resolve, reject) => {
        signal.addEventListener("abort", () => {
          dns.open--;
          reject(failure("ECANCELLED"));
        });
      });
    }
    return typeof answer === "string" ? Promise.reject(failure(answer)) : Promise.resolve(answer);
  };
  const openDns: OpenDns = (_servers, signal) => {
    lookupTimes.push(clock.now());
    return {
      addresses: async (name, family) => {
        if (/^\d/.test(name)) return family === 4 ? [{ address: name, ttl: dns.ttl }] : [];
        if (family === 6) throw failure("ENODATA");
        const addresses = (await ask(signal)) as readonly string[];
        return addresses.map((address): AddressRecord => ({ address, ttl: dns.ttl }));
      },
      services: () => ask(signal) as Promise<readonly ServiceRecord[]>,
    };
  };
  pool.on("member", ({ upstream, change }) => events.push(`${upstream} ${change}`));
  pool.on("weight", ({ upstream, to, reason }) => events.push(`${upstream} has weight ${to}: ${reason}`));
  pool.on("discovery", ({ ok, error, members }) => events.push(`${ok ? "ok" : error}, ${members} members`));
  const resolved = resolvePool({ discovery: { name: "api.test", port: 80, ...options } });
  const discovery = new Discovery(pool, resolved.discovery as ResolvedDiscovery, runtime, openDns);
  return { clock, pool, discovery, dns, lookupTimes, events, reload: () => discovery.reconfigure(resolved) };
}

function failure(code: string): Error {
  return Object.assign(new Error(code), { code });
}

function wait(pool: Pool, outcomes: string[], name: string): void {
  const waiter = {
    onRoom: () => outcomes.push(`${name}: ${idsOf(pool.candidates)}`),
    onTimeout: () => outcomes.push("late"),
  };
  expect(pool.mayFreeUp([])).toBe(true);
  expect(pool.queue.enter(waiter)).toBe(true);
}

describe("the next lookup starts", () => {
  test.each([
    ["after the refresh time if the TTL is longer", { refresh: "30s" }, 300, 0, 30_000],
    ["after the TTL if that is shorter", { refresh: "30s" }, 5, 0, 5_000],
    ["after one second at the earliest", { refresh: "1s" }, 0, 0, 1_000],
    ["later by a random share up to one tenth", { refresh: "30s" }, 300, 0.5, 31_500],
  ] as const)("%s", async (_name, options, ttl, chance, expected) => {
    const { clock, discovery, dns, lookupTimes, pool } = lab(options, { chance });
    Object.assign(dns, { answer: ["10.0.0.1"], ttl });
    discovery.start();
    await clock.advanceAsync(expected - 1);
    expect(lookupTimes).toEqual([0]);
    expect(pool.discoveryStatus.state).toMatchObject({ status: "ok", lastSuccess: 0, nextLookup: expected });
    await clock.advanceAsync(1);
    expect(lookupTimes).toEqual([0, expected]);
    discovery.stop();
    expect(clock.pending).toBe(0);
  });

  test("sooner after a failure, with a pause that grows up to the refresh time", async () => {
    const { clock, discovery, dns, lookupTimes } = lab({ refresh: "5s" });
    dns.answer = "ESERVFAIL";
    discovery.start();
    await clock.advanceAsync(17_000);
    expect(lookupTimes).toEqual([0, 1_000, 3_000, 7_000, 12_000, 17_000]);
    Object.assign(dns, { answer: ["10.0.0.1"], ttl: 60 });
    await clock.advanceAsync(5_000);
    dns.answer = "ESERVFAIL";
    await clock.advanceAsync(6_000);
    expect(lookupTimes.slice(6)).toEqual([22_000, 27_000, 28_000]);
  });

  test("only after the last one has ended, which takes five seconds at most", async () => {
    const { clock, discovery, dns, lookupTimes, pool } = lab({ refresh: "1s" });
    discovery.start();
    await clock.advanceAsync(4_999);
    expect(lookupTimes).toEqual([0]);
    expect(pool.discoveryStatus.state).toMatchObject({ status: "awaited", nextLookup: null });
    await clock.advanceAsync(1);
    expect(dns.open).toBe(0);
    expect(pool.discoveryStatus.state).toMatchObject({
      status: "failing",
      lastError: { reason: "timeout", at: 5_000 },
      nextLookup: 6_000,
      lookups: { success: 0, failure: 1 },
      since: 5_000,
    });
    await clock.advanceAsync(6_000);
    expect(pool.discoveryStatus.state).toMatchObject({ lookups: { failure: 2 }, since: 5_000 });
  });
});

describe("a successful lookup", () => {
  test("adds and removes members, and the others keep their state", async () => {
    const { clock, pool, discovery, dns, events } = lab({ refresh: "1s" });
    dns.answer = ["10.0.0.2", "10.0.0.1"];
    discovery.start();
    await clock.advanceAsync(0);
    expect(idsOf(pool.available)).toEqual(["10.0.0.1:80", "10.0.0.2:80"]);
    const stays = memberOf(pool, "10.0.0.2:80");
    const leaves = pool.begin(memberOf(pool, "10.0.0.1:80"));
    pool.setHealth(stays, "unhealthy", "status 503");
    pool.setState("10.0.0.2:80", "draining");
    pool.setWeight("10.0.0.2:80", 7);
    events.splice(0);
    dns.answer = ["10.0.0.0", "10.0.0.2"];
    await clock.advanceAsync(1_000);
    expect(idsOf(pool.upstreams)).toEqual(["10.0.0.0:80", "10.0.0.2:80"]);
    expect(memberOf(pool, "10.0.0.2:80")).toBe(stays);
    expect(stays).toMatchObject({ health: "unhealthy", state: "draining", weight: 7 });
    leaves.settle("success");
    expect(events).toEqual(["10.0.0.1:80 removed", "10.0.0.0:80 added", "10.0.0.1:80 drained"]);
    expect(pool.snapshot().upstreams.map(({ discovered }) => discovered)).toEqual([true, true]);
    expect(Object.isFrozen(pool.snapshot().discovery)).toBe(true);
  });

  test("changes weights and tiers, and an operator's weight only when the record's changes", async () => {
    const { clock, pool, discovery, dns, events } = lab({ type: "srv", port: undefined, refresh: "1s" } as never);
    const records = (weight: number, priority = 0): ServiceRecord[] => [
      { name: "10.0.0.1", port: 80, priority, weight },
      { name: "10.0.0.2", port: 80, priority: 0, weight: 5 },
    ];
    dns.answer = records(10);
    discovery.start();
    await clock.advanceAsync(0);
    pool.setWeight("10.0.0.1:80", 3);
    events.splice(0);
    await clock.advanceAsync(1_000);
    expect(memberOf(pool, "10.0.0.1:80").weight).toBe(3);
    dns.answer = records(20, 1);
    await clock.advanceAsync(1_000);
    expect(memberOf(pool, "10.0.0.1:80")).toMatchObject({ weight: 20, tier: 1 });
    expect(idsOf(pool.candidates)).toEqual(["10.0.0.2:80"]);
    expect(events).toEqual(["10.0.0.1:80 has weight 20: discovery"]);
  });

  test("does not change listed upstreams, which come first", async () => {
    const { clock, pool, discovery, dns } = lab(
      {},
      { upstreams: [{ url: "http://10.0.0.9:80", weight: 4 }, "http://z:1"] },
    );
    dns.answer = ["10.0.0.9", "10.0.0.1"];
    discovery.start();
    await clock.advanceAsync(0);
    expect(pool.snapshot().upstreams.map(({ id, discovered, weight }) => [id, discovered, weight])).toEqual([
      ["10.0.0.9:80", false, 4],
      ["z:1", false, 1],
      ["10.0.0.1:80", true, 1],
    ]);
  });

  test("has no effect after stop", async () => {
    const { clock, pool, discovery, dns, lookupTimes } = lab({ refresh: "1s" });
    dns.answer = ["10.0.0.1"];
    discovery.start();
    discovery.stop();
    await clock.advanceAsync(60_000);
    expect([pool.upstreams, lookupTimes, clock.pending]).toEqual([[], [0], 0]);
  });

  test("starts a slow start for an upstream that joins a pool with requests", async () => {
    const { clock, pool, discovery, dns } = lab({ refresh: "1s" }, { slowStart: { window: "10s" } });
    dns.answer = ["10.0.0.1"];
    discovery.start();
    await clock.advanceAsync(0);
    expect(pool.snapshot().upstreams[0]?.slowStart).toBe(1);
    const attempt = pool.begin(memberOf(pool, "10.0.0.1:80"));
    attempt.responded(5, 200);
    attempt.settle("success");
    dns.answer = ["10.0.0.1", "10.0.0.2"];
    await clock.advanceAsync(1_000);
    expect(pool.snapshot().upstreams.map(({ slowStart }) => slowStart)).toEqual([1, 0.1]);
  });
});

test.each(["ESERVFAIL", "silence"] as const)(
  "%s changes no members, and one event is emitted until the next success",
  async (code) => {
    const { clock, pool, discovery, dns, events } = lab({ refresh: "1s" });
    dns.answer = ["10.0.0.1"];
    discovery.start();
    await clock.advanceAsync(0);
    dns.answer = code;
    await clock.advanceAsync(60_000);
    expect(idsOf(pool.available)).toEqual(["10.0.0.1:80"]);
    dns.answer = ["10.0.0.1"];
    await clock.advanceAsync(10_000);
    const reason = { ESERVFAIL: "SERVFAIL", silence: "timeout" }[code];
    expect(events).toEqual(["10.0.0.1:80 added", "ok, 1 members", `${reason}, 1 members`, "ok, 1 members"]);
  },
);

describe.each([
  ["ENOTFOUND", "NXDOMAIN"],
  ["ENODATA", "no records"],
] as const)("after %s", (code, reason) => {
  async function emptied(options: Partial<DiscoveryOptions> = {}) {
    const found = lab({ refresh: "20s", ...options });
    Object.assign(found.dns, { answer: ["10.0.0.1"], ttl: 60 });
    found.discovery.start();
    await found.clock.advanceAsync(0);
    found.dns.answer = code;
    await found.clock.advanceAsync(20_000);
    return found;
  }

  test("members stay for the hold time and are then removed, so that none is available", async () => {
    const { clock, pool, events, dns } = await emptied();
    await clock.advanceAsync(29_999);
    expect(idsOf(pool.available)).toEqual(["10.0.0.1:80"]);
    await clock.advanceAsync(1);
    expect(idsOf(pool.available)).toEqual([]);
    expect(pool.discoveryStatus.state).toMatchObject({ status: "failing", lastError: { reason } });
    dns.answer = ["10.0.0.2"];
    await clock.advanceAsync(20_000);
    expect(events).toEqual([
      "10.0.0.1:80 added",
      "ok, 1 members",
      `${reason}, 1 members`,
      "10.0.0.1:80 removed",
      "10.0.0.1:80 drained",
      "10.0.0.2:80 added",
      "ok, 1 members",
    ]);
  });

  test("the hold time starts with the first empty response, and a response with records resets it", async () => {
    const { clock, pool, dns } = await emptied({ refresh: "5s" });
    await clock.advanceAsync(20_000);
    dns.answer = ["10.0.0.1"];
    await clock.advanceAsync(5_000);
    dns.answer = code;
    await clock.advanceAsync(29_000);
    expect(idsOf(pool.available)).toEqual(["10.0.0.1:80"]);
    await clock.advanceAsync(7_000);
    expect(idsOf(pool.available)).toEqual([]);
  });

  test("members are removed at once without a hold time", async () => {
    const { pool } = await emptied({ hold: "0s" });
    expect(idsOf(pool.available)).toEqual([]);
  });

  test("members stay when the lookup at the end of the hold time fails", async () => {
    const { clock, pool, dns } = await emptied();
    dns.answer = "ESERVFAIL";
    await clock.advanceAsync(120_000);
    expect(idsOf(pool.available)).toEqual(["10.0.0.1:80"]);
    dns.answer = code;
    await clock.advanceAsync(20_000);
    expect(idsOf(pool.available)).toEqual([]);
  });
});

describe("a lookup starts at once", () => {
  async function found(addresses: readonly string[]) {
    const started = lab({ refresh: "60s" }, { timeouts: { headers: "1s" } });
    Object.assign(started.dns, { answer: addresses, ttl: 600 });
    started.discovery.start();
    await started.clock.advanceAsync(10_000);
    const fail = (id: string) => started.pool.begin(memberOf(started.pool, id)).settle("connect_refused");
    return { ...started, fail };
  }

  test("when every member has failed, by requests or by probes, and not when one has not", async () => {
    const { clock, pool, lookupTimes, fail } = await found(["10.0.0.1", "10.0.0.2"]);
    fail("10.0.0.1:80");
    fail("10.0.0.1:80");
    await clock.advanceAsync(1_000);
    expect(lookupTimes).toEqual([0]);
    pool.setHealth(memberOf(pool, "10.0.0.2:80"), "unhealthy", "timeout");
    await clock.advanceAsync(0);
    expect(lookupTimes).toEqual([0, 11_000]);
  });

  test("but at most once per second, and a further one is not lost", async () => {
    const { clock, lookupTimes, fail, pool } = await found(["10.0.0.1"]);
    for (let index = 0; index < 5; index++) {
      fail("10.0.0.1:80");
      await clock.advanceAsync(100);
    }
    expect(lookupTimes).toEqual([0, 10_000]);
    expect(pool.discoveryStatus.state?.nextLookup).toBe(11_000);
    await clock.advanceAsync(600);
    expect(lookupTimes).toEqual([0, 10_000, 11_000]);
    await clock.advanceAsync(60_000);
    expect(lookupTimes).toEqual([0, 10_000, 11_000, 71_000]);
  });

  test("when the configuration is reloaded", async () => {
    const { clock, lookupTimes, discovery, reload } = await found(["10.0.0.1"]);
    reload();
    reload();
    await clock.advanceAsync(0);
    expect(lookupTimes).toEqual([0, 10_000]);
    discovery.stop();
    reload();
    await clock.advanceAsync(120_000);
    expect(lookupTimes).toEqual([0, 10_000]);
    expect(clock.pending).toBe(0);
  });
});

describe("requests before the end of the first lookup", () => {
  test("wait for it and then find all members", async () => {
    const { clock, pool, discovery, dns } = lab();
    const outcomes: string[] = [];
    expect(pool.mayFreeUp([])).toBe(false);
    dns.answer = ["10.0.0.1", "10.0.0.2"];
    discovery.start();
    wait(pool, outcomes, "one");
    wait(pool, outcomes, "two");
    await clock.advanceAsync(0);
    expect(outcomes).toEqual(["one: 10.0.0.1:80,10.0.0.2:80", "two: 10.0.0.1:80,10.0.0.2:80"]);
  });

  test("fail at once when it fails", async () => {
    const { clock, pool, discovery, dns } = lab();
    const outcomes: string[] = [];
    dns.answer = "ENOTFOUND";
    discovery.start();
    wait(pool, outcomes, "one");
    await clock.advanceAsync(0);
    expect(outcomes).toEqual(["one: "]);
    expect(pool.mayFreeUp([])).toBe(false);
  });

  test("wait instead of using unavailable upstreams in panic", async () => {
    const { clock, pool, discovery, dns } = lab({}, { upstreams: ["http://listed:80"] });
    dns.answer = "ENOTFOUND";
    pool.setHealth(memberOf(pool, "listed:80"), "unhealthy", "status 503");
    discovery.start();
    expect([pool.panic, idsOf(pool.candidates)]).toEqual([false, []]);
    await clock.advanceAsync(0);
    expect([pool.panic, idsOf(pool.candidates)]).toEqual([true, ["listed:80"]]);
  });
});

test("when all members are replaced, waiting requests get the new ones", async () => {
  const { clock, pool, discovery, dns } = lab({ refresh: "1s" });
  dns.answer = ["10.0.0.1"];
  discovery.start();
  await clock.advanceAsync(0);
  const outcomes: string[] = [];
  pool.queue.enter({
    onRoom: () => outcomes.push(idsOf(pool.candidates).join()),
    onTimeout: () => outcomes.push("late"),
  });
  pool.setWeight("10.0.0.1:80", 1);
  dns.answer = ["10.0.0.2"];
  const full = memberOf(pool, "10.0.0.1:80") as { maxInFlight: number };
  full.maxInFlight = 0;
  await clock.advanceAsync(1_000);
  expect(outcomes).toEqual(["10.0.0.2:80"]);
});
