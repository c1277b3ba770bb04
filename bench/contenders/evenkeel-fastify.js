import evenkeel from "@evenkeel/fastify";
import fastify from "fastify";
import { observe, toOptions } from "./evenkeel-options.js";
import { place } from "./listen.js";

export async function start(urls, { log }) {
  const app = fastify({ clientErrorHandler: (error, socket) => app.evenkeel.clientError(error, socket) });
  await app.register(evenkeel, toOptions(urls));
  await observe(app.evenkeel, { log });
  await app.listen(place);
  return app.server.address().port;
}
