// How do I send a few requests to a new version first, and stop when it fails?

import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { createProxy, type Proxy } from "evenkeel";

/** All requests go to blue at first. For blue-green in one step, roll out with `[100]`. */
export async function start(blue: string, green: string, port = 8080) {
  const proxy = createProxy({
    upstreams: [
      { id: "blue", url: blue, weight: 100 },
      { id: "green", url: green, weight: 0 },
    ],
  });
  const server = createServer(proxy.handler).on("upgrade", proxy.upgrade).on("clientError", proxy.clientError);
  await once(server.listen(port), "listening");
  return { port: (server.address() as AddressInfo).port, proxy, server };
}

/** Applies from the next request on. Requests in flight finish at their upstream. */
export function shift(proxy: Proxy, percent: number): void {
  proxy.pools.get("default")?.setWeight("green", percent);
  proxy.pools.get("default")?.setWeight("blue", 100 - percent);
}

/** Raises green's share step by step, after `soak` each time. The first failure sends all requests to blue again. */
export async function rollOut(proxy: Proxy, soak: () => Promise<void>, steps = [1, 10, 50, 100]): Promise<boolean> {
  let failures = 0;
  proxy.on("attempt", ({ upstream, status = 502 }) => {
    if (upstream === "green" && status >= 500) failures++;
  });
  for (const percent of steps) {
    shift(proxy, percent);
    await soak();
    if (failures > 0) shift(proxy, 0);
    if (failures > 0) return false;
  }
  return true;
}
