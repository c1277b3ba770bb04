import type { IncomingMessage, ServerResponse } from "node:http";
import type { Writable } from "node:stream";
import { describe, expect, test } from "vitest";
import { answerOf, begin, rawClient, responseTo } from "../support/client.ts";
import { standstill, turns } from "../support/event-loop.ts";
import { heldBytes } from "../support/memory.ts";
import { onlyPool, startProxy } from "../support/start-proxy.ts";
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

  /** A client that has begun to read an answer that is too long to be held anywhere, and has stopped. */
  async function stalled(options: { sendTimeout?: string }) {
    const clock = new VirtualClock();
    let count = { sent: 0 };
    const upstream = await startUpstream("a", (_req, res) => {
      count = pump(res, total);
    });
    const started = await startProxy({ upstreams: [upstream.url], ...options }, { runtime: { clock } });
    const response = await responseTo(begin(started.url).end());
    response.pause();
    await standstill(() => count.sent);
    expect(count.sent).toBeLessThan(most);
    return { ...started, clock, response };
  }

  test("a client that reads nothing for too long is cut off, and that is not the upstream's fault", async () => {
    const { proxy, clock, response, finished } = await stalled({});
    await clock.advanceAsync(59_000);
    expect(onlyPool(proxy).inFlight).toBe(1);
    await clock.advanceAsync(2_000);
    expect((await finished(1))[0]).toMatchObject({ status: 200, error: "send_timeout", flags: ["truncated"] });
    expect(onlyPool(proxy).snapshot().upstreams[0]).toMatchObject({ outcomes: { aborted: 1 }, lastFailure: null });
    await expect(answerOf(response)).rejects.toMatchObject({ code: "ECONNRESET" });
  });

  test("a client that may take its time gets everything, an hour later too", async () => {
    const { clock, response, finished } = await stalled({ sendTimeout: "0s" });
    await clock.advanceAsync(3_600_000);
    let received = 0;
    for await (const chunk of response as AsyncIterable<Buffer>) received += chunk.length;
    expect(received).toBe(total);
    expect((await finished(1))[0]).toMatchObject({ status: 200, error: undefined, flags: [] });
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
  test("the head, before there is any body", async () => {
    const upstream = await startUpstream("a", (_req, res) => void res.writeHead(200, { "X-A": "1" }).flushHeaders());
    const { url } = await startProxy({ upstreams: [upstream.url] });
    const request = begin(url).end();
    const response = await responseTo(request);
    expect([response.statusCode, response.headers["x-a"]]).toEqual([200, "1"]);
    request.destroy();
  });

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

  test("every piece of a request", async () => {
    let arrived: (piece: string) => void = () => {};
    const upstream = await startUpstream("a", (req, res) => {
      req.on("data", (chunk: Buffer) => arrived(chunk.toString()));
      req.on("end", () => res.end());
    });
    const { url } = await startProxy({ upstreams: [upstream.url] });
    const request = begin(url, { method: "POST" });
    for (const word of ["one", "two", "three"]) {
      const arrival = new Promise<string>((resolve) => {
        arrived = resolve;
      });
      request.write(word);
      expect(await arrival).toBe(word);
    }
    request.end();
    (await responseTo(request)).resume();
  });

  test("answer and request at the same time", async () => {
    const upstream = await startUpstream("echo", (req, res) => void req.pipe(res));
    const { url } = await startProxy({ upstreams: [upstream.url] });
    const request = begin(url, { method: "POST" });
    request.write("0");
    const response = await responseTo(request);
    for (let round = 1; round <= 10; round++) {
      const echo = new Promise<string>((resolve) => {
        response.once("data", (chunk: Buffer) => resolve(chunk.toString()));
      });
      if (round > 1) request.write(`${round - 1}`);
      expect(await echo).toBe(`${round - 1}`);
    }
    request.end();
    await new Promise((resolve) => {
      response.once("end", resolve).resume();
    });
  });
});
