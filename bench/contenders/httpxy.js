import { createServer } from "node:http";
import { createProxyServer } from "httpxy";
import { keepAliveAgent } from "./agent.js";
import { byTurns, listen } from "./listen.js";

export function start(urls) {
  const proxy = createProxyServer({ agent: keepAliveAgent(), xfwd: true });
  proxy.on("error", (_error, _req, res) => res?.destroy());
  const next = byTurns(urls);
  const server = createServer((req, res) => proxy.web(req, res, { target: next() }));
  server.on("upgrade", (req, socket, head) => proxy.ws(req, socket, { target: next() }, head));
  return listen(server);
}
