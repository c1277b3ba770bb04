// A small Fastify app with a pool of two upstreams at /api.
import evenkeel from "@evenkeel/fastify";
import fastify from "fastify";
import { checkFailover, checkTunnel, startBackend } from "./lab.mjs";

const backends = { a: await startBackend("a"), b: await startBackend("b") };
const app = fastify({ forceCloseConnections: true });
await app.register(evenkeel, {
  prefix: "/api",
  upstreams: [backends.a.url, backends.b.url],
  balance: "round-robin",
  closeTimeout: "1s",
});
const url = `${await app.listen({ host: "127.0.0.1", port: 0 })}/api/users`;

await checkTunnel(url);
await checkFailover(url, backends);

await app.close();
backends.a.stop();
