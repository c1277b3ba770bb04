import { stat } from "node:fs";
import { Worker } from "node:worker_threads";
import { expect, onTestFinished, test } from "vitest";
import { fetchFrom, keepAlive, rawClient } from "../support/client.ts";
import { until } from "../support/event-loop.ts";
import { startProxy } from "../support/start-proxy.ts";
import { handshake } from "../support/web-sockets.ts";

const headersMs = 250;

/** In a thread of its own, which goes on while this one stands still. It responds after 150 ms, to handshakes with 403. */
const script = `
  const { createServer } = require("node:http");
  const { parentPort } = require("node:worker_threads");
  const later = (respond) => {
    parentPort.postMessage("received");
    setTimeout(respond, 150);
  };
  const server = createServer({ keepAliveTimeout: 60_000 }, (_req, res) => later(() => res.end("ok")));
  server.on("upgrade", (_req, socket) => {
    later(() => socket.end(["HTTP/1.1 403 No", "Content-Length: 2", "", "no"].join(String.fromCharCode(13, 10))));
  });
  server.listen(0, "127.0.0.1", () => parentPort.postMessage(server.address().port));
`;

/** Upstreams, and a wait until they have received so many requests. */
async function startElsewhere(count: number) {
  let received = 0;
  const start = async () => {
    const worker = new Worker(script, { eval: true });
    onTestFinished(async () => void (await worker.terminate()));
    const port = await new Promise<number>((resolve) => {
      worker.once("message", resolve);
    });
    worker.on("message", () => received++);
    return `http://127.0.0.1:${port}`;
  };
  const upstreams = await Promise.all(Array.from({ length: count }, start));
  return { upstreams, receivedBy: (requests: number) => until(() => received >= requests) };
}

/** Stands still, one time after another, in callbacks of input, with one turn of the event loop in between. */
function stall([ms, ...rest]: readonly number[]): Promise<void> {
  return new Promise((resolve) => {
    stat("/", () => {
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
      if (rest.length === 0) resolve();
      else stall(rest).then(resolve, resolve);
    });
  });
}

test.each([[[600]], [[60, 600]], [[600, 600, 600]]])(
  "stalls of %j ms are not blamed on upstreams that have responded in time",
  async (times) => {
    const { upstreams, receivedBy } = await startElsewhere(2);
    const { url, proxy } = await startProxy({
      upstreams,
      timeouts: { headers: `${headersMs}ms`, connect: `${headersMs}ms`, total: "500ms" },
      retry: { attempts: 0 },
      outlierDetection: { consecutiveFailures: 1 },
    });
    const agent = keepAlive(10);
    const send = () => Promise.all(Array.from({ length: 10 }, () => fetchFrom(url, { agent })));
    await send();
    // On a slow machine the requests before the stall may really time out.
    const ejected: string[] = [];
    proxy.on("eject", ({ upstream }) => ejected.push(upstream));
    const answers = send();
    await receivedBy(20);
    await stall(times);
    expect((await answers).map(({ status }) => status)).toEqual(Array(10).fill(200));
    expect(ejected).toEqual([]);
  },
);

test("nor is a handshake that was answered in time", async () => {
  const { upstreams, receivedBy } = await startElsewhere(1);
  const { port, finished } = await startProxy({
    upstreams,
    timeouts: { headers: `${headersMs}ms`, connect: `${headersMs}ms` },
    retry: { attempts: 0 },
  });
  const client = await rawClient(port, handshake());
  await receivedBy(1);
  await stall([60, 600]);
  expect(await client.until(/no$/)).toMatch(/^HTTP\/1\.1 403 /);
  expect((await finished(1))[0]).toMatchObject({ status: 403, error: undefined });
});
