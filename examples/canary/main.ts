// How do I give a new version a few requests first, and take them back when it fails?

import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { createProxy, type Proxy } from "evenkeel";

/** Everything goes to blue at first. For blue and green in one step, roll out with `[100]`. */
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

/** Holds from the next request on; what is on its way is finished where it began. */
export function shift(proxy: Proxy, percent: number): void {
  proxy.pools.get("default")?.setWeight("green", percent);
  proxy.pools.get("default")?.setWeight("blue", 100 - percent);
}

/** Gives green more and more, for as long as `soak` takes each time. Its first failure gives everything back to blue. */
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
