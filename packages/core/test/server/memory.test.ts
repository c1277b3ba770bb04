import { once } from "node:events";
import { connect as connectHttp2 } from "node:http2";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { until } from "../support/event-loop.ts";
import { heldBytes } from "../support/memory.ts";
import { serve } from "../support/serve.ts";
import { leftovers } from "../support/start-proxy.ts";

/** Requests of each protocol; a million takes minutes: REQUESTS=1000000 npx vitest run packages/core/test/server/memory */
const total = Number(process.env["REQUESTS"] ?? 24_000);
/** Then a connection is closed, and another one opened. */
const perConnection = 500;
const connections = 8;
const post = "POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello";
const get = "GET /g?a=1 HTTP/1.1\r\nHost: a\r\nCookie: a=b\r\n\r\n";

/** Sends requests on a connection of HTTP/1.1, ten at a time, and closes it. */
async function requestOverHttp1(port: number, count: number): Promise<void> {
  const socket = connect(port, "127.0.0.1");
  let received = 0;
  let sent = 0;
  const batch = () => {
    sent += 10;
    socket.write((get + post).repeat(5));
  };
  socket.on("data", (bytes: Buffer) => {
    for (let at = bytes.indexOf("!"); at !== -1; at = bytes.indexOf("!", at + 1)) received++;
    if (received < sent) return;
    if (received < count) batch();
    else socket.end();
  });
  batch();
  await once(socket, "close");
  expect(received).toBe(count);
}

/** The same over HTTP/2; a few streams are reset. */
async function requestOverHttp2(port: number, count: number): Promise<void> {
  const session = connectHttp2(`http://127.0.0.1:${port}`);
  const one = (index: number) =>
    new Promise<void>((resolve) => {
      const isPost = index % 2 === 0;
      const stream = session.request({ ":method": isPost ? "POST" : "GET", ":path": "/g?a=1" }, { endStream: !isPost });
      if (isPost) stream.end("hello");
      stream.on("error", () => {});
      stream.on("close", resolve);
      stream.resume();
      if (index % 100 === 0) stream.close(8);
    });
  for (let done = 0; done < count; done += 10) {
    await Promise.all(Array.from({ length: 10 }, (_, index) => one(done + index)));
  }
  session.close();
  await once(session, "close");
}

test.each([
  ["HTTP/1.1", requestOverHttp1],
  ["HTTP/2", requestOverHttp2],
])("heap and handles stay where they were over many requests of %s", async (_, request) => {
  const upstream = await startUpstream();
  const { port, proxy, server, requests } = await serve({ upstreams: [upstream.url] }, { h2c: true });
  proxy.on("request", () => {
    requests.length = 0;
  });
  let left = 0;
  const round = async (count: number) => {
    left = count;
    await Promise.all(
      Array.from({ length: connections }, async () => {
        while (left > 0) {
          left -= perConnection;
          await request(port, perConnection);
        }
      }),
    );
    await until(() => server.status().connections.open === 0);
  };
  await round(Math.min(total, 8_000));
  const before = heldBytes();
  await round(total);
  const after = heldBytes();
  if (process.env["REQUESTS"] !== undefined)
    console.log(`bytes held before and after ${total} requests:`, before, after);
  expect(after - before).toBeLessThan(1_000_000);
  expect(leftovers(proxy)).toEqual([]);
  // Both ends of the connections to the upstream, which are pooled, are in this process.
  const others = () => openSockets() - 2 * upstream.sockets.size;
  await until(() => others() === 0, 5_000);
  expect(others()).toBe(0);
});

/** An upstream that costs little: each packet is a request, or its end. */
async function startUpstream(): Promise<{ readonly url: string; readonly sockets: ReadonlySet<Socket> }> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket)).on("error", () => {});
    socket.on("data", (bytes: Buffer) => {
      if (bytes.includes("\r\n\r\n")) socket.write("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok!");
    });
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, sockets };
}

/** TCP connections of this process; both ends where both are in it. */
function openSockets(): number {
  return process.getActiveResourcesInfo().filter((kind) => kind === "TCPSocketWrap").length;
}
