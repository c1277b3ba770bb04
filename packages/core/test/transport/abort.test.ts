import { describe, expect, test } from "vitest";
import { turns } from "../support/event-loop.ts";
import { ask, closed, type Recording, transportTo } from "../support/exchanges.ts";
import { echo, rawUpstream } from "../support/raw-upstream.ts";
import { VirtualClock } from "../support/virtual-clock.ts";

function calls({ phase, connectMs, status, body, failure }: Recording): unknown {
  return { phase, connectMs, status, body, failure };
}

describe("an aborted exchange", () => {
  test("while it waits for a connection leaves the queue", async () => {
    const upstream = await rawUpstream({
      onRequest: ({ path, ...request }) => path !== "/1" && echo({ path, ...request }),
    });
    const transport = transportTo(upstream.port, { connections: { max: 1 } });
    const first = ask(transport, "/1");
    const second = ask(transport, "/2");
    const third = ask(transport, "/3");
    await upstream.until(() => upstream.requests.length === 1);
    const before = calls(second);
    second.exchange.abort();
    first.exchange.abort();
    expect(await third.ended()).toMatchObject({ body: "/3" });
    expect(calls(second)).toEqual(before);
    expect(upstream.requests.map(({ path }) => path)).toEqual(["/1", "/3"]);
  });

  test("while it connects leaves no connection", async () => {
    const upstream = await rawUpstream({ onRequest: echo });
    const exchange = ask(transportTo(upstream.port), "/");
    const before = calls(exchange);
    exchange.exchange.abort();
    await turns(20);
    await upstream.until(() => upstream.open === 0);
    expect(calls(exchange)).toEqual(before);
    expect(upstream.requests).toEqual([]);
  });

  test("that has a connection and has written nothing sends nothing", async () => {
    const clock = new VirtualClock();
    const upstream = await rawUpstream({ onRequest: echo });
    const transport = transportTo(upstream.port, { runtime: { clock } });
    await ask(transport, "/1").ended();
    clock.advance(10);
    const exchange = ask(transport, "/2");
    const before = calls(exchange);
    exchange.exchange.abort();
    await upstream.until(() => upstream.open === 0);
    await turns(20);
    expect(calls(exchange)).toEqual(before);
    expect(upstream.requests.map(({ path }) => path)).toEqual(["/1"]);
    expect(upstream.sockets).toHaveLength(1);
  });

  test("from within onConnected sends no body", async () => {
    const upstream = await rawUpstream({});
    const exchange = ask(transportTo(upstream.port), "/", { method: "PUT", bodyLength: 5 });
    await exchange.until(() => {
      if (exchange.phase !== "connected") return false;
      exchange.exchange.abort();
      return true;
    });
    const before = calls(exchange);
    await upstream.until(() => upstream.sockets.length === 1 && upstream.open === 0);
    expect(calls(exchange)).toEqual(before);
    expect(upstream.requests).toEqual([]);
  });

  test("that waits for the response does not receive it", async () => {
    const upstream = await rawUpstream({});
    const exchange = ask(transportTo(upstream.port), "/");
    await upstream.until(() => upstream.requests.length === 1);
    const before = calls(exchange);
    // The answer is on its way when the caller gives up.
    upstream.sockets[0]?.write("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
    exchange.exchange.abort();
    await upstream.until(() => upstream.open === 0);
    await turns(20);
    expect(calls(exchange)).toEqual(before);
  });

  test.each(["onInformation", "onResponse", "onData", "onFlush"] as const)(
    "from within %s gets no further call",
    async (name) => {
      const upstream = await rawUpstream({
        onRequest: ({ socket }) => {
          socket.write(
            "HTTP/1.1 103 Hints\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n1\r\nb\r\n",
          );
          setImmediate(() => setImmediate(() => socket.write("1\r\nc\r\n0\r\n\r\n")));
        },
      });
      const exchange = ask(transportTo(upstream.port), "/");
      const heard: string[] = [];
      for (const call of ["onInformation", "onResponse", "onData", "onFlush", "onComplete", "onFailure"] as const) {
        const inner = exchange[call].bind(exchange) as (...args: unknown[]) => unknown;
        Object.assign(exchange, {
          [call]: (...args: unknown[]) => {
            heard.push(call);
            const result = inner(...args);
            if (call === name) exchange.exchange.abort();
            return result;
          },
        });
      }
      await upstream.until(() => upstream.sockets.length === 1 && upstream.open === 0);
      await turns(20);
      expect(heard.at(-1)).toBe(name);
      expect(heard.filter((call) => call === name)).toHaveLength(1);
    },
  );

  test("in the middle of the body leaves no connection, paused or not", async () => {
    const upstream = await rawUpstream({
      onRequest: ({ socket }) => socket.write("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\nhello"),
    });
    const transport = transportTo(upstream.port);
    for (const more of [true, false]) {
      const exchange = ask(transport, "/", { onData: () => more });
      await exchange.until(() => exchange.body !== "");
      const before = calls(exchange);
      exchange.exchange.abort();
      await upstream.until(() => upstream.open === 0);
      exchange.exchange.resume();
      await turns(20);
      expect(calls(exchange)).toEqual(before);
    }
  });

  test("in the middle of its own body leaves no connection", async () => {
    const upstream = await rawUpstream({ onHead: ({ socket }) => socket.pause() });
    const exchange = ask(transportTo(upstream.port), "/", { method: "PUT", bodyLength: 2 ** 40 });
    await exchange.until(() => exchange.phase === "connected");
    while (exchange.exchange.write(Buffer.alloc(1024 * 1024)));
    await upstream.until(() => upstream.sockets[0]?.isPaused() ?? false);
    exchange.exchange.abort();
    upstream.sockets[0]?.resume();
    await upstream.until(() => upstream.open === 0);
    expect(exchange.phase).toBe("connected");
  });

  test("that has failed, before its handler is called, is not called", async () => {
    const upstream = await rawUpstream({});
    const transport = transportTo(upstream.port);
    // Refused at once, reported later.
    const refused = ask(transport, "/ \r\n");
    refused.exchange.abort();
    await turns(20);
    expect(refused.phase).toBe("waiting");

    const exchange = ask(transport, "/");
    await upstream.until(() => upstream.requests.length === 1);
    transport.destroy();
    exchange.exchange.abort();
    await turns(20);
    expect(exchange).toMatchObject({ phase: "connected", failure: undefined });
  });

  test("after its end changes nothing, also for the next exchange on the connection", async () => {
    const clock = new VirtualClock();
    const upstream = await rawUpstream({ onRequest: echo });
    const transport = transportTo(upstream.port, { runtime: { clock } });
    const first = await ask(transport, "/1").ended();
    clock.advance(10);
    const second = ask(transport, "/2");
    first.exchange.abort();
    expect(await second.ended()).toMatchObject({ body: "/2" });
    first.exchange.abort();
    clock.advance(10);
    expect(await ask(transport, "/3").ended()).toMatchObject({ body: "/3" });
    expect(upstream.sockets).toHaveLength(1);
  });
});

test("a connection that is aborted within the TLS handshake is closed", async () => {
  const upstream = await rawUpstream({});
  const exchange = ask(transportTo(upstream.port, { address: { tls: true } }), "/");
  await upstream.until(() => (upstream.sockets[0]?.bytesRead ?? 0) > 0);
  exchange.exchange.abort();
  await closed(upstream.sockets[0] as never);
  await turns(20);
  expect(exchange.phase).toBe("waiting");
});
