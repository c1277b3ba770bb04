import evenkeel from "@evenkeel/fastify";
import fastify, { type FastifyInstance } from "fastify";

const app: FastifyInstance = fastify({
  clientErrorHandler: (error, socket) => app.evenkeel.clientError(error, socket),
});
await app.register(async (scope) => {
  scope.addHook("preHandler", async (request, reply) => {
    if (request.headers.authorization !== "Bearer open sesame") return reply.code(401).send({ error: "unauthorized" });
  });
  await scope.register(evenkeel, {
    prefix: "/api",
    pools: { shop: { upstreams: ["http://127.0.0.1:3001"] } },
    routes: [{ pool: "shop", addPrefix: "/v1", preserveHost: false, requestHeaders: { set: { "X-Gateway": "shop" } } }],
  });
});
await app.listen({ port: 8080, host: "127.0.0.1" });
