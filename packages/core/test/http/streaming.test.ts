import type { IncomingMessage, ServerResponse } from "node:http";
import type { Writable } from "node:stream";
import { describe, expect, test } from "vitest";
import { begin, rawClient, responseTo } from "../support/client.ts";
import { standstill, turns } from "../support/event-loop.ts";
import { heldBytes } from "../support/memory.ts";
import { startProxy } from "../support/start-proxy.ts";
import { startRawUpstream, startUpstream } from "../support/start-upstream.ts";
import { VirtualClock } from "../support/virtual-clock.ts";

const mebibyte = 1_048_576;
const piece = Buffer.alloc(65_536, "x");

/** Writes as much as it is let, and keeps count of it. */
function pump(into: Writable, total: number): { sent: number } {
  const count = { sent: 0 };
  const go = () => {
    while (count.sent < total) {
      count.sent += piece.length;
      if (!into.write(piece)) return void into.once("drain", go);
    }
    into.end();
  };
  go();
  return count;
}

/** Reads to the end, and says how much there was and how far memory grew meanwhile. */
async function weigh(stream: IncomingMessage): Promise<{ bytes: number; growth: number }> {
  const before = heldBytes();
  let bytes = 0;
  let growth = 0;
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    const weighed = Math.floor(bytes / (10 * mebibyte));
    bytes += chunk.length;
    if (Math.floor(bytes / (10 * mebibyte)) > weighed) growth = Math.max(growth, heldBytes() - before);
  }
  return { bytes, growth };
}

describe("100 MB pass in constant memory", () => {
  const total = 100 * mebibyte;
  const framings: [string, Record<string, string>][] = [
    ["with a length", { "Content-Length": `${total}` }],
    ["in chunks", { "Transfer-Encoding": "chunked" }],
  ];

  test.each(framings)("to the client, %s", async (_name, headers) => {
    const upstream = await startUpstream("a", (_req, res) => void pump(res.writeHead(200, headers), total));
    const { url, finished } = await startProxy({ upstreams: [upstream.url] });
    const { bytes, growth } = await weigh(await responseTo(begin(url).end()));
    expect(bytes).toBe(total);
    expect(growth).toBeLessThan(16 * mebibyte);
    expect((await finished(1))[0]).toMatchObject({ status: 200, bytesOut: total });
  });

  test.each(framings)("to the upstream, %s", async (_name, headers) => {
    let weighed: Promise<{ bytes: number; growth: number }> | undefined;
    const upstream = await startUpstream("a", (req, res) => {
      weighed = weigh(req).finally(() => res.end("done"));
    });
    const { url, finished } = await startProxy({ upstreams: [upstream.url] });
    const request = begin(url, { method: "POST", headers });
    pump(request, total);
    (await responseTo(request)).resume();
    const { bytes, growth } = (await weighed) ?? {};
    expect(bytes).toBe(total);
    expect(growth).toBeLessThan(16 * mebibyte);
    expect((await finished(1))[0]).toMatchObject({ status: 200, bytesIn: total });
  });
});

describe("backpressure", () => {
  const total = 64 * mebibyte;
  /** What the kernel's buffers and those at both ends may hold between a writer and a slow reader. */
  const most = 24 * mebibyte;

  test("a client that reads slowly holds the upstream back", async () => {
    let count = { sent: 0 };
    const upstream = await startUpstream("a", (_req, res) => {
      count = pump(res, total);
    });
    const { url } = await startProxy({ upstreams: [upstream.url] });
    let received = 0;
    let ahead = 0;
    for await (const chunk of (await responseTo(begin(url).end())) as AsyncIterable<Buffer>) {
      received += chunk.length;
      ahead = Math.max(ahead, count.sent - received);
      await turns(10);
    }
    expect(received).toBe(total);
    expect(ahead).toBeLessThan(most);
  });

  test("an upstream that reads slowly holds the client back", async () => {
    let ahead = 0;
    let received = 0;
    let count = { sent: 0 };
    const upstream = await startUpstream("a", (req, res) => {
      void (async () => {
        for await (const chunk of req as AsyncIterable<Buffer>) {
          received += chunk.length;
          ahead = Math.max(ahead, count.sent - received);
          await turns(10);
        }
        res.end();
      })();
    });
    const { url } = await startProxy({ upstreams: [upstream.url] });
    const request = begin(url, { method: "POST" });
    count = pump(request, total);
    (await responseTo(request)).resume();
    expect(received).toBe(total);
    expect(ahead).toBeLessThan(most);
  });

  test("an upstream that reads nothing of an upload for as long as it may is 504", async () => {
    const clock = new VirtualClock();
    const upstream = await startRawUpstream((socket) => void socket.pause());
    const { url } = await startProxy({ upstreams: [upstream.url] }, { runtime: { clock } });
    const request = begin(url, { method: "POST" });
    const count = pump(request, total);
    await standstill(() => count.sent);
    expect(count.sent).toBeLessThan(most);
    const response = responseTo(request);
    await clock.advanceAsync(31_000);
    expect((await response).statusCode).toBe(504);
    request.destroy();
  });
});

describe("what comes goes on at once", () => {
  test("every event of an event stream, however long between them", async () => {
    let stream: ServerResponse | undefined;
    const upstream = await startUpstream("a", (_req, res) => {
      stream = res.writeHead(200, { "Content-Type": "text/event-stream; charset=utf-8" });
      res.flushHeaders();
    });
    const clock = new VirtualClock();
    const { port } = await startProxy({ upstreams: [upstream.url] }, { runtime: { clock } });
    const client = await rawClient(port, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    await client.until(/text\/event-stream; charset=utf-8[^]*\r\n\r\n/);
    for (let event = 0; event < 5; event++) {
      const before = performance.now();
      stream?.write(`data: ${event}\n\n`);
      await client.until(new RegExp(`data: ${event}\n\n`));
      expect(performance.now() - before).toBeLessThan(50);
    }
    // The limit for silence does not apply to event streams.
    await clock.advanceAsync(3_600_000);
    stream?.end("data: last\n\n");
    await client.until(/data: last\n\n\r\n0\r\n\r\n$/);
  });
});
