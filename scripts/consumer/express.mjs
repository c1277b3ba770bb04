// A small Express app with a pool of two upstreams at /api.
import { createServer } from "node:http";
import { evenkeel } from "@evenkeel/express";
import express from "express";
import { checkFailover, checkTunnel, listen, startBackend } from "./lab.mjs";

const backends = { a: await startBackend("a"), b: await startBackend("b") };
const api = evenkeel({ upstreams: [backends.a.url, backends.b.url], balance: "round-robin" });
const app = express();
app.use("/api", api);
const server = createServer(app).on("upgrade", api.upgrade).on("clientError", api.clientError);
const url = `http://127.0.0.1:${await listen(server)}/api/users`;

await checkTunnel(url);
await checkFailover(url, backends);

server.close();
await api.close({ timeout: "1s" });
server.closeAllConnections();
backends.a.stop();
