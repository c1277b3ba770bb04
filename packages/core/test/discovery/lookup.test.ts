import { describe, expect, test } from "vitest";
import { limits } from "../../src/config/defaults.ts";
import type { DiscoveryOptions } from "../../src/config/options.ts";
import { resolvePool } from "../../src/config/resolve.ts";
import type { ResolvedDiscovery } from "../../src/config/resolved.ts";
import { type LookupResult, lookUp } from "../../src/discovery/lookup.ts";
import { openNodeDns } from "../../src/dns/dns-client.ts";
import { type DnsServer, type NameRecords, startDnsServer } from "../support/dns-server.ts";

function resolved(options: DiscoveryOptions): ResolvedDiscovery {
  return resolvePool({ discovery: options }).discovery as ResolvedDiscovery;
}

function lookUpWith(
  dns: DnsServer,
  options: DiscoveryOptions,
  { known }: Pick<LookupResult, "known"> = { known: new Map() },
  { signal = new AbortController().signal, now = 0 }: { signal?: AbortSignal; now?: number } = {},
): Promise<LookupResult> {
  const discovery = resolved({ ...options, servers: [dns.address] });
  return lookUp({ options: discovery, client: openNodeDns(discovery.servers, signal), known, now });
}

const ids = ({ upstreams }: LookupResult) => upstreams.map(({ id }) => id);

describe("addresses", () => {
  const options = { name: "api.test", port: 3000 };

  test("of both families become members without duplicates, in order, for the shortest TTL", async () => {
    const dns = await startDnsServer({
      "api.test": { a: ["10.0.0.9", "10.0.0.1", "10.0.0.9"], aaaa: ["2001:db8::1"], ttl: 40 },
    });
    const found = await lookUpWith(dns, options);
    expect(found).toMatchObject({ ttlMs: 40_000, passedOver: 0 });
    expect(found.upstreams).toEqual(
      [
        ["10.0.0.1", "10.0.0.1:3000"],
        ["10.0.0.9", "10.0.0.9:3000"],
        ["2001:db8::1", "[2001:db8::1]:3000"],
      ].map(([hostname, id]) => ({
        id,
        url: `http://${id}`,
        address: { tls: false, hostname, port: 3000, socketPath: undefined, host: "api.test:3000", basePath: "" },
        weight: 1,
        tier: 0,
        maxInFlight: Infinity,
      })),
    );
  });

  test("have the name as their Host, without the default port", async () => {
    const dns = await startDnsServer({ "api.test": { a: ["10.0.0.1"] } });
    const hostOf = async (more: Partial<DiscoveryOptions>) =>
      (await lookUpWith(dns, { name: "api.test.", ...more })).upstreams.map(({ address, url }) => [address.host, url]);
    expect(await hostOf({})).toEqual([["api.test", "http://10.0.0.1:80"]]);
    expect(await hostOf({ scheme: "https" })).toEqual([["api.test", "https://10.0.0.1:443"]]);
    expect(await hostOf({ scheme: "https", port: 80 })).toEqual([["api.test:80", "https://10.0.0.1:80"]]);
  });

  test("that do not fit into a datagram are queried over TCP, and at most a thousand are used", async () => {
    const many = Array.from({ length: 2_500 }, (_, index) => `10.1.${index >> 8}.${index & 255}`);
    const dns = await startDnsServer({ "api.test": { a: many } });
    const found = await lookUpWith(dns, options);
    expect(dns.questions).toContainEqual({ question: "A api.test", over: "tcp" });
    expect(found.upstreams).toHaveLength(1_000);
    expect(found).toMatchObject({ passedOver: 1_500, ttlMs: 60_000 });
    dns.zone = { "api.test": { a: many.toReversed() } };
    expect(ids(await lookUpWith(dns, options))).toEqual(ids(found));
  });

  test("that are no server's, link-local or of a metadata service are ignored; private ones are not", async () => {
    const bad = ["169.254.169.254", "0.0.0.0", "255.255.255.255", "224.0.0.1"];
    const bad6 = ["fd00:ec2::254", "fe80::1", "::", "ff02::1", "::ffff:169.254.169.254"];
    const good = ["10.0.0.1", "127.0.0.1", "192.168.0.1"];
    const dns = await startDnsServer({ "api.test": { a: [...bad, ...good], aaaa: [...bad6, "::1", "fd00::1"] } });
    const found = await lookUpWith(dns, options);
    expect(ids(found)).toEqual([...good.map((ip) => `${ip}:3000`), "[::1]:3000", "[fd00::1]:3000"]);
    expect(found.passedOver).toBe(9);
    dns.zone = { "api.test": { a: bad } };
    await expect(lookUpWith(dns, options)).rejects.toThrow("no usable addresses");
  });

  test("are valid for a day at most", async () => {
    const dns = await startDnsServer({ "api.test": { a: ["10.0.0.1"], ttl: 4_294_967_295 } });
    expect((await lookUpWith(dns, options)).ttlMs).toBe(86_400_000);
  });

  test("of a family whose query fails stay; those of an empty family are removed", async () => {
    const dns = await startDnsServer({ "api.test": { a: ["10.0.0.1"], aaaa: ["fd00::1"] } });
    const first = await lookUpWith(dns, options);
    dns.zone = { "api.test": { a: ["10.0.0.2"], aaaa: "SERVFAIL" } };
    const second = await lookUpWith(dns, options, first);
    expect(ids(second)).toEqual(["10.0.0.2:3000", "[fd00::1]:3000"]);
    // The TTL of the old addresses is unknown, so the refresh time applies.
    expect(second.ttlMs).toBe(limits.discoveryTtlMs);
    dns.zone = { "api.test": { a: "SERVFAIL", aaaa: [] } };
    await expect(lookUpWith(dns, options, second)).rejects.toThrow("SERVFAIL");
    dns.zone = { "api.test": { a: ["10.0.0.2"] } };
    expect(ids(await lookUpWith(dns, options, second))).toEqual(["10.0.0.2:3000"]);
  });

  test.each([
    ["4", ["10.0.0.1:3000"], ["A api.test"]],
    ["6", ["[2001:db8::1]:3000"], ["AAAA api.test"]],
    ["any", ["10.0.0.1:3000", "[2001:db8::1]:3000"], ["A api.test", "AAAA api.test"]],
  ] as const)("with the family %s are the only ones queried and used", async (family, found, questions) => {
    const dns = await startDnsServer({ "api.test": { a: ["10.0.0.1"], aaaa: ["2001:db8::1"] } });
    expect(ids(await lookUpWith(dns, { ...options, family }))).toEqual(found);
    expect(dns.questions.map(({ question }) => question).sort()).toEqual(questions);
  });

  test.each([
    ["NXDOMAIN", "NXDOMAIN"],
    ["SERVFAIL", "SERVFAIL"],
    ["REFUSED", "REFUSED"],
    ["no records", {}],
  ] as const)("that do not exist are a failure: %s", async (reason, records) => {
    const dns = await startDnsServer({ "api.test": records });
    await expect(lookUpWith(dns, options)).rejects.toThrow(reason);
  });

  test("without a response in time are a timeout", async () => {
    const dns = await startDnsServer({ "api.test": "silence" });
    const deadline = new AbortController();
    dns.onQuestion = () => setImmediate(() => deadline.abort());
    await expect(lookUpWith(dns, options, undefined, deadline)).rejects.toThrow("timeout");
  });
});

describe("SRV records", () => {
  const options = { type: "srv", name: "_http._tcp.api.test" } as const;

  test("become members at the addresses of their targets, with tiers and weights, and the domain as Host", async () => {
    const dns = await startDnsServer({
      "_http._tcp.api.test": {
        srv: [
          { target: "b.test", port: 3001, priority: 1, weight: 10 },
          { target: "A.test", port: 3000, priority: 1, weight: 30 },
          { target: "spare.test", port: 80, priority: 5, weight: 0 },
        ],
      },
      "a.test": { a: ["10.0.0.1"], aaaa: ["fd00::1"], ttl: 30 },
      "b.test": { a: ["10.0.0.2"], ttl: 20 },
      "spare.test": { a: ["10.0.0.3"], ttl: 90 },
    });
    const found = await lookUpWith(dns, options);
    expect(found.upstreams.map(({ id, tier, weight, address }) => [id, tier, weight, address.host])).toEqual([
      ["10.0.0.1:3000", 0, 30, "api.test:3000"],
      ["10.0.0.2:3001", 0, 10, "api.test:3001"],
      ["[fd00::1]:3000", 0, 30, "api.test:3000"],
      ["10.0.0.3:80", 1, 1, "api.test"],
    ]);
    expect(found.ttlMs).toBe(20_000);
  });

  test("whose target does not resolve are ignored, or keep their last addresses", async () => {
    const zone = {
      "_http._tcp.api.test": {
        srv: [
          { target: "a.test", port: 1 },
          { target: "b.test", port: 2 },
          { target: "gone.test", port: 3 },
        ],
      },
      "a.test": { a: ["10.0.0.1"] },
      "b.test": { a: ["10.0.0.2"] },
    };
    const dns = await startDnsServer(zone);
    const first = await lookUpWith(dns, options);
    expect(ids(first)).toEqual(["10.0.0.1:1", "10.0.0.2:2"]);
    expect(first).toMatchObject({ passedOver: 1, ttlMs: 60_000 });
    dns.zone = { ...zone, "b.test": "SERVFAIL" };
    expect(ids(await lookUpWith(dns, options, first))).toEqual(["10.0.0.1:1", "10.0.0.2:2"]);
    expect(ids(await lookUpWith(dns, options))).toEqual(["10.0.0.1:1"]);
  });

  test("whose target has no addresses any more stay for the hold time; after another failure they stay", async () => {
    const zone = {
      "_http._tcp.api.test": {
        srv: [
          { target: "a.test", port: 1 },
          { target: "b.test", port: 2 },
        ],
      },
      "a.test": { a: ["10.0.0.1"] },
    };
    const dns = await startDnsServer({ ...zone, "b.test": { a: ["10.0.0.2"] } });
    const held = { ...options, hold: "10s" };
    let last = await lookUpWith(dns, held);
    const at = async (now: number, b: NameRecords | "SERVFAIL" | "NXDOMAIN") => {
      dns.zone = { ...zone, "b.test": b };
      last = await lookUpWith(dns, held, last, { now });
      return ids(last);
    };
    const both = ["10.0.0.1:1", "10.0.0.2:2"];
    expect(await at(1_000, "NXDOMAIN")).toEqual(both);
    expect(await at(10_999, {})).toEqual(both);
    expect(await at(20_000, "SERVFAIL")).toEqual(both);
    expect(await at(21_000, "NXDOMAIN")).toEqual(["10.0.0.1:1"]);
    expect(await at(22_000, "SERVFAIL")).toEqual(["10.0.0.1:1"]);
  });

  test("whose targets all have no addresses are an empty response, unlike those with unusable addresses", async () => {
    const srv = [{ target: "a.test", port: 1 }];
    const dns = await startDnsServer({ "_http._tcp.api.test": { srv } });
    await expect(lookUpWith(dns, options)).rejects.toMatchObject({ message: "no usable addresses", empty: true });
    dns.zone = { "_http._tcp.api.test": { srv }, "a.test": { a: ["169.254.169.254"] } };
    await expect(lookUpWith(dns, options)).rejects.toMatchObject({ message: "no usable addresses", empty: false });
  });

  test("whose targets do not respond delay the others up to the deadline only", async () => {
    const targets = Array.from({ length: 80 }, (_, index) => `t${index}.test`);
    const dns = await startDnsServer({
      "_http._tcp.api.test": { srv: ["a.test", ...targets].map((target) => ({ target, port: 1 })) },
      "a.test": { a: ["10.0.0.1"] },
      ...Object.fromEntries(targets.map((target) => [target, "silence" as const])),
    });
    const deadline = new AbortController();
    let silent = 0;
    dns.onQuestion = (question) => {
      if (/ t\d+/.test(question) && ++silent === 32) setImmediate(() => deadline.abort());
    };
    const found = await lookUpWith(dns, options, undefined, deadline);
    expect(ids(found)).toEqual(["10.0.0.1:1"]);
    expect(found.passedOver).toBe(80);
    // A limited number at the same time, and none after the deadline.
    expect(silent).toBeLessThanOrEqual(2 * 32);
  });

  test("with the same address and port are one member, of the lowest tier", async () => {
    const dns = await startDnsServer({
      "_http._tcp.api.test": {
        srv: [
          { target: "b.test", port: 1, priority: 2 },
          { target: "a.test", port: 1, priority: 1 },
        ],
      },
      "a.test": { a: ["10.0.0.1"] },
      "b.test": { a: ["10.0.0.1"] },
    });
    expect((await lookUpWith(dns, options)).upstreams.map(({ id, tier }) => [id, tier])).toEqual([["10.0.0.1:1", 0]]);
  });

  test("become a thousand members at most", async () => {
    const srv = Array.from({ length: 1_200 }, (_, index) => ({ target: "a.test", port: index + 1 }));
    const dns = await startDnsServer({ "_http._tcp.api.test": { srv }, "a.test": { a: ["10.0.0.1", "10.0.0.2"] } });
    const found = await lookUpWith(dns, options);
    expect(found.upstreams).toHaveLength(1_000);
    expect(found.passedOver).toBe(1_200);
    expect(dns.questions.filter(({ question }) => question === "A a.test")).toHaveLength(1);
  });

  test('with the target "." (RFC 2782), or without an address, are a failure', async () => {
    const dns = await startDnsServer({ "_http._tcp.api.test": { srv: [{ target: ".", port: 0 }] } });
    await expect(lookUpWith(dns, options)).rejects.toThrow("no records");
    dns.zone = { "_http._tcp.api.test": { srv: [{ target: "gone.test", port: 1 }] } };
    await expect(lookUpWith(dns, options)).rejects.toThrow("no usable addresses");
  });
});
