import proxy from "@fastify/http-proxy";
import fastify from "fastify";

const app = fastify();
await app.register(proxy, {
  prefix: "/api",
  rewritePrefix: "/v1",
  upstream: "http://127.0.0.1:3001",
  websocket: true,
  preHandler: async (request, reply) => {
    if (request.headers.authorization !== "Bearer open sesame") return reply.code(401).send({ error: "unauthorized" });
  },
  replyOptions: {
    rewriteRequestHeaders: (_request, headers) => ({ ...headers, "x-gateway": "shop" }),
  },
});
await app.listen({ port: 8080, host: "127.0.0.1" });
