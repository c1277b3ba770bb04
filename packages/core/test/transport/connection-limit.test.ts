import { describe, expect, test } from "vitest";
import { turns } from "../support/event-loop.ts";
import { ask, type Recording, transportTo } from "../support/exchanges.ts";
import { echo, type RawRequest, rawUpstream } from "../support/raw-upstream.ts";
import { VirtualClock } from "../support/virtual-clock.ts";

function ended(exchanges: readonly Recording[]): Promise<Recording[]> {
  return Promise.all(exchanges.map((exchange) => exchange.ended()));
}

describe("a limit of connections", () => {
  test("is kept, and waiting exchanges are served in order", async () => {
    const clock = new VirtualClock();
    let most = 0;
    const upstream = await rawUpstream({
      onConnection: () => {
        most = Math.max(most, upstream.open);
      },
    });
    const transport = transportTo(upstream.port, { runtime: { clock }, connections: { max: 3 } });
    const exchanges = Array.from({ length: 12 }, (_, index) => ask(transport, `/${index}`));
    const order: number[] = [];
    for (const [index, exchange] of exchanges.entries()) {
      void exchange.until(() => exchange.phase !== "waiting").then(() => order.push(index));
    }
    for (let served = 0; served < 12; served++) {
      await upstream.until(() => upstream.requests.length > served);
      const request = upstream.requests[served] as RawRequest;
      echo(request);
      await exchanges[Number(request.path.slice(1))]?.ended();
      // Those who wait get the connection when it has rested.
      clock.advance(5);
    }
    await ended(exchanges);
    // The first three connect together; all others have to wait.
    expect([...order.slice(0, 3).sort(), ...order.slice(3)]).toEqual(exchanges.map((_, index) => index));
    expect(exchanges.map(({ body }) => body)).toEqual(exchanges.map((_, index) => `/${index}`));
    expect([most, upstream.sockets.length]).toEqual([3, 3]);
  });

  test("lets a connection rest even while an exchange waits", async () => {
    const clock = new VirtualClock();
    const upstream = await rawUpstream({ onRequest: echo });
    const transport = transportTo(upstream.port, { runtime: { clock }, connections: { max: 1 } });
    const [first, second] = [ask(transport, "/1"), ask(transport, "/2")];
    await first.ended();
    await turns(20);
    expect(upstream.requests).toHaveLength(1);
    clock.advance(5);
    expect(await second.ended()).toMatchObject({ body: "/2", connectMs: undefined });
    const third = ask(transport, "/3");
    await turns(20);
    expect(upstream.requests).toHaveLength(2);
    clock.advance(5);
    expect(await third.ended()).toMatchObject({ body: "/3" });
    expect(upstream.sockets).toHaveLength(1);
  });

  test("serves a waiting exchange when a connection is lost", async () => {
    const clock = new VirtualClock();
    const upstream = await rawUpstream({ onRequest: (request) => request.path !== "/1" && echo(request) });
    const transport = transportTo(upstream.port, { runtime: { clock }, connections: { max: 1 } });
    const [first, second, third] = ["/1", "/2", "/3"].map((path) => ask(transport, path)) as [
      Recording,
      Recording,
      Recording,
    ];
    await upstream.until(() => upstream.requests.length === 1);
    upstream.sockets[0]?.resetAndDestroy();
    expect((await first.ended()).failure?.code).toBe("reset");
    expect(await second.ended()).toMatchObject({ body: "/2" });
    clock.advance(5);
    expect(await third.ended()).toMatchObject({ body: "/3" });
    expect(upstream.requests.map(({ connection }) => connection)).toEqual([0, 1, 1]);
  });

  test("fails exchanges that have waited for the connect timeout", async () => {
    const clock = new VirtualClock();
    const upstream = await rawUpstream({});
    const transport = transportTo(upstream.port, {
      runtime: { clock },
      connections: { max: 1 },
      timeouts: { connect: "1s" },
    });
    const first = ask(transport, "/1");
    const second = ask(transport, "/2");
    await upstream.until(() => upstream.requests.length === 1);
    clock.advance(999);
    await turns(20);
    expect(second.over).toBe(false);
    clock.advance(21);
    expect((await second.ended()).failure).toMatchObject({ code: "queue_timeout", reused: false, sent: false });
    expect(first.over).toBe(false);
  });

  test("makes room for a fresh connection, and never uses another one in its place", async () => {
    const clock = new VirtualClock();
    const upstream = await rawUpstream({ onRequest: echo });
    const transport = transportTo(upstream.port, { runtime: { clock }, connections: { max: 1 } });
    await ask(transport, "/1").ended();
    clock.advance(10);
    expect(await ask(transport, "/2", { freshConnection: true }).ended()).toMatchObject({ body: "/2", connectMs: 0 });
    // Also when it has to wait.
    clock.advance(10);
    const [third, fourth] = [ask(transport, "/3"), ask(transport, "/4", { freshConnection: true })];
    await third.ended();
    expect(await fourth.ended()).toMatchObject({ body: "/4", connectMs: 0 });
    expect(upstream.requests.map(({ connection }) => connection)).toEqual([0, 1, 1, 2]);
  });

  test("holds under load, and each request gets its own response", async () => {
    const upstream = await rawUpstream({ onRequest: echo });
    const transport = transportTo(upstream.port, { connections: { max: 4 } });
    const exchanges = await ended(
      Array.from({ length: 500 }, (_, index) => ask(transport, `/${index}`, { freshConnection: index % 10 === 9 })),
    );
    expect(exchanges.map(({ body }) => body)).toEqual(exchanges.map((_, index) => `/${index}`));
    expect(upstream.open).toBeLessThanOrEqual(4);
  });
});
