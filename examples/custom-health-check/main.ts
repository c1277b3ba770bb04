// How do I write my own health check: by a word in the response of a probe, or in code?

import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { createProxy, type Proxy } from "evenkeel";

/** Probes of the pool `web` look for a word. Only `judge` sets the health of the pool `replicas`. */
export async function start(web: string[], replicas: string[], port = 8080) {
  const proxy = createProxy({
    pools: {
      web: {
        upstreams: web,
        healthCheck: {
          path: "/status",
          headers: { Host: "probe.internal" },
          expectBody: "/database: (ok|slow)/",
          interval: "1s",
        },
      },
      replicas: { upstreams: replicas },
    },
    routes: [{ path: "/reports", pool: "replicas" }, { pool: "web" }],
  });
  const judging = setInterval(() => void judge(proxy), 1_000).unref();
  const server = createServer(proxy.handler).on("upgrade", proxy.upgrade).on("clientError", proxy.clientError);
  server.on("close", () => clearInterval(judging));
  await once(server.listen(port), "listening");
  return { port: (server.address() as AddressInfo).port, proxy, server };
}

/** A replica that is more than ten seconds behind gets no requests, even if it responds. */
export async function judge(proxy: Proxy): Promise<void> {
  const pool = proxy.pools.get("replicas");
  for (const upstream of pool?.upstreams ?? []) {
    const answer = await fetch(`${upstream.url}/lag`, { signal: AbortSignal.timeout(500) }).catch(() => undefined);
    const lag = Number((await answer?.text()) ?? Infinity);
    pool?.setHealth(upstream, lag <= 10 ? "healthy" : "unhealthy", `${lag} seconds behind`);
  }
}
