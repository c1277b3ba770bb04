// How does a chat client reconnect to its server when its WebSocket breaks?

import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { createProxy } from "evenkeel";

/** Every proxy in front of the chat needs the same secret. */
export async function start(
  upstreams: string[],
  secret = process.env["STICKY_SECRET"] ?? "only for trying",
  port = 8080,
) {
  const proxy = createProxy({
    upstreams,
    // Spreads the handshakes evenly, and with them the sockets.
    balance: "round-robin",
    // Browsers get the cookie with the first response, a page or a 101, and send it with WebSocket handshakes.
    sticky: { cookie: "chat", secret, ttl: "1h" },
  });
  const server = createServer(proxy.handler).on("upgrade", proxy.upgrade).on("clientError", proxy.clientError);
  await once(server.listen(port), "listening");
  return { port: (server.address() as AddressInfo).port, proxy, server };
}
