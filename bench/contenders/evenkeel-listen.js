import { createProxy } from "evenkeel";
import { createServer } from "evenkeel/server";
import { observe, toOptions } from "./evenkeel-options.js";
import { place } from "./listen.js";

/** The proxy with a server of its own. */
export async function start(urls, { log }) {
  const proxy = createProxy(toOptions(urls));
  await observe(proxy, { log });
  const server = createServer(proxy, { listen: `${place.host}:${place.port}` });
  await server.listen();
  return Number(new URL(server.urls[0]).port);
}
