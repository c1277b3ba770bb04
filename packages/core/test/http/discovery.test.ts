import { readFileSync } from "node:fs";
import * as https from "node:https";
import type { AddressInfo } from "node:net";
import path from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import type { DiscoveryOptions, PoolOptions } from "../../src/config/options.ts";
import type { Proxy } from "../../src/proxy.ts";
import { fetchFrom } from "../support/client.ts";
import { startDnsServer, type Zone } from "../support/dns-server.ts";
import { until } from "../support/event-loop.ts";
import { idsOf } from "../support/pools.ts";
import { nextEvent, onlyPool, startProxy } from "../support/start-proxy.ts";
import { startUpstream } from "../support/start-upstream.ts";
import { VirtualClock } from "../support/virtual-clock.ts";
import { connectSocket, echo, startEcho } from "../support/web-sockets.ts";

/** Upstreams by name, a DNS server whose SRV records lead to those that are named, and a proxy on virtual time. */
async function scene(names: readonly string[], options: Partial<PoolOptions> = {}) {
  const upstreams = new Map(
    await Promise.all(["a", "b", "c"].map(async (name) => [name, await startUpstream(name)] as const)),
  );
  const portOf = (name: string) => upstreams.get(name)?.port ?? 0;
  const idOf = (name: string) => `127.0.0.1:${portOf(name)}`;
  const leadTo = (...targets: string[]): Zone => ({
    "_http._tcp.api.test": { srv: targets.map((name) => ({ target: `${name}.test`, port: portOf(name) })) },
    ...Object.fromEntries(targets.map((name) => [`${name}.test`, { a: ["127.0.0.1"], ttl: 1 }])),
  });
  const dns = await startDnsServer(leadTo(...names));
  const discovery: DiscoveryOptions = {
    type: "srv",
    name: "_http._tcp.api.test",
    refresh: "1s",
    servers: [dns.address],
  };
  const clock = new VirtualClock();
  const poolOptions = { balance: "round-robin", discovery, ...options } as const;
  const started = await startProxy(poolOptions, { runtime: { clock, random: () => 0.5 } });
  /** Lets the time of the next look-up come, and resolves when it has ended. */
  const lookUpAgain = async () => {
    const count = () => {
      const { success = 0, failure = 0 } = onlyPool(started.proxy).discoveryStatus.state?.lookups ?? {};
      return success + failure;
    };
    const before = count();
    await clock.advanceAsync(1_100);
    await until(() => count() > before);
  };
  return { ...started, dns, clock, upstreams, idOf, leadTo, discovery, poolOptions, lookUpAgain };
}

const settled = (proxy: Proxy) => until(() => onlyPool(proxy).discoveryStatus.state?.status !== "awaited");

test("requests that come before the first answer wait for it and are spread over all who are found", async () => {
  const { url, finished } = await scene(["a", "b"]);
  const answers = await Promise.all(Array.from({ length: 10 }, () => fetchFrom(url)));
  expect(answers.map(({ text }) => text).sort()).toEqual([..."aaaaabbbbb"]);
  const events = await finished(10);
  expect(events.every(({ status, attempts }) => status === 200 && attempts.length === 1)).toBe(true);
});

test("requests that come before a first look-up that fails get 503 as soon as it has", async () => {
  const { url, dns, proxy, finished, lookUpAgain, leadTo } = await scene([]);
  dns.zone = { "_http._tcp.api.test": "SERVFAIL" };
  const failing = nextEvent(proxy, "discovery");
  expect((await fetchFrom(url)).status).toBe(503);
  expect(await failing).toEqual({
    pool: "default",
    name: "_http._tcp.api.test",
    ok: false,
    error: "SERVFAIL",
    members: 0,
  });
  expect((await fetchFrom(url)).status).toBe(503);
  expect((await finished(2)).map(({ error }) => error)).toEqual(["none_available", "none_available"]);
  dns.zone = leadTo("a");
  await lookUpAgain();
  expect((await fetchFrom(url)).text).toBe("a");
});

test("no request is lost while members come and go under load", async () => {
  const { url, dns, proxy, upstreams, idOf, leadTo, lookUpAgain } = await scene(["a"]);
  for (const [name, upstream] of upstreams) {
    upstream.answer = (req, res) => req.resume().on("end", () => setImmediate(() => res.end(name)));
  }
  const drained: string[] = [];
  proxy.on("member", ({ upstream, change }) => change === "drained" && drained.push(upstream));
  const seen = new Map<string, number>();
  let over = false;
  const client = async () => {
    while (!over) {
      const { status, text } = await fetchFrom(url, { method: "POST", body: "x".repeat(1_000) });
      const key = `${status} ${text}`;
      seen.set(key, (seen.get(key) ?? 0) + 1);
    }
  };
  const clients = Array.from({ length: 8 }, client);
  const served = (name: string, more: number) => {
    const from = seen.get(`200 ${name}`) ?? 0;
    return until(() => (seen.get(`200 ${name}`) ?? 0) >= from + more);
  };
  await served("a", 20);
  dns.zone = leadTo("a", "b", "c");
  await lookUpAgain();
  await Promise.all(["a", "b", "c"].map((name) => served(name, 20)));
  dns.zone = leadTo("b", "c");
  await lookUpAgain();
  await until(() => drained.includes(idOf("a")));
  // Nobody needs it any more.
  await upstreams.get("a")?.kill();
  await Promise.all(["b", "c"].map((name) => served(name, 20)));
  dns.zone = { "_http._tcp.api.test": "SERVFAIL" };
  await lookUpAgain();
  await served("b", 20);
  over = true;
  await Promise.all(clients);
  expect([...seen.keys()].sort()).toEqual(["200 a", "200 b", "200 c"]);
  expect(idsOf(onlyPool(proxy).upstreams)).toEqual([idOf("b"), idOf("c")].sort());
});

test("a member that is gone from DNS finishes what it has begun", async () => {
  const { url, dns, proxy, upstreams, idOf, leadTo, lookUpAgain } = await scene(["a"]);
  let answer = () => {};
  const a = upstreams.get("a");
  if (a !== undefined) a.answer = (_req, res) => (answer = () => void res.end("late"));
  const first = fetchFrom(url);
  await until(() => a?.received.length === 1);
  dns.zone = leadTo("b");
  await lookUpAgain();
  expect(idsOf(onlyPool(proxy).upstreams)).toEqual([idOf("b")]);
  expect((await fetchFrom(url)).text).toBe("b");
  answer();
  expect((await first).text).toBe("late");
});

test("members that were found are probed by their name, and ejected when they fail", async () => {
  const healthCheck = { interval: "10s", fastInterval: "1s", unhealthyThreshold: 1, healthyThreshold: 1 };
  const outlierDetection = { consecutiveFailures: 1, maxEjectionPercent: 100 };
  const { url, proxy, upstreams, idOf, clock } = await scene(["a", "b", "c"], { healthCheck, outlierDetection });
  for (const [name, upstream] of upstreams) {
    upstream.answer = (req, res) => {
      const bad = name === "a" && req.headers["user-agent"] === "evenkeel-health";
      res.writeHead(bad || (name === "b" && req.url === "/fail") ? 503 : 200).end(name);
    };
  }
  const verdicts = new Map<string, string>();
  proxy.on("health", ({ upstream, to }) => verdicts.set(upstream, to));
  const ejected = nextEvent(proxy, "eject");
  await settled(proxy);
  await clock.advanceAsync(1_000);
  await until(() => verdicts.size === 3);
  expect(["a", "b", "c"].map((name) => verdicts.get(idOf(name)))).toEqual(["unhealthy", "healthy", "healthy"]);
  expect(upstreams.get("a")?.received[0]?.headers.host).toBe(`api.test:${upstreams.get("a")?.port}`);
  const first = [await fetchFrom(`${url}/fail`), await fetchFrom(`${url}/fail`)];
  expect(first.map(({ status }) => status).sort()).toEqual([200, 503]);
  expect(await ejected).toMatchObject({ upstream: idOf("b") });
  expect([(await fetchFrom(url)).text, (await fetchFrom(url)).text]).toEqual(["c", "c"]);
});

describe("a Host header that is not kept", () => {
  test("is the name that led there, for requests and for upgrades", async () => {
    const upstream = await startEcho();
    const dns = await startDnsServer({ "api.test": { a: ["127.0.0.1"] } });
    const discovery = { name: "api.test", port: upstream.port, servers: [dns.address] };
    const routes = [{ pool: "api", preserveHost: false }];
    const started = await startProxy({ pools: { api: { discovery } }, routes });
    await fetchFrom(started.url);
    const socket = await connectSocket(started.url);
    expect((await echo(socket, "hello")).data.toString()).toBe("hello");
    socket.close();
    await started.finished(2);
    const hosts = upstream.received.map(({ headers }) => headers.host);
    expect(hosts).toEqual([`api.test:${upstream.port}`, `api.test:${upstream.port}`]);
  });
});

test("the certificate of an https member has to name what was looked up", async () => {
  const read = (name: string) => readFileSync(path.join(import.meta.dirname, "../support/certs", name), "utf8");
  const server = https.createServer({ cert: read("localhost.crt"), key: read("localhost.key") }, (_req, res) =>
    res.end("ok"),
  );
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void server.close().closeAllConnections());
  const { port } = server.address() as AddressInfo;
  const srv = [{ target: "elsewhere.test", port }];
  const dns = await startDnsServer({
    "_https._tcp.localhost": { srv },
    "_https._tcp.example.test": { srv },
    "elsewhere.test": { a: ["127.0.0.1"] },
  });
  const statusFor = async (name: string) => {
    const discovery = { type: "srv", scheme: "https", name, servers: [dns.address] } as const;
    const { url } = await startProxy({ discovery, tls: { ca: read("localhost.crt") } });
    return (await fetchFrom(url)).status;
  };
  expect(await statusFor("_https._tcp.localhost")).toBe(200);
  expect(await statusFor("_https._tcp.example.test")).toBe(502);
});

describe("a reload", () => {
  test("that changes nothing of discovery looks nothing up", async () => {
    const { proxy, dns, poolOptions, idOf } = await scene(["a"]);
    await settled(proxy);
    const [before] = onlyPool(proxy).upstreams;
    const asked = dns.questions.length;
    const { upstreams } = proxy.reload({ ...poolOptions, balance: "random" });
    expect(upstreams).toEqual({ added: [], removed: [] });
    expect(onlyPool(proxy).get(idOf("a"))).toBe(before);
    expect(dns.questions).toHaveLength(asked);
  });

  test("with another name keeps the members until that has an answer", async () => {
    const { url, proxy, dns, discovery, idOf, leadTo, poolOptions } = await scene(["a"]);
    await settled(proxy);
    dns.zone = { ...leadTo("b"), "other.test": leadTo("b")["_http._tcp.api.test"] ?? "NXDOMAIN" };
    proxy.reload({ ...poolOptions, discovery: { ...discovery, name: "other.test" } });
    expect(idsOf(onlyPool(proxy).upstreams)).toEqual([idOf("a")]);
    expect((await fetchFrom(url)).text).toBe("a");
    await settled(proxy);
    expect(idsOf(onlyPool(proxy).upstreams)).toEqual([idOf("b")]);
    expect((await fetchFrom(url)).text).toBe("b");
  });

  test("without discovery lets its members go", async () => {
    const { proxy, clock, upstreams, idOf, poolOptions } = await scene(["a", "b"]);
    await settled(proxy);
    const listed = upstreams.get("c")?.url ?? "";
    const { discovery: _none, ...rest } = poolOptions;
    const changes = proxy.reload({ ...rest, upstreams: [listed] });
    expect(changes.upstreams.added).toEqual([`default/${idOf("c")}`]);
    expect(changes.upstreams.removed.toSorted()).toEqual([`default/${idOf("a")}`, `default/${idOf("b")}`].sort());
    expect(proxy.snapshot().pools[0]?.discovery).toBeNull();
    await clock.advanceAsync(60_000);
    expect(idsOf(onlyPool(proxy).upstreams)).toEqual([idOf("c")]);
  });

  test("that lists an address that was found, or does not any more, leaves no gap", async () => {
    const { url, proxy, upstreams, idOf, poolOptions } = await scene(["a"]);
    await settled(proxy);
    await fetchFrom(url);
    const a = onlyPool(proxy).get(idOf("a"));
    // It is asked by another name now, so it is another member.
    proxy.reload({ ...poolOptions, upstreams: [upstreams.get("a")?.url ?? ""] });
    expect(proxy.snapshot().pools[0]?.upstreams).toMatchObject([{ id: idOf("a"), discovered: false }]);
    expect(onlyPool(proxy).get(idOf("a"))).not.toBe(a);
    proxy.reload(poolOptions);
    expect(proxy.snapshot().pools[0]?.upstreams).toMatchObject([{ id: idOf("a"), discovered: true }]);
    expect((await fetchFrom(url)).text).toBe("a");
  });
});

test("a proxy that closes ends its look-ups, and nobody waits for them", async () => {
  const { url, proxy, dns, clock } = await scene([]);
  dns.zone = { "_http._tcp.api.test": "silence" };
  const waiting = fetchFrom(url);
  await until(() => onlyPool(proxy).queue.depth === 1);
  const closed = proxy.close({ timeout: "1s" });
  expect((await waiting).status).toBe(503);
  await closed;
  expect(clock.pending).toBe(0);
});
