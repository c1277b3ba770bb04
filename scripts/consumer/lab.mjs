// Helpers of the programs in this folder: backends, requests, and checks of failover and of a WebSocket tunnel.

import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer, request } from "node:http";

/** RFC 6455 section 1.3. */
const webSocketGuid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/** Starts a backend that responds with its name and echoes the bytes of a WebSocket tunnel. */
export async function startBackend(name) {
  const server = createServer((_req, res) => res.end(name));
  server.on("upgrade", (req, socket) => {
    const accept = createHash("sha1").update(`${req.headers["sec-websocket-key"]}${webSocketGuid}`).digest("base64");
    const head = ["HTTP/1.1 101 Switching Protocols", "Connection: Upgrade", "Upgrade: websocket"];
    socket.write([...head, `Sec-WebSocket-Accept: ${accept}`, "", ""].join("\r\n"));
    socket.pipe(socket);
  });
  const url = `http://127.0.0.1:${await listen(server)}`;
  const stop = () => {
    server.close();
    server.closeAllConnections();
  };
  return { url, stop };
}

export async function listen(server) {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return server.address().port;
}

/** Stops one of two backends. Every request before and after must succeed, afterwards at the other backend. */
export async function checkFailover(url, backends) {
  assert.deepEqual(await names(url), new Set(["a", "b"]));
  backends.b.stop();
  assert.deepEqual(await names(url), new Set(["a"]));
}

/** Sends twenty requests and returns the names of the backends that have responded. */
async function names(url) {
  const seen = new Set();
  for (let count = 0; count < 20; count++) {
    const response = await fetch(url);
    assert.equal(response.status, 200);
    seen.add(await response.text());
  }
  return seen;
}

/** Opens a tunnel and checks that it echoes bytes. */
export async function checkTunnel(url) {
  const key = randomBytes(16).toString("base64");
  const versioned = { "sec-websocket-key": key, "sec-websocket-version": "13" };
  const upgrade = request(url, { headers: { connection: "upgrade", upgrade: "websocket", ...versioned } }).end();
  upgrade.on("response", ({ statusCode }) => upgrade.destroy(new Error(`expected status 101, found ${statusCode}`)));
  const [, socket] = await once(upgrade, "upgrade");
  socket.write("hello");
  const [bytes] = await once(socket, "data");
  assert.equal(String(bytes), "hello");
  socket.destroy();
}

/** Returns the name of every public entry of the installed packages, and whether it is JSON. */
export function entries(manifests) {
  return manifests.flatMap(({ name, exports }) =>
    Object.keys(exports).map((entry) => ({ entry: name + entry.slice(1), json: entry.endsWith(".json") })),
  );
}
