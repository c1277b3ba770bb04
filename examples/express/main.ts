// How do I put a pool of upstreams behind one path of an Express app, WebSockets included?

import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import path from "node:path";
import { evenkeel } from "@evenkeel/express";
import express from "express";

/** Starts the app. `close` lets requests in flight finish, tunnels for two seconds at most. */
export async function start(port = 8080): Promise<{ readonly port: number; close(): Promise<void> }> {
  const api = evenkeel({ config: path.join(import.meta.dirname, "proxy.toml"), prefix: "/api" });

  const app = express();
  app.get("/", (_req, res) => void res.send("the app's own page\n"));
  // In front of body parsers, so that bodies stream unchanged.
  app.use("/api", api);
  app.use(express.json());
  app.post("/echo", (req, res) => void res.json(req.body));

  // Express does not run for upgrades, so `prefix` above is needed.
  const server = createServer(app).on("upgrade", api.upgrade).listen(port);
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    async close() {
      server.close();
      await api.close({ timeout: "2s" });
    },
  };
}

if (process.argv[1] === import.meta.filename) {
  const { port, close } = await start();
  console.log(`http://127.0.0.1:${port}/api/users goes to the upstreams that proxy.toml names`);
  process.once("SIGINT", () => void close()).once("SIGTERM", () => void close());
}
