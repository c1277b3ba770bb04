import httpProxy from "@fastify/http-proxy";
import fastify from "fastify";
import { undiciOptions } from "./agent.js";
import { place } from "./listen.js";

export async function start([upstream]) {
  const app = fastify();
  await app.register(httpProxy, { upstream, undici: undiciOptions, websocket: true });
  await app.listen(place);
  return app.server.address().port;
}
