import { createServer } from "node:http";
import httpProxy from "http-proxy";
import { keepAliveAgent } from "./agent.js";
import { byTurns, listen } from "./listen.js";

export function start(urls, { keepAlive = false }) {
  const proxy = httpProxy.createProxyServer(keepAlive ? { agent: keepAliveAgent(), xfwd: true } : {});
  proxy.on("error", (_error, _req, res) => res.destroy());
  const next = byTurns(urls);
  const server = createServer((req, res) => proxy.web(req, res, { target: next() }));
  server.on("upgrade", (req, socket, head) => proxy.ws(req, socket, head, { target: next() }));
  return listen(server);
}
