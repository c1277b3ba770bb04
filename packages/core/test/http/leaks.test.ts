import { once } from "node:events";
import { createServer } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { createProxy } from "../../src/proxy.ts";
import { fetchFrom, keepAlive, underLoad } from "../support/client.ts";
import { until } from "../support/event-loop.ts";
import { heldBytes, startAging } from "../support/memory.ts";
import { refusingUrl } from "../support/refusing-port.ts";
import { leftovers, onlyPool, startProxy } from "../support/start-proxy.ts";
import { startRawUpstream, startUpstream } from "../support/start-upstream.ts";
import { connectSocket, echo, startEcho } from "../support/web-sockets.ts";

/** How many listeners a socket has, of any kind. */
function listeners(socket: Socket): number {
  return socket.eventNames().reduce((sum, name) => sum + socket.listenerCount(name), 0);
}

test("requests one after the other on a connection leave no listeners on it", async () => {
  const [a, bad] = [await startUpstream("a"), await startRawUpstream((socket) => socket.destroy())];
  const upstreams = [{ url: a.url, weight: 18 }, { url: bad.url }, { url: await refusingUrl() }];
  const { url, server } = await startProxy({ upstreams, balance: "round-robin", retry: { budget: 1 } });
  const accepted = once(server, "connection") as Promise<[Socket]>;
  const agent = keepAlive(1);
  await underLoad(20, 1, () => fetchFrom(url, { agent }));
  const [socket] = await accepted;
  const before = listeners(socket);
  const statuses = await underLoad(300, 1, async (index) => {
    const ask = index % 2 === 0 ? {} : { method: "POST", body: "x" };
    return (await fetchFrom(`${url}/${index}`, { agent, ...ask })).status;
  });
  expect(statuses.filter((status, index) => index % 2 === 0 && status !== 200)).toEqual([]);
  expect(socket.destroyed).toBe(false);
  expect(listeners(socket)).toBe(before);
});

test("memory stays where it was over thousands of requests of every kind", async () => {
  const [a, bad] = [await startUpstream("a"), await startRawUpstream((socket) => socket.destroy())];
  const upstreams = [{ url: a.url, weight: 19 }, { url: bad.url }];
  const { url, proxy, requests } = await startProxy({ upstreams, retry: { budget: 1 } });
  const agent = keepAlive(10);
  const round = async () => {
    await underLoad(700, 10, async (index) => {
      const body = index % 3 === 0 ? "x".repeat(index) : undefined;
      await fetchFrom(`${url}/${index}`, { agent, method: body === undefined ? "GET" : "PUT", body });
    });
    // What the test itself has noted down.
    for (const notes of [requests, a.received, bad.heads]) notes.length = 0;
  };
  await round();
  const before = heldBytes();
  await round();
  await round();
  expect(heldBytes() - before).toBeLessThan(1_000_000);
  expect(leftovers(proxy)).toEqual([]);
});

test("requests are gone with the next scavenge when they are over, also after a full collection under load", async () => {
  const { port } = await startRawUpstream((socket) => socket.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"));
  const proxy = createProxy({ upstreams: [`http://127.0.0.1:${port}`] });
  const server = createServer(proxy.handler).listen(0, "127.0.0.1");
  await once(server, "listening");
  const clients = Array.from({ length: 32 }, () => connect((server.address() as AddressInfo).port, "127.0.0.1"));
  onTestFinished(async () => {
    for (const client of clients) client.destroy();
    server.close();
    await proxy.close();
  });

  /** Answers so far: the proxy warms up, then everything is collected at once, with requests on their way. */
  let answers = 0;
  let aging: ReturnType<typeof startAging> | undefined;
  const grown = await new Promise<number>((resolve) => {
    const ask = (client: Socket) => client.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    for (const client of clients) {
      ask(client);
      client.on("data", (bytes: Buffer) => {
        if (!bytes.toString("latin1").endsWith("ok")) return;
        answers++;
        if (answers === 3_000) aging = startAging();
        else if (answers % 100 === 0) aging?.scavenge();
        if (answers === 6_000) resolve(aging?.bytes() ?? Number.NaN);
        else if (answers < 6_000) ask(client);
      });
    }
  });
  expect(grown).toBeLessThan(5_000_000);
});

test("two hundred tunnels come and go and leave nothing open", async () => {
  const upstream = await startEcho();
  const { url, proxy, server } = await startProxy({ upstreams: [upstream.url] });
  await underLoad(200, 20, async (index) => {
    const socket = await connectSocket(url);
    await echo(socket, `${index}`);
    if (index % 2 === 0) socket.terminate();
    else socket.close();
  });
  await until(() => onlyPool(proxy).tunnels === 0);
  await until(() => upstream.sockets.size === 0);
  const open = await new Promise((resolve) => {
    server.getConnections((_error, count) => resolve(count));
  });
  expect(open).toBe(0);
});
