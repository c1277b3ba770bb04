import http from "node:http";
import express from "express";
import express4 from "express4";
import { onTestFinished } from "vitest";
import { adapterContract, closeTimeout } from "../../core/test/support/adapter-contract.ts";
import { closeServer, listen } from "../../core/test/support/adapter-lab.ts";
import { evenkeel } from "../src/index.ts";

for (const [name, createApp] of [["Express 5", express] as const, ["Express 4", express4] as const]) {
  adapterContract({
    name,
    readsFiles: true,
    async start(mounts) {
      const app = createApp();
      const server = http.createServer(app);
      const middlewares = mounts.map(({ prefix, options }) => {
        const middleware = evenkeel({ ...options, prefix });
        app.use(prefix, middleware);
        return middleware;
      });
      server.on("upgrade", (req, socket, head) => {
        for (const middleware of middlewares) middleware.upgrade(req, socket, head);
      });
      app.use((_req, res) => void res.status(404).end("the app's own"));
      const close = async () => {
        const drained = middlewares.map((middleware) => middleware.close({ timeout: closeTimeout }));
        await Promise.all([closeServer(server), ...drained]);
      };
      onTestFinished(close);
      return { port: await listen(server), proxies: middlewares.map(({ proxy }) => proxy), close };
    },
  });
}
