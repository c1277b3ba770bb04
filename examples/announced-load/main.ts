// How do Node upstreams report their load, so that a busy one gets fewer requests?

import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { createProxy } from "evenkeel";
import { type AnnounceLoadOptions, announceLoad } from "evenkeel/announce-load";

/** An upstream: `announceLoad` runs in front of the app. Without options it announces the utilization of the event loop. */
export async function startUpstream(name: string, options?: AnnounceLoadOptions) {
  const server = createServer(announceLoad(options)).on("request", (_req, res) => void res.end(`${name}\n`));
  return listen(server, 0);
}

/** A proxy that uses the announced load of its upstreams, and does not forward the header. */
export async function startProxy(upstreams: string[], port = 8080) {
  const proxy = createProxy({ upstreams, weights: { mode: "announced" } });
  proxy.on("weight", ({ upstream, from, to, detail }) => console.log(`${upstream}: ${from} -> ${to}, ${detail}`));
  const { url, close } = await listen(createServer(proxy.handler), port);
  return { url, close: () => Promise.all([close(), proxy.close()]) };
}

async function listen(server: ReturnType<typeof createServer>, port: number) {
  await once(server.listen(port, "127.0.0.1"), "listening");
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { url, close: async () => void server.close() };
}

if (process.argv[1] === import.meta.filename) {
  const upstreams = [await startUpstream("calm"), await startUpstream("busy", { loadOf: () => 0.9 })];
  const { url } = await startProxy(upstreams.map((upstream) => upstream.url));
  console.log(`${url} gives most requests to the upstream that is calm`);
}
