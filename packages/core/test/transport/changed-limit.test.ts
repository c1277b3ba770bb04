import { describe, expect, test } from "vitest";
import { turns } from "../support/event-loop.ts";
import { ask, transportTo } from "../support/exchanges.ts";
import { type FrameRequest, frameServer, respond } from "../support/frame-server.ts";
import { h2cTransport } from "../support/http2-transports.ts";
import { echo, rawUpstream } from "../support/raw-upstream.ts";
import { VirtualClock } from "../support/virtual-clock.ts";

describe("a limit of HTTP/1.1 connections that changes", () => {
  test("closes idle connections above it at once and busy ones after their exchange, and lets more open when it is raised", async () => {
    const clock = new VirtualClock();
    const upstream = await rawUpstream({});
    const transport = transportTo(upstream.port, { runtime: { clock }, connections: { max: 4 } });
    let short = 0;
    const limit = (max: number) => transport.limitConnections(max, () => short++);
    const exchanges = Array.from({ length: 4 }, (_, index) => ask(transport, `/${index}`));
    await upstream.until(() => upstream.requests.length === 4);
    for (const request of upstream.requests.slice(0, 2)) echo(request);
    const idle = upstream.requests.slice(0, 2).map(({ path }) => Number(path.slice(1)));
    for (const index of idle) await exchanges[index]?.ended();
    expect(transport.connectionUse).toEqual({ open: 4, wanted: 2 });
    limit(1);
    expect(transport.connectionUse).toEqual({ open: 2, wanted: 2 });
    const waiting = ["/later", "/last"].map((path) => ask(transport, path));
    expect([short, transport.connectionUse.wanted]).toEqual([2, 4]);
    // One of the busy connections is above the limit: it closes, and the other one serves.
    for (const request of upstream.requests.slice(2, 4)) echo(request);
    for (const exchange of exchanges) await exchange.ended();
    clock.advance(5);
    await upstream.until(() => upstream.requests.length === 5);
    expect(transport.connectionUse).toEqual({ open: 1, wanted: 2 });
    limit(2);
    await upstream.until(() => upstream.requests.length === 6);
    for (const request of upstream.requests.slice(4)) echo(request);
    for (const exchange of waiting) expect(await exchange.ended()).toMatchObject({ phase: "complete" });
    limit(0);
    expect(transport.connectionUse).toEqual({ open: 0, wanted: 0 });
  });
});

describe("a limit of HTTP/2 connections that changes", () => {
  test("retires connections above it after their requests, and serves those that wait when it is raised", async () => {
    const held: FrameRequest[] = [];
    const upstream = await frameServer({ onRequest: (request) => void held.push(request) });
    const transport = h2cTransport(upstream.port, { connections: { max: 1 } });
    let short = 0;
    const limit = (max: number) => transport.limitConnections(max, () => short++);
    const first = ask(transport, "/first");
    await upstream.until(() => held.length === 1);
    expect(transport.connectionUse).toEqual({ open: 1, wanted: 1 });
    limit(0);
    expect(transport.connectionUse).toEqual({ open: 0, wanted: 0 });
    const second = ask(transport, "/second");
    await turns(10);
    expect([short, transport.connectionUse.wanted, upstream.peers.length]).toEqual([1, 1, 1]);
    limit(1);
    await upstream.until(() => held.length === 2);
    for (const { peer, id } of held) peer.send(respond(id, "fine"));
    for (const exchange of [first, second]) expect(await exchange.ended()).toMatchObject({ phase: "complete" });
    expect(upstream.peers).toHaveLength(2);
  });
});
