// How do I replace every upstream by a new version, one after the other, without losing a request?

import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as wait } from "node:timers/promises";
import { createProxy, type Proxy } from "evenkeel";

/** Named upstreams behind one address. */
export async function start(upstreams: { id: string; url: string }[], port = 8080) {
  const proxy = createProxy({ upstreams });
  const server = createServer(proxy.handler).on("upgrade", proxy.upgrade).on("clientError", proxy.clientError);
  await once(server.listen(port), "listening");
  return { port: (server.address() as AddressInfo).port, proxy, server };
}

/**
 * `replace` stops an upstream, starts its successor at the same address, and resolves when that one serves. For a standalone
 * proxy, the same steps are `evenkeel drain default/a`, `evenkeel status`, `evenkeel enable default/a`.
 */
export async function deploy(proxy: Proxy, replace: (id: string) => Promise<void>): Promise<void> {
  const pool = proxy.pools.get("default");
  for (const { id } of pool?.upstreams ?? []) {
    pool?.setState(id, "draining");
    while (isBusy(proxy, id)) await wait(50);
    await replace(id);
    pool?.setState(id, "active");
  }
}

function isBusy(proxy: Proxy, id: string): boolean {
  const [pool] = proxy.snapshot().pools;
  const upstream = pool?.upstreams.find((one) => one.id === id);
  return upstream !== undefined && upstream.inFlight + upstream.tunnels > 0;
}
