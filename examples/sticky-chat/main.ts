// How does a chat client come back to the server that knows it, when its WebSocket breaks?

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
    // An open socket is no request any more, so what is spread are the handshakes.
    balance: "round-robin",
    // Browsers send the cookie with WebSocket handshakes, and get it with the first answer, be it a page or a 101.
    sticky: { cookie: "chat", secret, ttl: "1h" },
  });
  const server = createServer(proxy.handler).on("upgrade", proxy.upgrade).on("clientError", proxy.clientError);
  await once(server.listen(port), "listening");
  return { port: (server.address() as AddressInfo).port, proxy, server };
}
