/** The PROXY protocol and HTTP/2 with prior knowledge, over sockets. */

import { once } from "node:events";
import { connect as connectHttp2 } from "node:http2";
import { connect } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { cert, key } from "../support/certificates.ts";
import { until } from "../support/event-loop.ts";
import { connectTo, secureTo, serve } from "../support/serve.ts";
import { startUpstream } from "../support/start-upstream.ts";

const get = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
const line = "PROXY TCP4 192.0.2.7 127.0.0.1 4711 80\r\n";
const signature = Buffer.from("\r\n\r\n\0\r\nQUIT\n", "latin1");
const fromBalancer = Buffer.concat([
  signature,
  Buffer.from([0x21, 0x11, 0, 12, 192, 0, 2, 8, 127, 0, 0, 1, 1, 1, 0, 80]),
]);
const healthCheck = Buffer.concat([signature, Buffer.from([0x20, 0, 0, 0])]);

async function startBehind(proxyProtocol: readonly string[], options = {}) {
  const upstream = await startUpstream("a", (req, res) => {
    res.end(`${req.headers["x-forwarded-for"]} ${req.headers["x-forwarded-proto"]}`);
  });
  return serve({ upstreams: [upstream.url] }, { proxyProtocol, ...options });
}

test.each([
  ["version 1", Buffer.from(line), "192.0.2.7"],
  ["version 2", fromBalancer, "192.0.2.8"],
  ["LOCAL", healthCheck, "127.0.0.1"],
])("the address of a header is that of the client: %s", async (_what, header, address) => {
  const { port, requests } = await startBehind(["127.0.0.0/8"]);
  const client = await connectTo(port, Buffer.concat([header, Buffer.from(get)]));
  await client.closed;
  expect(client.received).toMatch(new RegExp(`^HTTP/1\\.1 200 [^]*\\r\\n\\r\\n${address} http$`));
  expect(requests).toMatchObject([{ client: address }]);
});

test("a header may come byte by byte, and the first bytes of the request with it", async () => {
  const { port } = await startBehind(["127.0.0.1"]);
  const client = await connectTo(port);
  client.socket.setNoDelay(true);
  for (const byte of line + get) {
    client.socket.write(byte);
    await new Promise((resolve) => setImmediate(resolve));
  }
  await client.closed;
  expect(client.received).toMatch(/192\.0\.2\.7 http$/);
});

test("a TLS handshake follows the header", async () => {
  const { port, requests } = await startBehind(["127.0.0.1"], { tls: { cert, key } });
  const clients = await Promise.all(
    ["192.0.2.1", "192.0.2.2", "192.0.2.3"].map(async (address) => {
      const socket = connect(port, "127.0.0.1");
      await once(socket, "connect");
      socket.write(`PROXY TCP4 ${address} 127.0.0.1 4711 443\r\n`);
      return { address, secure: await secureTo(port, { socket }) };
    }),
  );
  for (const { address, secure } of clients) {
    secure.write(get);
    expect(String((await once(secure, "data"))[0])).toMatch(new RegExp(`${address} https$`));
  }
  await until(() => requests.length === 3);
  expect(requests.map(({ client }) => client)).toEqual(["192.0.2.1", "192.0.2.2", "192.0.2.3"]);
});

test.each([
  ["none", get],
  ["a malformed one", `PROXY TCP4 192.0.2 127.0.0.1 1 2\r\n${get}`],
  ["two", `${line}${line}${get}`],
])("%s from a load balancer ends the connection or the request", async (what, bytes) => {
  const { port, server, requests } = await startBehind(["127.0.0.1"]);
  const client = await connectTo(port, bytes);
  await client.closed;
  if (what === "two") expect(client.received).toMatch(/^HTTP\/1\.1 400 /);
  else expect(client.received).toBe("");
  expect(server.status().proxyHeaderFailures).toBe(what === "two" ? 0 : 1);
  expect(requests).toHaveLength(what === "two" ? 1 : 0);
});

test("a header that does not come in time ends the connection; a connection without a byte is not counted", async () => {
  const { port, server } = await startBehind(["127.0.0.1"], { timeouts: { requestHeaders: "50ms" } });
  const slow = await connectTo(port, "PROXY TCP4");
  const silent = await connectTo(port);
  await Promise.all([slow.closed, silent.closed]);
  expect(server.status().proxyHeaderFailures).toBe(1);
});

test("a header of another peer is not believed", async () => {
  const { port, requests } = await startBehind(["10.0.0.0/8"]);
  const client = await connectTo(port, line + get);
  await client.closed;
  expect(client.received).toMatch(/^HTTP\/1\.1 400 /);
  expect(requests).toMatchObject([{ client: "127.0.0.1", error: "bad_request" }]);
});

test("a reload changes the peers", async () => {
  const { port, server } = await startBehind(["10.0.0.0/8"]);
  server.configure({ proxyProtocol: ["127.0.0.1"] });
  const client = await connectTo(port, line + get);
  await client.closed;
  expect(client.received).toMatch(/192\.0\.2\.7 http$/);
});

/** The body of a response over an HTTP/2 connection. */
async function getOverHttp2(url: string): Promise<string> {
  const session = connectHttp2(url);
  onTestFinished(() => session.destroy());
  const stream = session.request({ ":path": "/" });
  let body = "";
  for await (const chunk of stream) body += String(chunk);
  return body;
}

test("with h2c a connection is HTTP/2 if it begins with the preface, else HTTP/1.1", async () => {
  const { url, port, requests } = await startBehind([], { h2c: true });
  expect(await getOverHttp2(url)).toBe("127.0.0.1 http");
  for (const packets of [[get], ["P", "OST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"]]) {
    const client = await connectTo(port);
    for (const packet of packets) {
      client.socket.write(packet);
      await new Promise((resolve) => setImmediate(resolve));
    }
    await client.closed;
    expect(client.received).toMatch(/^HTTP\/1\.1 200 /);
  }
  await until(() => requests.length === 3);
  expect(requests.map(({ protocol }) => protocol)).toEqual(["HTTP/2.0", "HTTP/1.1", "HTTP/1.1"]);
});

test("without h2c the preface is refused as an unknown version", async () => {
  const { port } = await startBehind([]);
  const client = await connectTo(port, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
  await client.closed;
  expect(client.received).toMatch(/^HTTP\/1\.1 505 /);
});

test("HTTP/2 over TLS has the client's address and scheme", async () => {
  const { port, requests } = await startBehind([], { tls: { cert, key } });
  const session = connectHttp2(`https://127.0.0.1:${port}`, { rejectUnauthorized: false });
  onTestFinished(() => session.destroy());
  const stream = session.request({ ":path": "/" });
  let body = "";
  for await (const chunk of stream) body += String(chunk);
  expect(body).toBe("127.0.0.1 https");
  await until(() => requests.length === 1);
  expect(requests).toMatchObject([{ protocol: "HTTP/2.0", status: 200 }]);
});
