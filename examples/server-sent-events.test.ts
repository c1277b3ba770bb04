import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import { expect, onTestFinished, test } from "vitest";
import { begin, closeServer, startUpstream } from "../packages/core/test/support/adapter-lab.ts";
import { start } from "./server-sent-events/main.ts";

/** Sends the events after the last one that a client has received, and leaves the stream open. */
async function startEvents(name: string, streams: Map<string, ServerResponse>): Promise<string> {
  const { url } = await startUpstream(name, (req, res) => {
    streams.set(name, res);
    const next = Number(req.headers["last-event-id"] ?? 0) + 1;
    res.writeHead(200, { "content-type": "text/event-stream" });
    res.write(`id: ${next}\ndata: ${name}\n\n`);
  });
  return url;
}

/** Opens a stream, and returns its chunks one by one. */
async function listenTo(port: number, lastEventId?: number) {
  const req = begin(port, { headers: lastEventId === undefined ? {} : { "last-event-id": lastEventId } }).end();
  onTestFinished(() => void req.destroy());
  const [res] = (await once(req, "response")) as [IncomingMessage];
  const pieces = (res as AsyncIterable<Buffer>)[Symbol.asyncIterator]();
  return { next: async () => String((await pieces.next()).value) };
}

test("events are forwarded one by one, and a disconnected client continues at another upstream", async () => {
  const streams = new Map<string, ServerResponse>();
  const { port, proxy, server } = await start([await startEvents("a", streams), await startEvents("b", streams)], 0);
  onTestFinished(async () => {
    await proxy.close({ timeout: "0s" });
    await closeServer(server);
  });
  const first = await listenTo(port);
  expect(await first.next()).toMatch(/^id: 1\ndata: [ab]\n\n$/);
  const [[name, stream] = []] = [...streams];
  stream?.write(`id: 2\ndata: ${name}\n\n`);
  expect(await first.next()).toBe(`id: 2\ndata: ${name}\n\n`);

  stream?.destroy();
  await expect(first.next()).rejects.toMatchObject({ code: "ECONNRESET" });
  const second = await listenTo(port, 2);
  expect(await second.next()).toMatch(/^id: 3\ndata: [ab]\n\n$/);
});
