// How do I find out who is asking, before a request reaches any upstream?

import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { createProxy } from "evenkeel";

/** Stands for a look-up of your own; it may take its time. */
async function userOf(authorization: string | undefined): Promise<string | undefined> {
  return authorization === "Bearer open sesame" ? "ali" : undefined;
}

/** `/users` and `/orders` are served to whoever is known; the upstreams are told who it is. */
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
      // Runs for WebSocket handshakes too. If it throws, the request is 500 and goes nowhere.
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
