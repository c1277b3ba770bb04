/** How HTTP/2 connections follow an upstream's name, and when they are replaced. */

import { once } from "node:events";
import { createServer, type Http2Server, type ServerHttp2Session, type ServerHttp2Stream } from "node:http2";
import type { AddressInfo } from "node:net";
import { describe, expect, onTestFinished, test } from "vitest";
import { Connector } from "../../../src/transport/connector.ts";
import { causeOf } from "../../../src/transport/failure-cause.ts";
import { ask, type TestTransportOptions } from "../../support/exchanges.ts";
import { h2cTransport } from "../../support/http2-transports.ts";
import { resolverOver, type ScriptedNames, scriptedNames } from "../../support/names.ts";
import { VirtualClock } from "../../support/virtual-clock.ts";

/** An HTTP/2 server that answers with its address, or leaves the stream open when the path is /hold. */
async function serverAt(host: string, port = 0) {
  const sessions: ServerHttp2Session[] = [];
  const held: ServerHttp2Stream[] = [];
  /** The index of the connection that each request came over. */
  const carriers: number[] = [];
  const server: Http2Server = createServer();
  server.on("session", (session) => {
    sessions.push(session);
    session.on("error", () => {});
  });
  server.on("stream", (stream, headers) => {
    carriers.push(sessions.indexOf(stream.session as ServerHttp2Session));
    stream.on("error", () => {});
    stream.respond({ ":status": 200 });
    if (headers[":path"] === "/hold") held.push(stream);
    else stream.end(host);
  });
  server.listen(port, host);
  await once(server, "listening");
  onTestFinished(() => {
    for (const session of sessions) session.destroy();
    server.close();
  });
  return { sessions, held, carriers, port: (server.address() as AddressInfo).port };
}

function lab(zone: ScriptedNames["zone"]) {
  const names = scriptedNames(zone);
  const clock = new VirtualClock();
  const connector = new Connector({ clock }, resolverOver(names, { clock }));
  const to = (port: number, options: TestTransportOptions = {}) =>
    h2cTransport(port, {
      ...options,
      runtime: { clock, random: () => 0 },
      connector,
      address: { hostname: "api.test" },
      connections: { keepAlive: "1h", ...options.connections },
    });
  return { names, clock, to };
}

describe("an HTTP/2 connection", () => {
  test("accepts no more requests once its name has moved, and finishes those in flight", async () => {
    const old = await serverAt("127.0.0.2");
    await serverAt("127.0.0.1", old.port);
    const { names, clock, to } = lab({ "api.test": { 4: ["127.0.0.2"], ttl: 5 } });
    const transport = to(old.port, { connections: { maxAge: "0s" } });
    const held = ask(transport, "/hold");
    await held.until(() => held.status === 200);
    expect((await ask(transport, "/").ended()).body).toBe("127.0.0.2");
    names.zone["api.test"] = { 4: ["127.0.0.1"], ttl: 5 };
    await clock.advanceAsync(5_000);
    expect((await ask(transport, "/").ended()).body).toBe("127.0.0.1");
    const closed = once(old.sessions[0] as ServerHttp2Session, "close");
    old.held[0]?.end("whole");
    expect(await held.ended()).toMatchObject({ phase: "complete", body: "whole" });
    await closed;
  });

  test("is replaced at its maximum age, however busy", async () => {
    const server = await serverAt("127.0.0.1");
    const { clock, to } = lab({ "api.test": ["127.0.0.1"] });
    const transport = to(server.port, { connections: { maxAge: "5m" } });
    for (let minute = 0; minute < 12; minute++) {
      await ask(transport, "/").ended();
      await clock.advanceAsync(60_000);
    }
    expect(server.carriers).toEqual([0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 2, 2]);
  });

  test("carries its maximum number of requests, those of one turn included", async () => {
    const server = await serverAt("127.0.0.1");
    const { to } = lab({ "api.test": ["127.0.0.1"] });
    const transport = to(server.port, { connections: { maxRequests: 3 } });
    await ask(transport, "/").ended();
    const exchanges = await Promise.all(Array.from({ length: 8 }, () => ask(transport, "/").ended()));
    expect(exchanges.map(({ phase }) => phase)).toEqual(Array(8).fill("complete"));
    const carried = server.sessions.map((_, index) => server.carriers.filter((carrier) => carrier === index).length);
    expect(Math.max(...carried)).toBe(3);
    expect(carried.reduce((sum, count) => sum + count, 0)).toBe(9);
  });

  test("whose name has no DNS answer fails with dns_failed", async () => {
    const { clock, to } = lab({ "api.test": "silence" });
    const exchange = ask(to(80, { timeouts: { connect: "1s" } }), "/");
    await clock.advanceAsync(1_100);
    const { failure } = await exchange.ended();
    expect(failure).toMatchObject({ code: "dns_failed", sent: false });
    expect(causeOf(failure?.cause)).toBe("looking up api.test failed: no answer in time (EAI_AGAIN)");
  });
});
