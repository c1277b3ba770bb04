import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { createProxy } from "../../../src/proxy.ts";
import { createServer as createOwnServer, ReceivedSockets, SocketAcceptor } from "../../../src/server/index.ts";
import { until } from "../../support/event-loop.ts";
import { connectTo } from "../../support/serve.ts";
import { startUpstream } from "../../support/start-upstream.ts";

const listen = "127.0.0.1:0";
const address = { host: "127.0.0.1", port: 0 };
const get = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

/** A listening server as it comes over a channel: nothing handles its connections. */
async function receive() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  return { server, port: (server.address() as AddressInfo).port };
}

async function startProxy() {
  const upstream = await startUpstream("a", (_req, res) => res.end("hello"));
  const proxy = createProxy({ upstreams: [upstream.url] });
  onTestFinished(() => proxy.close({ timeout: "0ms" }));
  return proxy;
}

test("connections that a received socket accepts before the server is ready are served", async () => {
  const [proxy, { server: received, port }] = [await startProxy(), await receive()];
  const sockets = new ReceivedSockets();
  sockets.add(address, received);
  const waiting = await Promise.all([connectTo(port, get), connectTo(port), connectTo(port, get)]);
  waiting[1]?.socket.destroy();
  await until(() => waiting[1]?.socket.closed === true);
  const server = createOwnServer(proxy, { listen });
  await server.listen({ inherited: sockets.take });
  onTestFinished(() => server.close({ timeout: "0ms" }));
  expect(server.urls).toEqual([`http://127.0.0.1:${port}`]);
  const later = await connectTo(port, get);
  for (const client of [waiting[0], waiting[2], later]) {
    await client?.closed;
    expect(client?.received).toMatch(/^HTTP\/1\.1 200 [^]*hello$/);
  }
  expect(sockets.take(address)).toBeUndefined();
  expect(server.listeningSockets()).toMatchObject([{ address }]);
});

test("an acceptor passes them on paused, and stops when the backlog is accepted", async () => {
  const { server: received, port } = await receive();
  const sockets = new ReceivedSockets();
  sockets.add(address, received);
  const waiting = await connectTo(port, get);
  await new Promise(setImmediate);
  const accepted: boolean[] = [];
  const acceptor = new SocketAcceptor(
    { listen },
    {
      accepted: (_index, socket) => {
        accepted.push(socket.isPaused());
        socket.end("hello");
        socket.resume();
      },
      acceptFailed: () => {},
    },
  );
  await acceptor.listen({ inherited: sockets.take });
  expect(acceptor.listeningSockets()).toHaveLength(1);
  const clients = await Promise.all(Array.from({ length: 20 }, () => connectTo(port)));
  await acceptor.stop();
  for (const client of [waiting, ...clients]) expect(await client.until(/hello/)).toBe("hello");
  expect(accepted).toEqual(Array(21).fill(true));
});

test("sockets that no server uses are closed, and a failed start closes those that it took", async () => {
  const [proxy, unused, taken] = [await startProxy(), await receive(), await receive()];
  const sockets = new ReceivedSockets();
  sockets.add({ host: "::1", port: 1 }, unused.server);
  sockets.add(address, taken.server);
  const clients = [await connectTo(unused.port), await connectTo(taken.port)];
  const server = createOwnServer(proxy, { listen: [listen, "192.0.2.1:1"] });
  await expect(server.listen({ inherited: sockets.take })).rejects.toThrow("this machine has no such address");
  sockets.close();
  for (const { closed } of clients) await closed;
});
