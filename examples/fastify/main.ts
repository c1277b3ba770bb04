// How do I put a pool of upstreams behind one path of a Fastify app, with the app's own authentication in front of it?

import type { AddressInfo } from "node:net";
import path from "node:path";
import evenkeel from "@evenkeel/fastify";
import Fastify from "fastify";

/** Starts the app. `close` lets requests in flight finish, tunnels for two seconds at most. */
export async function start(port = 8080): Promise<{ readonly port: number; close(): Promise<void> }> {
  const app = Fastify();
  app.get("/", () => "the app's own page\n");

  // Hooks in a scope run for all routes in it, for requests and for WebSocket handshakes.
  await app.register(async (scope) => {
    scope.addHook("preHandler", async (request, reply) => {
      if (request.headers.authorization !== "Bearer open sesame")
        return reply.code(401).send({ error: "unauthorized" });
    });
    await scope.register(evenkeel, {
      prefix: "/api",
      config: path.join(import.meta.dirname, "proxy.toml"),
      closeTimeout: "2s",
    });
  });

  await app.listen({ port });
  return { port: (app.server.address() as AddressInfo).port, close: () => app.close() };
}

if (process.argv[1] === import.meta.filename) {
  const { port, close } = await start();
  console.log(`http://127.0.0.1:${port}/api/users goes to the upstreams that proxy.toml names`);
  process.once("SIGINT", () => void close()).once("SIGTERM", () => void close());
}
