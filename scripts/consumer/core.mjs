// A proxy in an HTTP server, with the admin API in another one.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { createAdmin } from "@evenkeel/admin";
import { createProxy } from "evenkeel";
import { checkFailover, checkTunnel, listen, startBackend } from "./lab.mjs";

const backends = { a: await startBackend("a"), b: await startBackend("b") };
const proxy = createProxy({ upstreams: [backends.a.url, backends.b.url], balance: "round-robin" });
const server = createServer(proxy.handler).on("upgrade", proxy.upgrade).on("clientError", proxy.clientError);
const admin = createServer(createAdmin(proxy).handler);
const url = `http://127.0.0.1:${await listen(server)}/`;
const adminUrl = `http://127.0.0.1:${await listen(admin)}`;

await checkTunnel(url);
await checkFailover(url, backends);
assert.equal((await fetch(`${adminUrl}/readyz`)).status, 200);
assert.match(await (await fetch(`${adminUrl}/metrics`)).text(), /^evenkeel_requests_total\{.*code="200".*\} 40$/m);

server.close();
admin.close();
admin.closeAllConnections();
await proxy.close({ timeout: "1s" });
backends.a.stop();
