import { createServer } from "node:http";
import express from "express";
import { createProxyMiddleware } from "http-proxy-middleware";
import { keepAliveAgent } from "./agent.js";
import { byTurns, listen } from "./listen.js";

export function start(urls) {
  const app = express();
  const middleware = createProxyMiddleware({
    target: urls[0],
    router: byTurns(urls),
    agent: keepAliveAgent(),
    xfwd: true,
    on: { error: (_error, _req, res) => res.destroy() },
  });
  app.use(middleware);
  return listen(createServer(app).on("upgrade", middleware.upgrade));
}
