/** Connections to upstreams that are given by name. */

import { once } from "node:events";
import { createServer } from "node:net";
import { networkInterfaces } from "node:os";
import { describe, expect, test, vi } from "vitest";
import { limits } from "../../src/config/defaults.ts";
import { LookupFailure } from "../../src/dns/lookup-failure.ts";
import { Connector, connectTimeoutError } from "../../src/transport/connector.ts";
import { createTransport } from "../../src/transport/create-transport.ts";
import { causeOf } from "../../src/transport/failure-cause.ts";
import { turns } from "../support/event-loop.ts";
import { ask, plainAddress, type TestTransportOptions, transportSettings, transportTo } from "../support/exchanges.ts";
import { resolverOver, type ScriptedNames, scriptedNames } from "../support/names.ts";
import { echo, rawUpstream, response } from "../support/raw-upstream.ts";
import { VirtualClock } from "../support/virtual-clock.ts";

/** Transports by name, over a scripted DNS on virtual time. */
function lab(zone: ScriptedNames["zone"]) {
  const names = scriptedNames(zone);
  const clock = new VirtualClock();
  const connector = new Connector({ clock }, resolverOver(names, { clock }));
  const to = (port: number, options: TestTransportOptions = {}) =>
    transportTo(port, {
      ...options,
      runtime: { clock, random: () => 0 },
      connector,
      address: { hostname: "api.test", host: `api.test:${port}`, ...options.address },
    });
  const lookups = () => names.questions.filter((question) => question.startsWith("A ")).length;
  return { names, clock, connector, to, lookups };
}

/** A server at each of these addresses, all on one port. */
async function serversAt(...hosts: string[]) {
  for (;;) {
    const first = await rawUpstream({ onRequest: answerWith(hosts[0]), listen: { port: 0, host: hosts[0] } });
    const others = hosts
      .slice(1)
      .map((host) => rawUpstream({ onRequest: answerWith(host), listen: { port: first.port, host } }));
    try {
      return [first, ...(await Promise.all(others))] as const;
    } catch (error) {
      // Another process uses the port at another address.
      if ((error as NodeJS.ErrnoException).code !== "EADDRINUSE") throw error;
    }
  }
}

const answerWith =
  (body = ""): NonNullable<Parameters<typeof rawUpstream>[0]["onRequest"]> =>
  ({ socket }) =>
    socket.write(response(body));

describe("an upstream's name", () => {
  test("is looked up once for many connections at the same time, and not for the next ones", async () => {
    const upstream = await rawUpstream({ onRequest: echo });
    const { to, lookups } = lab({ "api.test": ["127.0.0.1"] });
    const transport = to(upstream.port);
    const exchanges = await Promise.all(["/1", "/2", "/3"].map((path) => ask(transport, path).ended()));
    expect(exchanges.map(({ body }) => body)).toEqual(["/1", "/2", "/3"]);
    expect((await ask(transport, "/4", { freshConnection: true }).ended()).body).toBe("/4");
    expect(lookups()).toBe(1);
    expect(upstream.sockets.length).toBeGreaterThan(3);
  });

  test("without a DNS answer holds up no other name, and fails with dns_failed", async () => {
    const upstream = await rawUpstream({ onRequest: echo });
    const { to, clock } = lab({ "slow.test": "silence", "api.test": ["127.0.0.1"] });
    const options = { timeouts: { connect: "2s" } };
    const slow = to(80, { ...options, address: { hostname: "slow.test" } });
    const stuck = Array.from({ length: 20 }, (_, index) => ask(slow, `/${index}`));
    const beside = await Promise.all(["/a", "/b"].map((path) => ask(to(upstream.port, options), path).ended()));
    expect(beside.map(({ body }) => body)).toEqual(["/a", "/b"]);
    clock.advance(2_100);
    const failures = await Promise.all(stuck.map(async (exchange) => (await exchange.ended()).failure));
    for (const failure of failures) expect(failure).toMatchObject({ code: "dns_failed", reused: false, sent: false });
    expect(causeOf(failures[0]?.cause)).toBe("looking up slow.test failed: no answer in time (EAI_AGAIN)");
  });

  test("without a DNS answer fails with dns_failed over HTTP/2, too", async () => {
    const { connector, clock } = lab({ "slow.test": "silence" });
    const settings = transportSettings({ connections: { http2: "h2c" }, timeouts: { connect: "2s" } });
    const address = { ...plainAddress(80), hostname: "slow.test" };
    const transport = createTransport(address, settings, { clock, random: () => 0 }, connector);
    const exchange = ask(transport, "/");
    await turns(2);
    clock.advance(2_100);
    const { failure } = await exchange.ended();
    expect(failure).toMatchObject({ code: "dns_failed", sent: false });
    expect(causeOf(failure?.cause)).toBe("looking up slow.test failed: no answer in time (EAI_AGAIN)");
    transport.destroy();
  });

  test("that is resolved does not turn a connect timeout into dns_failed", async () => {
    const upstream = await rawUpstream({});
    const { connector, names } = lab({ "api.test": ["127.0.0.1"] });
    const { tls } = transportSettings();
    const address = { ...plainAddress(upstream.port), hostname: "api.test" };
    const waiting = connector.open(address, tls);
    expect(connectTimeoutError(waiting).code).toBe("dns_failed");
    await once(waiting, "connect");
    names.zone = {};
    const socket = connector.open(address, tls);
    expect(connectTimeoutError(socket).code).toBe("connect_timeout");
    for (const each of [waiting, socket]) each.destroy();
  });

  test.each([
    ["ENOTFOUND", "NXDOMAIN (ENOTFOUND)"],
    ["ESERVFAIL", "SERVFAIL (EAI_AGAIN)"],
  ] as const)("that DNS answers with %s fails with its cause", async (answer, cause) => {
    const { to } = lab({ "api.test": answer });
    const { failure } = await ask(to(80), "/").ended();
    expect(failure).toMatchObject({ code: "dns_failed", sent: false });
    expect(causeOf(failure?.cause)).toBe(`looking up api.test failed: ${cause}`);
  });

  test("without a file descriptor for its lookup is no failure of the upstream", async () => {
    const { names, to } = lab({});
    Object.assign(names, { hosts: () => Promise.reject(new LookupFailure("no file descriptor is left", "not-sent")) });
    expect((await ask(to(80), "/").ended()).failure).toMatchObject({ code: "no_file_descriptors", sent: false });
  });

  test("is not waited for by an aborted request", async () => {
    const { to, names } = lab({ "api.test": "silence" });
    const exchange = ask(to(80), "/");
    await turns(5);
    expect(names.open).toBe(2);
    exchange.exchange.abort();
    await turns(20);
    expect(exchange.failure).toBeUndefined();
  });

  test("is never looked up for an address or a unix socket", () => {
    const { connector } = lab({});
    const base = { tls: false, port: 80, host: "", basePath: "", socketPath: undefined };
    expect(connector.nameOf({ ...base, hostname: "127.0.0.1" })).toBeUndefined();
    expect(connector.nameOf({ ...base, hostname: "::1" })).toBeUndefined();
    expect(connector.nameOf({ ...base, hostname: "", socketPath: "/run/app.sock" })).toBeUndefined();
    expect(connector.nameOf({ ...base, hostname: "localhost" })?.hostname).toBe("localhost");
  });
});

describe("of several addresses", () => {
  test("those that refuse are skipped, and both families are tried", async () => {
    const [upstream] = await serversAt("127.0.0.1");
    const { to, lookups } = lab({ "api.test": { 4: ["127.0.0.2", "127.0.0.1", "127.0.0.3"], 6: ["::1"] } });
    const transport = to(upstream.port);
    for (let index = 0; index < 4; index++) {
      expect((await ask(transport, "/", { freshConnection: true }).ended()).body).toBe("127.0.0.1");
    }
    expect(lookups()).toBe(1);
  });

  test("each gets its share of the connections", async () => {
    const [one, two] = await serversAt("127.0.0.1", "127.0.0.2");
    const { to } = lab({ "api.test": ["127.0.0.1", "127.0.0.2"] });
    const transport = to(one.port);
    for (let index = 0; index < 6; index++) await ask(transport, "/", { freshConnection: true }).ended();
    expect([one.requests.length, two?.requests.length]).toEqual([3, 3]);
  });

  test("IPv6 alone works", async () => {
    const there = Object.values(networkInterfaces()).some((list) => list?.some(({ address }) => address === "::1"));
    const upstream = await rawUpstream({ onRequest: echo, listen: { port: 0, host: there ? "::1" : "127.0.0.1" } });
    const { to } = lab({ "api.test": there ? { 6: ["::1"] } : { 4: ["127.0.0.1"] } });
    expect((await ask(to(upstream.port), "/six").ended()).body).toBe("/six");
  });

  test("when none can be connected to, the name is looked up again at once", async () => {
    const gone = createServer();
    await new Promise<void>((resolve) => gone.listen(0, "127.0.0.2", resolve));
    const { port } = gone.address() as { port: number };
    await new Promise((resolve) => gone.close(resolve));
    const { names, clock, to, lookups } = lab({ "api.test": { 4: ["127.0.0.2"], ttl: 600 } });
    const transport = to(port);
    await ask(transport, "/").ended();
    await clock.advanceAsync(10_000);
    const before = lookups();
    names.zone["api.test"] = { 4: ["127.0.0.1"], ttl: 600 };
    await rawUpstream({ onRequest: echo, listen: { port, host: "127.0.0.1" } });
    expect((await ask(transport, "/lost").ended()).failure?.code).toBe("connect_refused");
    await vi.waitFor(() => expect(lookups()).toBe(before + 1));
    expect((await ask(transport, "/moved").ended()).body).toBe("/moved");
  });
});

describe("a connection that is kept", () => {
  async function moved(options: TestTransportOptions = {}) {
    const [old, fresh] = await serversAt("127.0.0.2", "127.0.0.1");
    const found = lab({ "api.test": { 4: ["127.0.0.2"], ttl: 5 } });
    const transport = found.to(old.port, { connections: { keepAlive: "1h", maxAge: "0s", ...options.connections } });
    const next = async () => {
      const { body } = await ask(transport, "/").ended();
      await found.clock.advanceAsync(10);
      return body;
    };
    expect([await next(), await next()]).toEqual(["127.0.0.2", "127.0.0.2"]);
    return { ...found, old, fresh, transport, next };
  }

  test("is not used again once its name has moved", async () => {
    const { names, clock, next, old } = await moved();
    names.zone["api.test"] = { 4: ["127.0.0.1"], ttl: 5 };
    expect(await next()).toBe("127.0.0.2");
    await clock.advanceAsync(5_000);
    expect(await next()).toBe("127.0.0.1");
    await old.until(() => old.open === 0);
  });

  test("is reused while DNS fails, and while its address is one of several", async () => {
    const { names, clock, next, old } = await moved();
    names.zone["api.test"] = "silence";
    await clock.advanceAsync(60_000);
    expect(await next()).toBe("127.0.0.2");
    names.zone["api.test"] = { 4: ["127.0.0.1", "127.0.0.2"], ttl: 5 };
    await clock.advanceAsync(limits.dnsRetryMaxMs + limits.dnsTimeoutMs);
    expect(await next()).toBe("127.0.0.2");
    expect(old.sockets).toHaveLength(1);
  });

  test("finishes its exchange when the name moves meanwhile", async () => {
    const [old] = await serversAt("127.0.0.2");
    const slow = await rawUpstream({ listen: { port: 0, host: "127.0.0.2" } });
    const { names, clock, to } = lab({ "api.test": { 4: ["127.0.0.2"], ttl: 5 } });
    const transport = to(slow.port, { connections: { keepAlive: "1h" }, timeouts: { headers: "1h" } });
    const exchange = ask(transport, "/");
    await slow.until(() => slow.requests.length === 1);
    names.zone["api.test"] = { 4: ["127.0.0.1"], ttl: 5 };
    await clock.advanceAsync(5_000);
    const other = ask(transport, "/other");
    expect((await other.ended()).failure?.code).toBe("connect_refused");
    slow.requests[0]?.socket.write(response("late"));
    expect((await exchange.ended()).body).toBe("late");
    await slow.until(() => slow.open === 0);
    expect(old.sockets).toHaveLength(0);
  });

  test("is closed at its maximum age, busy or idle", async () => {
    const upstream = await rawUpstream({ onRequest: echo });
    const { clock, to } = lab({ "api.test": ["127.0.0.1"] });
    const transport = to(upstream.port, { connections: { keepAlive: "1h", maxAge: "5m" } });
    for (let minute = 0; minute < 12; minute++) {
      await ask(transport, "/").ended();
      await clock.advanceAsync(60_000);
    }
    expect(upstream.requests.map(({ connection }) => connection)).toEqual([0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 2, 2]);
    await clock.advanceAsync(300_000);
    await upstream.until(() => upstream.open === 0);
  });

  test("is closed up to a tenth earlier, at random", async () => {
    const upstream = await rawUpstream({ onRequest: echo });
    const clock = new VirtualClock();
    const connections = { keepAlive: "1h", maxAge: "100s" };
    const transport = transportTo(upstream.port, { runtime: { clock, random: () => 0.5 }, connections });
    await ask(transport, "/").ended();
    clock.advance(94_900);
    await turns(5);
    expect(upstream.open).toBe(1);
    clock.advance(200);
    await upstream.until(() => upstream.open === 0);
  });

  test("is closed after its maximum number of requests", async () => {
    const upstream = await rawUpstream({ onRequest: echo });
    const { clock, to } = lab({ "api.test": ["127.0.0.1"] });
    const transport = to(upstream.port, { connections: { keepAlive: "1h", maxRequests: 3 } });
    for (let index = 0; index < 7; index++) {
      await ask(transport, "/").ended();
      await clock.advanceAsync(10);
    }
    expect(upstream.requests.map(({ connection }) => connection)).toEqual([0, 0, 0, 1, 1, 1, 2]);
  });
});
