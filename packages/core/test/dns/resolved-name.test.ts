import { AsyncLocalStorage } from "node:async_hooks";
import os from "node:os";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { limits } from "../../src/config/defaults.ts";
import type { ResolvedName } from "../../src/dns/resolved-name.ts";
import { settle } from "../../src/runtime/virtual-clock.ts";
import { failure, resolverOver, type ScriptedNames, scriptedNames } from "../support/names.ts";
import { VirtualClock } from "../support/virtual-clock.ts";

function lab(zone: ScriptedNames["zone"] = {}) {
  const names = scriptedNames(zone);
  const clock = new VirtualClock();
  const resolver = resolverOver(names, { clock });
  const api = resolver.name("api.test");
  /** How often the name was looked up. */
  const lookups = () => names.questions.filter((question) => question === "A api.test").length;
  return { names, clock, resolver, api, lookups };
}

const addressesOf = (name: ResolvedName) => [...name.inOrder().map(({ address }) => address)].sort();

/** What a connection that waits for a name gets, or "waits". */
function wait(name: ResolvedName) {
  const heard: { now: string; takeBack: () => void } = { now: "waits", takeBack: () => {} };
  heard.takeBack = name.whenKnown((error, addresses) => {
    heard.now = error === null ? addresses.map(({ address }) => address).join() : `${error.code} ${error.message}`;
  });
  return heard;
}

describe("a name", () => {
  test("is looked up once for all waiting callers, in any letter case", async () => {
    const { names, resolver, api } = lab({ "api.test": ["10.0.0.1"] });
    const waits = [api, resolver.name("API.Test"), api].map(wait);
    expect(waits.map(({ now }) => now)).toEqual(["waits", "waits", "waits"]);
    await settle();
    expect(waits.map(({ now }) => now)).toEqual(["10.0.0.1", "10.0.0.1", "10.0.0.1"]);
    expect(names.questions).toEqual(["AAAA api.test", "A api.test"]);
  });

  test("that is not used is not looked up", async () => {
    const { names, clock, resolver } = lab();
    resolver.refresh();
    await clock.advanceAsync(3_600_000);
    expect(names.questions).toEqual([]);
    expect(clock.pending).toBe(0);
  });

  test("does not call a removed callback", async () => {
    const { api } = lab({ "api.test": ["10.0.0.1"] });
    const heard = wait(api);
    heard.takeBack();
    await settle();
    expect(heard.now).toBe("waits");
  });

  test("calls back in the context of each request, and looks up in none", async () => {
    const storage = new AsyncLocalStorage<string>();
    const { names, clock, api } = lab({ "api.test": { 4: ["10.0.0.1"], ttl: 10 } });
    const contexts: (string | undefined)[] = [];
    const lookedUpIn: (string | undefined)[] = [];
    const { hosts } = names;
    Object.assign(names, {
      hosts: () => {
        lookedUpIn.push(storage.getStore());
        return hosts();
      },
    });
    for (const client of ["first", "second"]) {
      storage.run(client, () => void api.whenKnown(() => contexts.push(storage.getStore())));
    }
    await settle();
    storage.run("third", () => api.use());
    await clock.advanceAsync(10_000);
    expect(contexts).toEqual(["first", "second"]);
    expect(lookedUpIn).toEqual([undefined, undefined]);
  });
});

describe("addresses are kept", () => {
  test.each([
    ["for their TTL", 20, 20_000],
    ["not for less than a second", 0, limits.dnsMinTtlMs],
    ["not for more than an hour", 2 ** 31 - 1, limits.dnsMaxTtlMs],
  ])("%s", async (_, ttl, ms) => {
    const { clock, api, lookups } = lab({ "api.test": { 4: ["10.0.0.1"], ttl } });
    api.use();
    await clock.advanceAsync(0);
    for (let left = ms - 1; left > 0; left -= 60_000) {
      await clock.advanceAsync(Math.min(left, 60_000));
      api.use();
    }
    expect(lookups()).toBe(1);
    await clock.advanceAsync(1);
    expect(lookups()).toBe(2);
  });

  test("and refreshed in the background, with the old ones in use meanwhile", async () => {
    const { names, clock, api } = lab({ "api.test": { 4: ["10.0.0.1"], ttl: 10 } });
    api.use();
    await clock.advanceAsync(0);
    const { version } = api;
    names.zone["api.test"] = "silence";
    await clock.advanceAsync(10_000);
    expect(names.open).toBe(2);
    expect([addressesOf(api), api.version]).toEqual([["10.0.0.1"], version]);
    await clock.advanceAsync(limits.dnsTimeoutMs);
    expect(names.open).toBe(0);
    names.zone["api.test"] = { 4: ["10.0.0.2"], ttl: 10 };
    await clock.advanceAsync(limits.dnsRetryMinMs);
    expect(addressesOf(api)).toEqual(["10.0.0.2"]);
    expect(api.version).toBeGreaterThan(version);
    expect([api.has("10.0.0.1"), api.has("10.0.0.2"), api.has(undefined)]).toEqual([false, true, false]);
  });

  test("for a name out of use without further lookups; its next use gets them at once, and begins a lookup", async () => {
    const { names, clock, api, lookups } = lab({ "api.test": { 4: ["10.0.0.1"], ttl: 60 } });
    api.use();
    await clock.advanceAsync(limits.dnsUnusedMs + 60_000);
    const before = lookups();
    await clock.advanceAsync(86_400_000);
    expect(lookups()).toBe(before);
    expect(clock.pending).toBe(0);
    names.zone["api.test"] = "silence";
    const heard = wait(api);
    await settle();
    expect(heard.now).toBe("10.0.0.1");
    expect(lookups()).toBe(before + 1);
    await clock.advanceAsync(limits.dnsTimeoutMs);
    names.zone["api.test"] = { 4: ["10.0.0.2"], ttl: 60 };
    await clock.advanceAsync(limits.dnsRetryMinMs);
    expect(addressesOf(api)).toEqual(["10.0.0.2"]);
  });

  test("in a bounded number", async () => {
    const many = Array.from({ length: 600 }, (_, index) => `10.1.${index >> 8}.${index & 255}`);
    const { api } = lab({ "api.test": many });
    api.use();
    await settle();
    expect(api.inOrder()).toHaveLength(limits.dnsAddresses);
  });
});

describe("while DNS fails", () => {
  test.each(["ESERVFAIL", "ECONNREFUSED", "silence"] as const)(
    "by %s, the last good addresses stay",
    async (answer) => {
      const { names, clock, api } = lab({ "api.test": { 4: ["10.0.0.1"], ttl: 5 } });
      api.use();
      await clock.advanceAsync(0);
      names.zone["api.test"] = answer;
      for (let minute = 0; minute < 60; minute++) {
        await clock.advanceAsync(60_000);
        api.use();
        expect(addressesOf(api)).toEqual(["10.0.0.1"]);
      }
      names.zone["api.test"] = ["10.0.0.2"];
      await clock.advanceAsync(limits.dnsTimeoutMs + limits.dnsRetryMaxMs);
      expect(addressesOf(api)).toEqual(["10.0.0.2"]);
    },
  );

  test("lookups are repeated after a pause that grows", async () => {
    const { names, clock, api } = lab({ "api.test": { 4: ["10.0.0.1"], ttl: 5 } });
    const times: number[] = [];
    const { hosts } = names;
    Object.assign(names, {
      hosts: () => {
        times.push(clock.now());
        return hosts();
      },
    });
    api.use();
    await clock.advanceAsync(0);
    names.zone["api.test"] = "ESERVFAIL";
    await clock.advanceAsync(100_000);
    expect(times).toEqual([0, 5_000, 6_000, 8_000, 12_000, 20_000, 36_000, 66_000, 96_000]);
  });

  test.each(["ENOTFOUND", "ENODATA"] as const)("after %s they stay for a while and are dropped", async (answer) => {
    const { names, clock, api } = lab({ "api.test": { 4: ["10.0.0.1"], ttl: 5 } });
    api.use();
    await clock.advanceAsync(0);
    names.zone["api.test"] = answer;
    await clock.advanceAsync(5_000 + limits.dnsHoldMs - 1);
    expect(addressesOf(api)).toEqual(["10.0.0.1"]);
    const { version } = api;
    await clock.advanceAsync(1);
    expect([api.known, api.version > version]).toEqual([false, true]);
    const heard = wait(api);
    await settle();
    expect(heard.now).toMatch(/^ENOTFOUND looking up api\.test failed: /);
  });
});

describe("a name without an address", () => {
  test.each([
    ["ENOTFOUND", "ENOTFOUND looking up api.test failed: NXDOMAIN"],
    ["ESERVFAIL", "EAI_AGAIN looking up api.test failed: SERVFAIL"],
  ] as const)("fails with its cause after %s", async (answer, message) => {
    const { api } = lab({ "api.test": answer });
    const heard = wait(api);
    await settle();
    expect(heard.now).toBe(message);
  });

  test("is not looked up more than once in a second, and fails at once meanwhile", async () => {
    const { names, clock, api, lookups } = lab({ "api.test": "ESERVFAIL" });
    wait(api);
    await settle();
    for (let index = 0; index < 100; index++) {
      const heard = wait(api);
      await settle();
      expect(heard.now).toMatch(/SERVFAIL$/);
    }
    expect(lookups()).toBe(1);
    names.zone["api.test"] = ["10.0.0.1"];
    await clock.advanceAsync(limits.dnsRetryMinMs);
    expect(lookups()).toBe(1);
    const heard = wait(api);
    await settle();
    expect([heard.now, lookups()]).toEqual(["10.0.0.1", 2]);
  });

  test("makes callers wait while a lookup is in flight", async () => {
    const { clock, api } = lab({ "api.test": "silence" });
    const first = wait(api);
    await clock.advanceAsync(2_000);
    const second = wait(api);
    await clock.advanceAsync(limits.dnsTimeoutMs - 2_000);
    const message = "EAI_AGAIN looking up api.test failed: timeout";
    expect([first.now, second.now]).toEqual([message, message]);
  });
});

describe("a lookup begins at once", () => {
  test("when no address could be connected to, and once in a second at most", async () => {
    const { names, clock, api, lookups } = lab({ "api.test": { 4: ["10.0.0.1"], ttl: 600 } });
    api.use();
    await clock.advanceAsync(10_000);
    names.zone["api.test"] = { 4: ["10.0.0.2"], ttl: 600 };
    api.failed();
    api.failed();
    await clock.advanceAsync(0);
    expect([lookups(), addressesOf(api)]).toEqual([2, ["10.0.0.2"]]);
    api.failed();
    await clock.advanceAsync(limits.dnsRetryMinMs - 1);
    expect(lookups()).toBe(2);
    await clock.advanceAsync(1);
    expect(lookups()).toBe(3);
  });

  test("with a reload, for every name in use", async () => {
    const { names, clock, resolver, api } = lab({ "api.test": { 4: ["10.0.0.1"], ttl: 600 } });
    api.use();
    resolver.name("other.test").use();
    await clock.advanceAsync(10_000);
    names.questions.length = 0;
    resolver.refresh();
    resolver.refresh();
    await clock.advanceAsync(0);
    expect(names.questions.filter((question) => question.startsWith("A "))).toEqual(["A api.test", "A other.test"]);
  });

  test("and never again once the resolver has stopped, until the name is used", async () => {
    const { clock, resolver, api, lookups } = lab({ "api.test": { 4: ["10.0.0.1"], ttl: 5 } });
    api.use();
    await clock.advanceAsync(0);
    resolver.stop();
    expect(clock.pending).toBe(0);
    await clock.advanceAsync(60_000);
    expect(lookups()).toBe(1);
    api.use();
    expect(lookups()).toBe(1);
    await settle();
    expect(lookups()).toBe(2);
  });
});

describe("the order of addresses", () => {
  test("gives each its turn, the family that connected last first", async () => {
    const { api } = lab({ "api.test": { 4: ["10.0.0.1", "10.0.0.2"], 6: ["fd00::1"] } });
    api.use();
    await settle();
    api.connected("IPv4");
    const orders = [0, 1, 2].map(() => api.inOrder().map(({ address }) => address));
    expect(orders.map((order) => order[0])).toEqual(["10.0.0.1", "10.0.0.2", "10.0.0.1"]);
    expect(orders.every((order) => order[2] === "fd00::1")).toBe(true);
    api.connected("IPv6");
    expect(api.inOrder()[0]?.address).toBe("fd00::1");
  });
});

test("addresses of both families are used when the system cannot list this machine's addresses", async () => {
  const interfaces = vi.spyOn(os, "networkInterfaces").mockImplementation(() => {
    throw failure("EMFILE");
  });
  onTestFinished(() => interfaces.mockRestore());
  const { api } = lab({ "api.test": { 4: ["10.0.0.1"], 6: ["fd00::1"] } });
  const heard = wait(api);
  await settle();
  expect(heard.now).toBe("10.0.0.1,fd00::1");
  expect(interfaces).toHaveBeenCalled();
});

describe("a resolver", () => {
  test("runs a bounded number of lookups, those that a connection waits for first", async () => {
    const { names, clock, resolver } = lab();
    const silent = Array.from({ length: limits.dnsLookupsAtOnce + 10 }, (_, index) => `s${index}.test`);
    for (const name of [...silent, "background.test"]) {
      names.zone[name] = name === "background.test" ? ["10.0.0.8"] : "silence";
      resolver.name(name).use();
    }
    names.zone["urgent.test"] = ["10.0.0.9"];
    const heard = wait(resolver.name("urgent.test"));
    const late = wait(resolver.name("background.test"));
    await clock.advanceAsync(limits.dnsTimeoutMs - 1);
    expect(names.open).toBe(limits.dnsLookupsAtOnce * 2);
    expect([heard.now, late.now]).toEqual(["waits", "waits"]);
    await clock.advanceAsync(1);
    expect([heard.now, late.now]).toEqual(["10.0.0.9", "10.0.0.8"]);
  });

  test("remembers a bounded number of names", () => {
    const { resolver, api } = lab();
    for (let index = 0; index < limits.dnsNames; index++) resolver.name(`n${index}.test`);
    expect(resolver.name("api.test")).not.toBe(api);
    expect(resolver.name("n9999.test")).toBe(resolver.name("N9999.test"));
  });

  test("survives any failure of its sources", async () => {
    const { names, clock, api } = lab();
    Object.assign(names, { hosts: () => Promise.reject(failure("EIO")) });
    const heard = wait(api);
    await clock.advanceAsync(0);
    expect(heard.now).toMatch(/an unknown failure$/);
  });
});
