import { describe, expect, test } from "vitest";
import { standstill } from "../support/event-loop.ts";
import { ask, transportTo } from "../support/exchanges.ts";
import { echo, rawUpstream, response } from "../support/raw-upstream.ts";
import { VirtualClock } from "../support/virtual-clock.ts";

describe("an exchange", () => {
  test("calls its handler in order, once each", async () => {
    const bytes = [
      "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n",
      "HTTP/1.1 207 Multi \xe4\r\nX-A: 1\r\nTransfer-Encoding: chunked\r\nx-a: 2\r\n\r\n",
      "5\r\nhello\r\n0\r\nX-T: u\r\n\r\n",
    ].join("");
    const upstream = await rawUpstream({ onRequest: ({ socket }) => socket.write(bytes, "latin1") });
    const exchange = await ask(transportTo(upstream.port), "/a?b").ended();
    expect(exchange).toMatchObject({
      phase: "complete",
      informations: [[103, ["Link", "</a>"]]],
      status: 207,
      statusText: "Multi \xe4",
      headers: ["X-A", "1", "Transfer-Encoding", "chunked", "x-a", "2"],
      length: -1,
      body: "hello",
      trailers: ["X-T", "u"],
    });
    expect(upstream.requests[0]?.head).toBe("GET /a?b HTTP/1.1\r\nHost: a\r\n\r\n");
  });

  test.each([
    ["HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", 5],
    ["HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 0],
    ["HTTP/1.1 204 None\r\n\r\n", 0],
    ["HTTP/1.1 304 Same\r\nContent-Length: 5\r\n\r\n", 0],
    ["HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", -1],
    ["HTTP/1.1 200 OK\r\n\r\n", -1],
  ])("reports the length of the body: %j is %i", async (bytes, length) => {
    const upstream = await rawUpstream({ onRequest: ({ socket }) => socket.end(bytes) });
    const exchange = await ask(transportTo(upstream.port), "/").ended();
    expect(exchange).toMatchObject({ phase: "complete", length });
  });

  test("reports the connect time on a new connection, and none on a used one", async () => {
    const clock = new VirtualClock();
    const upstream = await rawUpstream({ onRequest: echo });
    const transport = transportTo(upstream.port, { runtime: { clock } });
    const first = await ask(transport, "/1").ended();
    clock.advance(10);
    const second = await ask(transport, "/2").ended();
    const fresh = await ask(transport, "/3", { freshConnection: true }).ended();
    expect([first.connectMs, second.connectMs, fresh.connectMs]).toEqual([0, undefined, 0]);
    expect(upstream.requests.map(({ connection, index }) => [connection, index])).toEqual([
      [0, 0],
      [0, 1],
      [1, 0],
    ]);
  });

  test("does not report a response before its head is complete", async () => {
    const bytes = response("hello", { headers: ["X: y"] });
    const upstream = await rawUpstream({
      onRequest: ({ socket }) => {
        let sent = 0;
        const next = () => {
          if (sent === bytes.length) return;
          socket.write(bytes.slice(sent, ++sent));
          setImmediate(next);
        };
        setImmediate(next);
      },
    });
    // The recording complains about a flush that comes before the head.
    const exchange = await ask(transportTo(upstream.port), "/").ended();
    expect(exchange).toMatchObject({ phase: "complete", body: "hello" });
    expect(exchange.flushes).toBeGreaterThan(0);
  });

  test("is flushed when the head has arrived and nothing else", async () => {
    const upstream = await rawUpstream({
      onRequest: ({ socket }) => socket.write("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"),
    });
    const exchange = ask(transportTo(upstream.port), "/");
    await exchange.until(() => exchange.flushes === 1);
    expect(exchange).toMatchObject({ phase: "responding", status: 200, body: "" });
    upstream.sockets[0]?.write("hello");
    expect(await exchange.ended()).toMatchObject({ phase: "complete", body: "hello", flushes: 1 });
  });

  test("applies the handler's backpressure to the upstream", async () => {
    const size = 64 * 1024 * 1024;
    let written = 0;
    const upstream = await rawUpstream({
      onRequest: ({ socket }) => {
        socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${size}\r\n\r\n`);
        const chunk = Buffer.alloc(65_536, "x");
        const write = () => {
          while (written < size) {
            written += chunk.length;
            if (!socket.write(chunk)) return void socket.once("drain", write);
          }
        };
        write();
      },
    });
    const exchange = ask(transportTo(upstream.port), "/", { onData: () => false });
    await exchange.until(() => exchange.body !== "");
    // Both sides of the loopback fill up; then nothing moves however often the event loop turns.
    await standstill(() => written);
    const taken = exchange.bytes.length;
    expect(taken).toBeLessThanOrEqual(128 * 1024);
    expect(written).toBeLessThan(size);
    exchange.exchange.resume();
    await exchange.until(() => exchange.bytes.length > taken);
    exchange.exchange.abort();
    await upstream.until(() => upstream.open === 0);
  });

  test("completes a paused body when it is resumed", async () => {
    const upstream = await rawUpstream({ onRequest: echo });
    const transport = transportTo(upstream.port);
    for (let round = 0; round < 20; round++) {
      const exchange = ask(transport, "/hello", { onData: () => false });
      await exchange.until(() => exchange.over);
      expect(exchange).toMatchObject({ phase: "complete", body: "/hello" });
    }
  });
});

describe("what the upstream sees", () => {
  test("has the same names, values, order and repetition, 8-bit bytes both ways", async () => {
    const all = Array.from({ length: 128 }, (_, index) => String.fromCharCode(128 + index)).join("");
    const headers = ["hOST", "a", "X-B", "1", "x-b", "2", "X-8", all, "X-B", "\t3 ", "X-Empty", ""];
    const upstream = await rawUpstream({
      onRequest: ({ socket }) =>
        socket.write(`HTTP/1.1 200 ${all}\r\nX-8: ${all}\r\nContent-Length: 128\r\n\r\n${all}`, "latin1"),
    });
    const exchange = await ask(transportTo(upstream.port), "/%zz//../a;b?c=%0d%0a&d", { headers }).ended();
    expect(upstream.requests[0]?.head).toBe(
      `GET /%zz//../a;b?c=%0d%0a&d HTTP/1.1\r\nhOST: a\r\nX-B: 1\r\nx-b: 2\r\nX-8: ${all}\r\nX-B: \t3 \r\nX-Empty: \r\n\r\n`,
    );
    expect(exchange).toMatchObject({ statusText: all, headers: ["X-8", all, "Content-Length", "128"], body: all });
  });

  test.each([
    ["a path with a line break", { path: "/\r\nX: y" }],
    ["a path with a NUL", { path: "/\0" }],
    ["a path with a space", { path: "/ HTTP/1.1" }],
    ["an empty path", { path: "" }],
    ["a value with CR LF", { headers: ["Host", "a", "X", "a\r\nY: z"] }],
    ["a value with LF", { headers: ["Host", "a", "X", "a\nY: z"] }],
    ["a value with CR", { headers: ["Host", "a", "X", "a\rY: z"] }],
    ["a value with a NUL", { headers: ["Host", "a", "X", "\0"] }],
    ["a value beyond Latin-1", { headers: ["Host", "a", "X", "\u010d\u010a"] }],
    ["a name with CR LF", { headers: ["Host", "a", "X\r\nY", "z"] }],
    ["a method with a line break", { method: "GET\r\n" }],
    ["a second length", { headers: ["Host", "a", "Content-Length", "5"] }],
    ["a second coding", { headers: ["Host", "a", "transfer-encoding", "chunked"] }],
  ])("is nothing of a request with %s, which fails with internal", async (_, head) => {
    const upstream = await rawUpstream({ onRequest: echo });
    const transport = transportTo(upstream.port);
    const exchange = await ask(transport, "/", head).ended();
    expect(exchange.failure).toMatchObject({ code: "internal", reused: false, sent: false });
    expect(await ask(transport, "/next").ended()).toMatchObject({ body: "/next" });
    expect(upstream.sockets).toHaveLength(1);
    expect(upstream.requests.map(({ path }) => path)).toEqual(["/next"]);
  });
});
