import { readFileSync } from "node:fs";
import * as https from "node:https";
import type { AddressInfo } from "node:net";
import path from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import type { DiscoveryOptions } from "../../src/config/options.ts";
import { fetchFrom } from "../support/client.ts";
import { startDnsServer, type Zone } from "../support/dns-server.ts";
import { until } from "../support/event-loop.ts";
import { idsOf } from "../support/pools.ts";
import { onlyPool, startProxy } from "../support/start-proxy.ts";
import { startUpstream } from "../support/start-upstream.ts";
import { VirtualClock } from "../support/virtual-clock.ts";
import { connectSocket, echo, startEcho } from "../support/web-sockets.ts";

/** Upstreams by name, a DNS server whose SRV records lead to those that are named, and a proxy on virtual time. */
async function scene(names: readonly string[]) {
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
  const started = await startProxy({ balance: "round-robin", discovery }, { runtime: { clock, random: () => 0.5 } });
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
  return { ...started, dns, clock, upstreams, idOf, leadTo, lookUpAgain };
}

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
