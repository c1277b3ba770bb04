// How do I authenticate clients before a request reaches an upstream?

import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { createProxy } from "evenkeel";

/** Stands for your own lookup, which may be asynchronous. */
async function userOf(authorization: string | undefined): Promise<string | undefined> {
  return authorization === "Bearer open sesame" ? "ali" : undefined;
}

/** Serves `/users` and `/orders` to authenticated clients, and sends the user's name to the upstreams. */
export async function start(users: string[], orders: string[], port = 8080) {
  const proxy = createProxy(
    {
      pools: { users: { upstreams: users }, orders: { upstreams: orders } },
      routes: [
        { path: "/users", pool: "users" },
        { path: "/orders", methods: ["GET", "POST"], pool: "orders", maxBodySize: "1mb" },
      ],
    },
    {
      // Runs for WebSocket handshakes too. If it throws, the response is 500 and nothing is forwarded.
      async onRequest({ headers, respond }) {
        const user = await userOf(headers.get("Authorization"));
        if (user === undefined) return respond({ status: 401, headers: { "WWW-Authenticate": "Bearer" } });
        headers.delete("Authorization");
        headers.set("X-User", user);
      },
    },
  );
  const server = createServer(proxy.handler).on("upgrade", proxy.upgrade).on("clientError", proxy.clientError);
  await once(server.listen(port), "listening");
  return { port: (server.address() as AddressInfo).port, proxy, server };
}
