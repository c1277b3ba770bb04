import { once } from "node:events";
import { expect, onTestFinished, test } from "vitest";
import { createServer } from "../../src/server/index.ts";
import { limits } from "../../src/server/limits.ts";
import { cert, exact, key, wildcard } from "../support/certificates.ts";
import { connectTo, secureTo, serve } from "../support/serve.ts";
import { startUpstream } from "../support/start-upstream.ts";

const tls = { cert, key, certificates: [exact, wildcard] };
const get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

async function startTls(http2 = true) {
  const upstream = await startUpstream("a", (req, res) => res.end(req.headers["x-forwarded-proto"]));
  return serve({ upstreams: [upstream.url] }, { tls, http2 });
}

/** The common name of the certificate that a client gets. */
async function nameFor(port: number, servername: string): Promise<unknown> {
  const socket = await secureTo(port, { servername });
  return socket.getPeerCertificate().subject["CN"];
}

test("the server name selects a certificate: exact before wildcard, one label, else the default one", async () => {
  const { port } = await startTls();
  const names = [
    "exact.test",
    "EXACT.TEST",
    "a.wild.test",
    "b.wild.test",
    "a.b.wild.test",
    "wild.test",
    "other.test",
    "localhost",
    "",
  ];
  const found = await Promise.all(names.map((name) => nameFor(port, name)));
  expect(Object.fromEntries(names.map((name, index) => [name, found[index]]))).toEqual({
    "exact.test": "exact.test",
    "EXACT.TEST": "exact.test",
    "a.wild.test": "exact.test",
    "b.wild.test": "wild.test",
    "a.b.wild.test": "localhost",
    "wild.test": "localhost",
    "other.test": "localhost",
    localhost: "localhost",
    "": "localhost",
  });
});

test("renewed certificates are for new connections, and open ones stay", async () => {
  const { port, server } = await startTls();
  const open = await secureTo(port, { servername: "exact.test" });
  server.renewTls({ ...wildcard, certificates: [exact] });
  expect(await nameFor(port, "other.test")).toBe("wild.test");
  expect(await nameFor(port, "exact.test")).toBe("wild.test");
  expect(await nameFor(port, "a.wild.test")).toBe("exact.test");
  server.configure({ tls });
  expect(await nameFor(port, "other.test")).toBe("localhost");
  open.write(get);
  const [data] = (await once(open, "data")) as [Buffer];
  expect(data.toString()).toMatch(/^HTTP\/1\.1 200 [^]*https$/);
});

test("a session is resumed over a change of the certificates", async () => {
  const { port, server } = await startTls();
  const first = await secureTo(port, { maxVersion: "TLSv1.2" });
  const session = first.getSession();
  server.renewTls({ ...wildcard });
  const again = await secureTo(port, { maxVersion: "TLSv1.2", ...(session !== undefined && { session }) });
  expect(again.isSessionReused()).toBe(true);
});

test.each([
  [true, ["h2", "http/1.1"], "h2"],
  [true, ["http/1.1", "h2"], "h2"],
  [true, ["http/1.1"], "http/1.1"],
  [true, undefined, false],
  [false, ["h2", "http/1.1"], "http/1.1"],
])("http2 = %s: of %j the protocol is %s", async (http2, offered, protocol) => {
  const { port } = await startTls(http2);
  const socket = await secureTo(port, offered === undefined ? {} : { ALPNProtocols: offered });
  expect(socket.alpnProtocol).toBe(protocol);
});

test("a client that offers no known protocol gets no connection (RFC 7301 section 3.2)", async () => {
  const { port, server } = await startTls(false);
  await expect(secureTo(port, { ALPNProtocols: ["h2"] })).rejects.toThrow();
  expect(server.status().handshakeFailures).toEqual({ plainHttp: 0, other: 1 });
});

test.each(["GET / HTTP/1.1\r\nHost: a\r\n\r\n", "get", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "\r\n"])(
  "plain HTTP gets a 400 response: %j",
  async (bytes) => {
    const { port, server } = await startTls();
    const client = await connectTo(port, bytes);
    client.socket.end();
    await client.closed;
    expect(client.received).toMatch(/^HTTP\/1\.1 400 [^]*\r\nConnection: close\r\n\r\nThis port speaks HTTPS/);
    expect(server.status().handshakeFailures).toEqual({ plainHttp: 1, other: 0 });
  },
);

test("a plain upload gets the 400 response, although it is still being sent", async () => {
  const { port } = await startTls();
  const client = await connectTo(port, `POST / HTTP/1.1\r\nContent-Length: 100000\r\n\r\n${"x".repeat(100_000)}`);
  expect(await client.until(/over TLS\.\n$/)).toMatch(/^HTTP\/1\.1 400 /);
});

test.each(["\x00".repeat(100), "\x16\x03\x01\x00\x05hello", "\x80\x2e\x01\x00\x02", "\xff"])(
  "%j is no handshake, and closes only its own connection",
  async (bytes) => {
    const { port, url, server } = await startTls();
    const client = await connectTo(port, bytes);
    client.socket.end();
    await client.closed;
    expect(client.received).not.toContain("HTTP");
    expect(server.status().handshakeFailures).toEqual({ plainHttp: 0, other: 1 });
    expect(url).toMatch(/^https:/);
    const socket = await secureTo(port);
    socket.write(get);
    expect(String((await once(socket, "data"))[0])).toMatch(/^HTTP\/1\.1 200 /);
  },
);

test("a client that does not begin its handshake is closed", async () => {
  const upstream = await startUpstream("a", (_req, res) => res.end("hello"));
  const { port, server } = await serve({ upstreams: [upstream.url] }, { tls, timeouts: { requestHeaders: "50ms" } });
  const silent = await connectTo(port);
  await silent.closed;
  const slow = await connectTo(port, "\x16\x03");
  await slow.closed;
  expect(server.status().handshakeFailures).toEqual({ plainHttp: 0, other: 2 });
});

test("over the limit a new connection takes the place of one that has sent nothing", async () => {
  const upstream = await startUpstream("a", (_req, res) => res.end("hello"));
  const { port, server } = await serve({ upstreams: [upstream.url] }, { tls, maxConnections: 1 });
  const silent = await Promise.all(Array.from({ length: 1 + limits.refusedConnections }, () => connectTo(port)));
  const socket = await secureTo(port);
  socket.write(get);
  const [data] = (await once(socket, "data")) as [Buffer];
  expect(data.toString()).toMatch(/^HTTP\/1\.1 200 /);
  await silent[0]?.closed;
  expect(server.status().connections).toMatchObject({ dropped: 1, refused: 0 });
});

test("clients continue their TLS sessions at another server with the same ticket keys", async () => {
  const { proxy, server, port } = await serve({ upstreams: ["http://127.0.0.1:1"] }, { tls: { cert, key } });
  const options = { listen: "127.0.0.1:0", tls: { cert, key } };
  const [same, other] = [createServer(proxy, options), createServer(proxy, options)];
  await same.listen({ ticketKeys: server.ticketKeys });
  await other.listen();
  onTestFinished(async () => {
    for (const each of [same, other]) await each.close({ timeout: "0ms" });
  });
  const socket = await secureTo(port);
  const [session] = (await once(socket, "session")) as [Buffer];
  const reused: boolean[] = [];
  for (const { urls } of [same, other]) {
    const next = await secureTo(Number(new URL(urls[0] ?? "").port), { session });
    reused.push(next.isSessionReused());
  }
  expect(reused).toEqual([true, false]);
  const third = createServer(proxy, options);
  expect(() => third.openWithoutListening({ ticketKeys: Buffer.alloc(3) })).toThrow(
    "expected 48 bytes of ticket keys, found 3",
  );
});
