import { once } from "node:events";
import type { ServerResponse } from "node:http";
import { expect, test } from "vitest";
import { cert, key } from "../support/certificates.ts";
import { until } from "../support/event-loop.ts";
import { connectTo, secureTo, serve } from "../support/serve.ts";
import { startUpstream } from "../support/start-upstream.ts";

const get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

/** A proxy whose upstream responds when the test says so. */
async function startHolding(options = {}) {
  const held: ServerResponse[] = [];
  const upstream = await startUpstream("a", (req, res) => {
    if (req.url === "/hold") held.push(res);
    else res.end("hello");
  });
  return { held, ...(await serve({ upstreams: [upstream.url] }, options)) };
}

const hold = "GET /hold HTTP/1.1\r\nHost: a\r\n\r\n";

test("closing waits for responses, which say that the connection closes", async () => {
  const { held, port, server, proxy } = await startHolding();
  const busy = await connectTo(port, hold);
  const idle = await connectTo(port, get);
  await idle.until(/hello$/);
  const unused = await connectTo(port);
  await until(() => held.length === 1);
  const closed = proxy.close();
  await Promise.all([idle.closed, unused.closed]);
  expect(busy.socket.destroyed).toBe(false);
  held[0]?.end("late");
  expect(await busy.until(/late$/)).toMatch(/\r\nConnection: close\r\n/);
  await closed;
  await busy.closed;
  expect(server.status().connections.open).toBe(0);
});

test("a kept-alive connection may send one more request while the server closes", async () => {
  const { port, server } = await startHolding();
  const client = await connectTo(port, get);
  await client.until(/hello$/);
  const closed = server.close();
  await server.stopAccepting();
  client.socket.write(get);
  await client.closed;
  expect(client.received.match(/HTTP\/1\.1 200/g)).toHaveLength(2);
  expect(client.received).toMatch(/\r\nConnection: close\r\n[^]*hello$/);
  await closed;
});

test("a request whose head has begun may finish", async () => {
  const { port, server } = await startHolding();
  const client = await connectTo(port, "GET / HTTP/1.1\r\nHo");
  const idle = await connectTo(port);
  await until(() => server.status().connections.open === 2);
  const closed = server.close();
  await idle.closed;
  client.socket.write("st: a\r\n\r\n");
  await client.closed;
  expect(client.received).toMatch(/^HTTP\/1\.1 200 [^]*hello$/);
  await closed;
});

test("connections that the system has queued are served before the listening socket closes", async () => {
  const { port, server } = await startHolding();
  const clients = await Promise.all(Array.from({ length: 50 }, () => connectTo(port, get)));
  await server.close();
  await Promise.all(clients.map(({ closed }) => closed));
  for (const { received } of clients) expect(received).toMatch(/^HTTP\/1\.1 200 [^]*hello$/);
});

test("after the timeout connections are closed with requests in flight, and no response looks complete", async () => {
  const { held, port, server } = await startHolding();
  const client = await connectTo(port, hold);
  await until(() => held.length === 1);
  held[0]?.writeHead(200, { "content-length": 10 }).write("12345");
  await client.until(/12345/);
  await server.close({ timeout: "50ms" });
  await client.closed;
  expect(client.received).toMatch(/12345$/);
  await expect(server.close({ timeout: "soon" })).rejects.toThrow('expected a duration such as "30s"');
});

test("proxy.close ends requests with an error response after its timeout", async () => {
  const { held, port, proxy, requests } = await startHolding();
  const client = await connectTo(port, hold);
  await until(() => held.length === 1);
  await proxy.close({ timeout: "50ms" });
  await client.closed;
  expect(client.received).toMatch(/^HTTP\/1\.1 503 [^]*error=destination_unavailable/);
  expect(requests).toMatchObject([{ error: "closed", status: 503 }]);
});

test("over TLS a connection without a handshake is closed, and a request whose head has begun is served", async () => {
  const { port, server } = await startHolding({ tls: { cert, key } });
  const silent = await connectTo(port);
  const socket = await secureTo(port);
  socket.write("GET / HTTP/1.1\r\nHo");
  const closed = server.close();
  await silent.closed;
  socket.write("st: a\r\n\r\n");
  expect(String((await once(socket, "data"))[0])).toMatch(/^HTTP\/1\.1 200 [^]*\r\nConnection: close\r\n/);
  await closed;
});

test("over the limit a connection gets one 503 response, and idle ones make room", async () => {
  const { held, port, server } = await startHolding({ maxConnections: 1 });
  const busy = await connectTo(port, hold);
  await until(() => held.length === 1);
  const refused = await connectTo(port, get + get);
  await refused.closed;
  expect(refused.received).toMatch(/^HTTP\/1\.1 503 [^]*\r\nConnection: close\r\n/);
  expect(refused.received.match(/HTTP\/1\.1/g)).toHaveLength(1);
  expect(server.status().connections).toMatchObject({ open: 1, limit: 1, refused: 1, dropped: 0, idleClosed: 0 });
  held[0]?.end("done");
  await busy.until(/done$/);
  const idleSince = performance.now();
  await until(() => performance.now() - idleSince > 400);
  const next = await connectTo(port, get);
  expect(await next.until(/hello$/)).toMatch(/^HTTP\/1\.1 200 /);
  await busy.closed;
  expect(server.status().connections).toMatchObject({ open: 1, idleClosed: 1 });
});
