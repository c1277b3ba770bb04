/** Connections that a `SocketAcceptor` accepts and a server without listening sockets serves. */

import { once } from "node:events";
import { connect } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import type { ProxyOptions } from "../../src/config/options.ts";
import { createProxy } from "../../src/proxy.ts";
import { createServer, SocketAcceptor } from "../../src/server/index.ts";
import type { ServerChanges } from "../../src/server/server.ts";
import { cert, key } from "../support/certificates.ts";
import { connectTo, secureTo } from "../support/serve.ts";
import { startUpstream } from "../support/start-upstream.ts";

const listen = "127.0.0.1:0";
const get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

async function start(serverOptions: ServerChanges = {}, proxyOptions: Partial<ProxyOptions> = {}) {
  const upstream = await startUpstream("a", (req, res) => res.end(`hello ${req.headers["x-forwarded-for"]}`));
  const proxy = createProxy({ upstreams: [upstream.url], ...proxyOptions });
  const server = createServer(proxy, { listen, ...serverOptions }).openWithoutListening();
  const acceptor = new SocketAcceptor(
    { listen, tls: serverOptions.tls !== undefined },
    { accepted: (index, socket) => server.accept(index, socket), acceptFailed: () => {} },
  );
  await acceptor.listen();
  onTestFinished(async () => {
    acceptor.close();
    await server.close({ timeout: "0ms" });
    await proxy.close({ timeout: "0ms" });
  });
  return { server, acceptor, port: Number(new URL(acceptor.urls[0] ?? "").port) };
}

test("a connection is served as if the server had accepted it", async () => {
  const { server, port } = await start();
  const client = await connectTo(port, get);
  expect(await client.until(/127\.0\.0\.1$/)).toMatch(/^HTTP\/1\.1 200 [^]*hello 127\.0\.0\.1$/);
  expect(server.status().connections.open).toBe(1);
  expect(server.urls).toEqual([]);
  expect(server.listeningSockets()).toEqual([]);
});

test("a client that half-closes its connection gets its response", async () => {
  const { port } = await start();
  const client = await connectTo(port);
  client.socket.end(get);
  await client.closed;
  expect(client.received).toMatch(/^HTTP\/1\.1 200 /);
});

test("TLS, the PROXY protocol and h2c are read as usual", async () => {
  const secure = await start({ tls: { cert, key }, proxyProtocol: ["127.0.0.1"] });
  const plain = connect(secure.port, "127.0.0.1");
  plain.write("PROXY TCP4 192.0.2.7 192.0.2.8 1 2\r\n");
  const socket = await secureTo(secure.port, { socket: plain, ALPNProtocols: ["http/1.1"] });
  socket.write(get);
  expect(String((await once(socket, "data"))[0])).toMatch(/hello 192\.0\.2\.7$/);
  const { port } = await start({ h2c: true });
  const client = await connectTo(port, `PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n${"\0".repeat(3)}\x04${"\0".repeat(5)}`);
  await client.until(/^[^]{9}/);
  // The type of the server's first frame: SETTINGS.
  expect(client.received.charCodeAt(3)).toBe(4);
});

test("a closing server serves the connections that it still gets, and then none", async () => {
  const { server, port, acceptor } = await start();
  const closed = server.close();
  const client = await connectTo(port, get);
  await client.closed;
  expect(client.received).toMatch(/^HTTP\/1\.1 200 [^]*Connection: close[^]*hello/);
  await closed;
  server.destroy();
  const late = await connectTo(port, get);
  await late.closed;
  expect(late.received).toBe("");
  await acceptor.stop();
  await expect(once(connect(port, "127.0.0.1"), "connect")).rejects.toThrow("ECONNREFUSED");
});

test("a connection that is closed already, and an index without an address, change nothing", async () => {
  const { server, port } = await start();
  const client = connect(port, "127.0.0.1");
  client.on("error", () => {});
  client.destroy();
  await once(client, "close");
  server.accept(0, client);
  expect(() => server.accept(1, client)).toThrow("the server has no address 1");
  expect(server.status().connections.open).toBe(0);
});
