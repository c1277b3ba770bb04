// How do I put Server-Sent Events behind a proxy, so that none is held back and a client survives its upstream?

import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { createProxy } from "evenkeel";

/**
 * Each event goes on as it comes. When an upstream dies, its streams are cut, which is what makes an EventSource
 * connect again, with `Last-Event-ID`: it then meets one that is up.
 */
export async function start(upstreams: string[], port = 8080) {
  const proxy = createProxy({
    upstreams,
    // Streams last: the next one goes to whoever has the fewest.
    balance: "least-requests",
    // Quiet event streams are left alone, whatever this says; other answers are not.
    timeouts: { headers: "5s", idle: "10s" },
  });
  const server = createServer(proxy.handler).on("upgrade", proxy.upgrade).on("clientError", proxy.clientError);
  await once(server.listen(port), "listening");
  return { port: (server.address() as AddressInfo).port, proxy, server };
}
