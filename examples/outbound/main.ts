// How do my own requests to a service share the balancing, the retries and the limits of my proxy?

import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { createProxy } from "evenkeel";

/** Starts an app that proxies `/users`, and requests data from the same service for its front page. */
export async function start(port = 8080): Promise<{ readonly port: number; close(): Promise<void> }> {
  const { USERS_1 = "http://127.0.0.1:3001", USERS_2 = "http://127.0.0.1:3002" } = process.env;
  const proxy = createProxy({
    pools: { users: { upstreams: [USERS_1, USERS_2], healthCheck: { path: "/healthz" } } },
    routes: [{ path: "/users", pool: "users" }],
  });
  const users = proxy.outbound("users");

  async function frontPage(): Promise<string> {
    const response = await users.fetch("/users/first", { signal: AbortSignal.timeout(5_000) });
    return `the first user is ${await response.text()}\n`;
  }

  const server = createServer((req, res) => {
    // The app serves the requests that no route matches.
    proxy.handler(req, res, () => {
      frontPage().then(
        (page) => res.end(page),
        (error: Error) => res.writeHead(502).end(`${String(error.cause)}\n`),
      );
    });
  }).listen(port);
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    async close() {
      server.close();
      await proxy.close({ timeout: "2s" });
    },
  };
}

if (process.argv[1] === import.meta.filename) console.log(`http://127.0.0.1:${(await start()).port}/`);
