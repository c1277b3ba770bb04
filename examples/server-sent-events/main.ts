// How do I put Server-Sent Events behind a proxy, without buffering, and with clients that survive their upstream?

import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { createProxy } from "evenkeel";

/**
 * Each event is forwarded at once. When an upstream dies, its streams are closed, so that an EventSource reconnects with
 * `Last-Event-ID`, to an upstream that is up.
 */
export async function start(upstreams: string[], port = 8080) {
  const proxy = createProxy({
    upstreams,
    // Streams are long: the next one goes to the upstream with the fewest.
    balance: "least-requests",
    // This timeout does not end idle event streams, but other responses.
    timeouts: { headers: "5s", idle: "10s" },
  });
  const server = createServer(proxy.handler).on("upgrade", proxy.upgrade).on("clientError", proxy.clientError);
  await once(server.listen(port), "listening");
  return { port: (server.address() as AddressInfo).port, proxy, server };
}
