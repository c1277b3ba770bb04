import { once } from "node:events";
import http, { type IncomingMessage, type Server, type ServerResponse } from "node:http";
import https from "node:https";
import { type AddressInfo, connect as connectTcp, type Socket } from "node:net";
import { Duplex } from "node:stream";
import { connect as connectTls } from "node:tls";
import { describe, expect, onTestFinished, test } from "vitest";
import { declineUpgrade } from "../../src/client/node/shared-upgrades.ts";
import { cert, key } from "../support/certificates.ts";
import { rawClient, rawOver } from "../support/client.ts";
import { until } from "../support/event-loop.ts";

const offer = "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n";

interface Seen {
  readonly req: IncomingMessage;
  readonly body: string;
}

/** A server whose only upgrade listener takes nothing, and whose app answers with the body that it has read. */
async function startApp(server: Server): Promise<{ port: number; seen: Seen[]; server: Server }> {
  const seen: Seen[] = [];
  server.on("request", (req: IncomingMessage, res: ServerResponse) => {
    const pieces: Buffer[] = [];
    req.on("data", (piece: Buffer) => void pieces.push(piece));
    req.on("end", () => {
      seen.push({ req, body: Buffer.concat(pieces).toString() });
      res.end(`<${Buffer.concat(pieces).length}>`);
    });
  });
  server.on("upgrade", declineUpgrade);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  return { port: (server.address() as AddressInfo).port, seen, server };
}

const last = "GET /last HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";

describe("an upgrade that no listener takes", () => {
  test.each<[string, string, string]>([
    ["no body", "", ""],
    ["a length", "Content-Length: 5\r\n", "hello"],
    ["chunks", "Transfer-Encoding: chunked\r\n", "2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n"],
    ["chunks and trailers", "Transfer-Encoding: chunked\r\nTrailer: X-Sum\r\n", "5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n"],
    ["no chunk", "Transfer-Encoding: chunked\r\n", "0\r\n\r\n"],
    ["an expectation", "Content-Length: 5\r\nExpect: 100-continue\r\n", "hello"],
  ])("with %s is a request of the app, and the next one follows on its connection", async (_what, lines, body) => {
    const { port, seen } = await startApp(http.createServer());
    const head = `POST /a HTTP/1.1\r\nHost: h\r\n${offer}X-Y: \xe4\r\n${lines}\r\n`;
    const client = await rawClient(port, Buffer.from(`${head}${body}${head}${body}${last}`, "latin1"));
    const { text } = await client.over();
    const length = body === "" || body.startsWith("0") ? 0 : 5;
    expect(text.match(/HTTP\/1\.1 200 OK/g)).toHaveLength(3);
    expect(text.match(/HTTP\/1\.1 100 /g) ?? []).toHaveLength(lines.includes("Expect") ? 2 : 0);
    expect(seen.map(({ req, body: { length } }) => `${req.url} ${length}`)).toEqual([
      `/a ${length}`,
      `/a ${length}`,
      "/last 0",
    ]);
    expect(seen[0]?.req.headers).toMatchObject({ "x-y": "\xe4", "http2-settings": "AAMAAABkAAQAAP__" });
    if (lines.includes("Trailer")) expect(seen[0]?.req.trailers).toEqual({ "x-sum": "1" });
  });

  test("has its body read as it comes, after its head", async () => {
    const { port, seen, server } = await startApp(http.createServer());
    const requested = once(server, "request");
    const client = await rawClient(port, `POST /a HTTP/1.1\r\nHost: h\r\n${offer}Content-Length: 6\r\n\r\nab`);
    await requested;
    client.socket.write("cd");
    client.socket.write("ef");
    await client.until(/<6>$/);
    expect(seen[0]?.body).toBe("abcdef");
  });

  test("waits for its body when the client waits for the 100", async () => {
    const { port, seen } = await startApp(http.createServer());
    const lines = "Content-Length: 5\r\nExpect: 100-continue\r\n";
    const client = await rawClient(port, `POST /a HTTP/1.1\r\nHost: h\r\n${offer}${lines}\r\n`);
    await client.until(/^HTTP\/1\.1 100 Continue\r\n\r\n$/);
    client.socket.write("hello");
    await client.until(/<5>$/);
    expect(seen[0]?.body).toBe("hello");
  });

  test("is told to listeners of checkContinue where there are any", async () => {
    const { port, server } = await startApp(http.createServer());
    server.on(
      "checkContinue",
      (_req, res: ServerResponse) => void res.writeHead(403, { Connection: "close" }).end("no"),
    );
    const lines = "Content-Length: 5\r\nExpect: 100-continue\r\n";
    const { text } = await (await rawClient(port, `POST /a HTTP/1.1\r\nHost: h\r\n${offer}${lines}\r\n`)).over();
    expect(text).toMatch(/^HTTP\/1\.1 403 /);
  });

  test("comes over the connection that the app knows, under the server's limits", async () => {
    const { port, seen, server } = await startApp(http.createServer({ keepAliveTimeout: 40 }));
    const connections: Socket[] = [];
    server.on("connection", (socket: Socket) => void connections.push(socket));
    const bytes = `POST /a HTTP/1.1\r\nHost: h\r\n${offer}Content-Length: 2\r\n\r\nhi`;
    const client = await rawClient(port, bytes);
    for (let count = 1; count < 30; count++) {
      await until(() => seen.length === count);
      client.socket.write(bytes);
    }
    // The keep-alive timeout of the server ends the connection.
    await client.over();
    expect(seen).toHaveLength(30);
    expect(connections).toHaveLength(1);
    expect(new Set(seen.map(({ req }) => req.socket))).toEqual(new Set(connections));
    for (const event of ["data", "end", "close", "error", "drain", "timeout"]) {
      expect(connections[0]?.listenerCount(event), event).toBeLessThan(4);
    }
  });

  test("comes over TLS as well", async () => {
    const { port, seen, server } = await startApp(https.createServer({ cert, key }) as unknown as Server);
    const connections: Socket[] = [];
    server.on("secureConnection", (socket: Socket) => void connections.push(socket));
    const bytes = `POST /a HTTP/1.1\r\nHost: h\r\n${offer}Content-Length: 5\r\n\r\nhello`;
    const socket = connectTls({ port, host: "127.0.0.1", rejectUnauthorized: false });
    const { text } = await (await rawOver(socket, `${bytes}${last}`)).over();
    expect(text.match(/HTTP\/1\.1 200 OK/g)).toHaveLength(2);
    expect(seen[0]).toMatchObject({ body: "hello", req: { socket: { encrypted: true } } });
    expect(connections).toHaveLength(1);
  });

  test("comes over a stream that was given to the server", async () => {
    const { seen, server } = await startApp(http.createServer());
    let written = "";
    const stream = new Duplex({
      read() {},
      write(chunk: Buffer, _encoding, callback) {
        written += chunk.toString();
        callback();
      },
    });
    server.emit("connection", stream);
    stream.push(`POST /a HTTP/1.1\r\nHost: h\r\n${offer}Content-Length: 5\r\n\r\nhello`);
    await until(() => written.endsWith("<5>"));
    expect(seen[0]?.body).toBe("hello");
  });

  test("is 431 when fields of it may be lost", async () => {
    const { port, seen, server } = await startApp(http.createServer());
    server.maxHeadersCount = 10;
    // With the eleventh field the length would be lost, and the body would be read as the next request.
    const lines = "X: 1\r\n".repeat(10);
    const bytes = `POST /a HTTP/1.1\r\nHost: h\r\n${offer}${lines}Content-Length: ${last.length}\r\n\r\n${last}`;
    const { text } = await (await rawClient(port, bytes)).over();
    expect(text).toMatch(/^HTTP\/1\.1 431 [^]*\r\n\r\n$/);
    expect(seen).toEqual([]);
  });

  test("is 404 on a server that has no listener for requests", async () => {
    const server = http.createServer().on("upgrade", declineUpgrade).listen(0, "127.0.0.1");
    await once(server, "listening");
    onTestFinished(() => void server.close());
    const client = await rawClient((server.address() as AddressInfo).port, `GET / HTTP/1.1\r\nHost: h\r\n${offer}\r\n`);
    expect((await client.over()).text).toMatch(/^HTTP\/1\.1 404 Not Found\r\n/);
  });

  test("that offers a WebSocket is the last on its connection", async () => {
    const { port, seen } = await startApp(http.createServer());
    const lines = "Connection: Upgrade\r\nUpgrade: websocket\r\n";
    const client = await rawClient(port, `GET /a HTTP/1.1\r\nHost: h\r\n${lines}\r\n`);
    const { text } = await client.over();
    expect(text).toMatch(/^HTTP\/1\.1 200 OK\r\n[^]*Connection: close\r\n/);
    expect(seen).toHaveLength(1);
  });

  test("whose client resets its connection breaks nothing", async () => {
    const { port, server, seen } = await startApp(http.createServer());
    const socket = connectTcp(port, "127.0.0.1").on("error", () => {});
    socket.write(`POST /a HTTP/1.1\r\nHost: h\r\n${offer}Content-Length: 9\r\n\r\nhello`);
    const [req] = (await once(server, "request")) as [IncomingMessage];
    const failed = once(req, "error");
    socket.resetAndDestroy();
    await failed;
    expect(seen).toEqual([]);
  });
});
