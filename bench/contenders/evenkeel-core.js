import { createServer } from "node:http";
import { createProxy } from "evenkeel";
import { observe, toOptions } from "./evenkeel-options.js";
import { listen } from "./listen.js";

export async function start(urls, { log }) {
  const proxy = createProxy(toOptions(urls));
  await observe(proxy, { log });
  return listen(createServer(proxy.handler).on("upgrade", proxy.upgrade).on("clientError", proxy.clientError));
}
