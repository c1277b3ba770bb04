import { describe, expect, onTestFinished, test, vi } from "vitest";
import { limits } from "../../src/config/defaults.ts";
import { openNodeDns } from "../../src/dns/dns-client.ts";
import { type HostAnswer, type HostLookup, lookUpHost } from "../../src/dns/host-lookup.ts";
import type { HostAddress } from "../../src/dns/hosts-file.ts";
import { startDnsServer } from "../support/dns-server.ts";
import { failure, type ScriptedNames, scriptedNames } from "../support/names.ts";
import { VirtualClock } from "../support/virtual-clock.ts";

/** Looks up over a scripted DNS on virtual time. */
function lab(zone: ScriptedNames["zone"] = {}) {
  const names = scriptedNames(zone);
  const clock = new VirtualClock();
  const abort = new AbortController();
  onTestFinished(() => abort.abort());
  const early: HostAnswer[] = [];
  const ask = (name: string, options: Partial<HostLookup> = {}) =>
    lookUpHost(name, names, {
      signal: abort.signal,
      clock,
      known: [],
      onEarly: (answer) => early.push(answer),
      ...options,
    });
  return { names, clock, abort, early, ask };
}

const v4 = (...addresses: string[]) => addresses.map((address): HostAddress => ({ address, family: 4 }));
const v6 = (...addresses: string[]) => addresses.map((address): HostAddress => ({ address, family: 6 }));

describe("a host", () => {
  test("of the hosts file is not looked up in DNS", async () => {
    const { names, ask } = lab({ "api.test": ["10.0.0.1"] });
    names.hostsText = "10.0.0.9 api.test\n";
    expect(await ask("api.test")).toEqual({ addresses: v4("10.0.0.9"), ttlMs: limits.hostsFileTtlMs });
    expect(names.questions).toEqual([]);
  });

  test("has the addresses of both families, for the shortest TTL", async () => {
    const { ask } = lab({ "api.test": { 4: ["10.0.0.1", "10.0.0.2"], 6: ["fd00::1"], ttl: 7 } });
    expect(await ask("api.test")).toEqual({
      addresses: [...v6("fd00::1"), ...v4("10.0.0.1", "10.0.0.2")],
      ttlMs: 7_000,
    });
  });

  test("with a short name is found by the search list, as in Kubernetes", async () => {
    const { names, ask } = lab({ "api.default.svc.cluster.local": ["10.96.0.7"] });
    names.rules = { domains: ["nowhere.test", "default.svc.cluster.local", "cluster.local"], ndots: 5 };
    expect((await ask("api")).addresses).toEqual(v4("10.96.0.7"));
    expect(names.questions.filter((question) => question.startsWith("A "))).toEqual([
      "A api.nowhere.test",
      "A api.default.svc.cluster.local",
    ]);
  });

  test("is searched for after a server failure, and not after a timeout", async () => {
    const { names, clock, abort, ask } = lab({ "api.a.test": "ESERVFAIL", "api.b.test": ["10.0.0.2"] });
    names.rules = { domains: ["a.test", "b.test"], ndots: 5 };
    expect((await ask("api")).addresses).toEqual(v4("10.0.0.2"));
    names.zone["api.a.test"] = "silence";
    names.questions.length = 0;
    const lookup = ask("api");
    await clock.advanceAsync(0);
    abort.abort();
    await expect(lookup).rejects.toMatchObject({ kind: "timeout" });
    expect(names.questions).toEqual(["AAAA api.a.test", "A api.a.test"]);
  });
});

describe("link-local and metadata addresses", () => {
  const forged = { 4: ["169.254.169.254"], 6: ["fd00:ec2::254", "fe80::1"] };

  test("of DNS are not used, and getaddrinfo is not used for them either", async () => {
    const { names, ask } = lab({ "api.test": forged });
    names.system = vi.fn(names.system);
    await expect(ask("api.test")).rejects.toMatchObject({ kind: "unusable" });
    expect(names.system).not.toHaveBeenCalled();
    names.zone["api.test"] = { ...forged, 4: ["169.254.169.254", "10.0.0.1"] };
    expect((await ask("api.test", { known: v6("fd00::1") })).addresses).toEqual([...v6("fd00::1"), ...v4("10.0.0.1")]);
  });

  test("of getaddrinfo are used for mDNS names only", async () => {
    const { names, ask } = lab({ "api.test": "ESERVFAIL" });
    names.system = async () => v4("169.254.1.2");
    await expect(ask("api.test")).rejects.toMatchObject({ kind: "unusable" });
    expect((await ask("printer.local")).addresses).toEqual(v4("169.254.1.2"));
  });

  test("of the hosts file are used", async () => {
    const { names, ask } = lab({ "metadata.google.internal": forged });
    names.hostsText = "169.254.169.254 metadata.google.internal\n";
    expect((await ask("metadata.google.internal")).addresses).toEqual(v4("169.254.169.254"));
  });
});

describe("when one family fails", () => {
  test("its last good addresses stay; without records they are dropped", async () => {
    const { names, ask } = lab();
    const known = [...v6("fd00::1"), ...v4("10.0.0.1")];
    names.zone["api.test"] = { 4: ["10.0.0.2"], 6: "ESERVFAIL" };
    expect((await ask("api.test", { known })).addresses).toEqual([...v6("fd00::1"), ...v4("10.0.0.2")]);
    names.zone["api.test"] = { 4: ["10.0.0.2"], 6: "ENODATA" };
    expect((await ask("api.test", { known })).addresses).toEqual(v4("10.0.0.2"));
  });

  test("by a timeout, the other one is used after a moment", async () => {
    const { clock, abort, early, ask } = lab({ "api.test": { 4: ["10.0.0.1"], 6: "silence" } });
    const lookup = ask("api.test");
    await clock.advanceAsync(limits.dnsOtherFamilyMs - 1);
    expect(early).toEqual([]);
    await clock.advanceAsync(1);
    expect(early.map(({ addresses }) => addresses)).toEqual([v4("10.0.0.1")]);
    abort.abort();
    expect((await lookup).addresses).toEqual(v4("10.0.0.1"));
  });
});

describe("getaddrinfo is used", () => {
  test.each(["ENOTFOUND", "ENODATA", "ESERVFAIL", "ECONNREFUSED"] as const)("after %s", async (code) => {
    const { names, ask } = lab({ "printer.local": code });
    names.system = async () => v4("192.168.0.9");
    expect(await ask("printer.local")).toEqual({ addresses: v4("192.168.0.9"), ttlMs: limits.dnsUnknownTtlMs });
  });

  test("never after a timeout of DNS: it would hold a thread until its own timeout", async () => {
    const { names, clock, abort, ask } = lab({ "slow.test": "silence" });
    names.system = vi.fn(names.system);
    const lookup = ask("slow.test");
    await clock.advanceAsync(0);
    abort.abort();
    await expect(lookup).rejects.toMatchObject({ kind: "timeout" });
    expect(names.system).not.toHaveBeenCalled();
  });

  test("and its own failure is reported, unless it has no addresses either", async () => {
    const { names, ask } = lab();
    await expect(ask("gone.test")).rejects.toMatchObject({ kind: "empty", message: "NXDOMAIN" });
    names.system = () => Promise.reject(failure("EAI_AGAIN"));
    await expect(ask("gone.test")).rejects.toMatchObject({ kind: "failed" });
  });
});

test("over real DNS, answers that exceed a datagram use TCP, each address with a TTL", async () => {
  const a = Array.from({ length: 600 }, (_, index) => `10.1.${index >> 8}.${index & 255}`);
  const dns = await startDnsServer({ "api.test": { a, ttl: 5 } });
  const { names, clock } = lab();
  const sources = { ...names, openDns: (_: unknown, signal: AbortSignal) => openNodeDns([dns.address], signal) };
  const { signal } = new AbortController();
  const found = await lookUpHost("api.test", sources, { signal, clock, known: [], onEarly: () => {} });
  expect([found.addresses.length, found.ttlMs]).toEqual([600, 5_000]);
  expect(dns.questions.some(({ over }) => over === "tcp")).toBe(true);
});
