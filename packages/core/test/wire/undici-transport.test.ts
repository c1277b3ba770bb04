import { readFileSync } from "node:fs";
import { constants, createSecureServer, type Http2ServerRequest, type Http2ServerResponse } from "node:http2";
import type { AddressInfo, Socket } from "node:net";
import { describe, expect, onTestFinished, test } from "vitest";
import { type Runtime, resolveRuntime } from "../../src/runtime/runtime.ts";
import { Connector } from "../../src/wire/connector.ts";
import { createTransport } from "../../src/wire/create-transport.ts";
import { Http1Transport } from "../../src/wire/http1-transport.ts";
import type { Transport } from "../../src/wire/transport.ts";
import { UndiciTransport } from "../../src/wire/undici-transport.ts";
import { turns } from "../support/event-loop.ts";
import { ask, plainAddress, transportSettings } from "../support/exchanges.ts";
import { echo, rawUpstream } from "../support/raw-upstream.ts";
import { VirtualClock } from "../support/virtual-clock.ts";

const cert = readFileSync(new URL("../support/certs/localhost.crt", import.meta.url), "utf8");
const key = readFileSync(new URL("../support/certs/localhost.key", import.meta.url), "utf8");

type Answer = (req: Http2ServerRequest, res: Http2ServerResponse) => void;

/** An upstream that speaks HTTP/2, and HTTP/1.1 to those who do not. */
async function http2Upstream(answer: Answer): Promise<{ port: number; sockets: Set<Socket> }> {
  const server = createSecureServer({ cert, key, allowHTTP1: true }, answer);
  const sockets = new Set<Socket>();
  server.on("secureConnection", (socket: Socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { port: (server.address() as AddressInfo).port, sockets };
}

function http2Transport(
  port: number,
  { runtime, ca = cert }: { runtime?: Partial<Runtime>; ca?: string } = {},
): Transport {
  const address = { ...plainAddress(port), tls: true, hostname: "localhost" };
  const settings = transportSettings({ connections: { http2: true }, tls: { ca }, timeouts: { idle: "3s" } });
  const transport = createTransport(address, settings, resolveRuntime(runtime), new Connector());
  expect(transport).toBeInstanceOf(UndiciTransport);
  onTestFinished(() => transport.destroy());
  return transport;
}

test("undici is asked only where HTTP/2 may be spoken: over TLS, and when the settings say so", () => {
  const make = (tls: boolean, http2: boolean) =>
    createTransport(
      { ...plainAddress(1), tls },
      transportSettings({ connections: { http2 } }),
      resolveRuntime(),
      new Connector(),
    );
  const made = [make(true, true), make(true, false), make(false, true), make(false, false)];
  onTestFinished(() => {
    for (const transport of made) transport.destroy();
  });
  expect(made.map(({ constructor }) => constructor)).toEqual([
    UndiciTransport,
    Http1Transport,
    Http1Transport,
    Http1Transport,
  ]);
});

describe("an exchange over HTTP/2", () => {
  test("goes like any other", async () => {
    const upstream = await http2Upstream((req, res) => {
      let body = "";
      req.on("data", (chunk: Buffer) => {
        body += chunk.toString();
      });
      req.on("end", () => {
        res.writeHead(207, { "x-version": req.httpVersion, "set-cookie": ["a", "b"] });
        res.end(`${req.method} ${req.url} ${body}`);
      });
    });
    const transport = http2Transport(upstream.port);
    const get = await ask(transport, "/a?b").ended();
    expect(get).toMatchObject({ phase: "complete", status: 207, body: "GET /a?b " });
    expect(get.headers.join("\n")).toMatch(/x-version\n2\.0\nset-cookie\na\nset-cookie\nb/);
    for (const options of [{ body: "hello" }, { body: ["he", "llo"], bodyLength: -1 }]) {
      const put = await ask(transport, "/c", { method: "PUT", ...options }).ended();
      expect(put).toMatchObject({ phase: "complete", body: "PUT /c hello" });
    }
    expect(await ask(transport, "/d", { method: "HEAD" }).ended()).toMatchObject({ phase: "complete", body: "" });
    expect(upstream.sockets.size).toBe(1);
  });

  test("brings trailers along, and pauses with its reader", async () => {
    const upstream = await http2Upstream((_req, res) => {
      res.writeHead(200, { trailer: "x-sum" });
      res.write("x".repeat(100_000));
      res.addTrailers({ "x-sum": "1", "x-other": "2" });
      res.end();
    });
    const paused = ask(http2Transport(upstream.port), "/", { onData: () => false });
    while (!paused.over) {
      const { length } = paused.bytes;
      await paused.until(() => paused.over || paused.bytes.length > length);
      paused.exchange.resume();
    }
    expect(paused).toMatchObject({ phase: "complete", trailers: ["x-sum", "1", "x-other", "2"] });
    expect(paused.bytes).toHaveLength(100_000);
  });

  test.each([
    ["a path with a line break", { path: "/\r\nX: y" }],
    ["a value with a line break", { headers: ["Host", "a", "X", "a\r\nY: z"] }],
    ["a name with a line break", { headers: ["Host", "a", "X\r\nY", "z"] }],
    ["a length from elsewhere", { headers: ["Host", "a", "Content-Length", "5"] }],
  ])("fails as internal with %s", async (_, head) => {
    const requests: string[] = [];
    const upstream = await http2Upstream((req, res) => {
      requests.push(req.url);
      res.end();
    });
    expect((await ask(http2Transport(upstream.port), "/", head).ended()).failure).toMatchObject({
      code: "internal",
      sent: false,
    });
    expect(requests).toEqual([]);
  });

  test("that was given up after it failed, and before it was told, is not told", async () => {
    const transport = http2Transport(1);
    const exchange = ask(transport, "/\r\n");
    exchange.exchange.abort();
    await turns(20);
    expect(exchange.phase).toBe("waiting");
  });

  test("that is given up ends upstream too", async () => {
    let gone = 0;
    const upstream = await http2Upstream((_req, res) => {
      res.write("hello");
      res.on("close", () => gone++);
    });
    const exchange = ask(http2Transport(upstream.port), "/");
    await exchange.until(() => exchange.body === "hello");
    exchange.exchange.abort();
    while (gone === 0) await turns(1);
    expect(exchange.phase).toBe("responding");
  });

  test("whose body pauses for too long is given up, but for event streams", async () => {
    for (const [type, over] of [
      ["text/plain", true],
      ["text/event-stream", false],
    ] as const) {
      const clock = new VirtualClock();
      const upstream = await http2Upstream((_req, res) => {
        res.writeHead(200, { "content-type": type });
        res.write("hello");
      });
      const exchange = ask(http2Transport(upstream.port, { runtime: { clock } }), "/");
      await exchange.until(() => exchange.body === "hello");
      clock.advance(3_000);
      await turns(20);
      expect(exchange.failure?.code).toBe(over ? "response_idle_timeout" : undefined);
    }
  });
});

describe("failures over HTTP/2", () => {
  test("before a connection stands have reached nobody", async () => {
    expect((await ask(http2Transport(1), "/").ended()).failure).toMatchObject({ code: "connect_refused", sent: false });
    const upstream = await http2Upstream((_req, res) => void res.end());
    const stranger = http2Transport(upstream.port, { ca: "" });
    expect((await ask(stranger, "/").ended()).failure).toMatchObject({ code: "tls_failed", sent: false });
    const plain = await rawUpstream({
      onConnection: (socket) => socket.end("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
    });
    expect((await ask(http2Transport(plain.port), "/").ended()).failure).toMatchObject({
      code: "tls_failed",
      sent: false,
    });
  });

  test.each(["destroy", "close"] as const)(
    "in a body that has begun are told as such: a stream that ends by %s",
    async (how) => {
      const upstream = await http2Upstream((_req, res) => {
        res.writeHead(200, { "content-length": 10 });
        res.write("hello");
        setImmediate(() => (how === "close" ? res.stream.close(constants.NGHTTP2_CANCEL) : res.stream.destroy()));
      });
      const transport = http2Transport(upstream.port);
      for (let trial = 0; trial < 10; trial++) {
        const exchange = await ask(transport, "/").ended();
        expect(exchange.failure?.code).toBe(exchange.status === 0 ? "reset" : "response_truncated");
      }
    },
  );

  test("in a body that has begun are told as such: a connection that is cut, whatever the framing", async () => {
    for (const headers of [{}, { "content-length": 10 }]) {
      const upstream = await http2Upstream((_req, res) => {
        res.writeHead(200, headers);
        res.write("hello");
      });
      const exchange = ask(http2Transport(upstream.port), "/");
      await exchange.until(() => exchange.body === "hello");
      for (const socket of upstream.sockets) socket.destroy();
      expect((await exchange.ended()).failure?.code).toBe("response_truncated");
    }
  });

  test("an upstream that speaks HTTP/1.1 alone is spoken to in that", async () => {
    const upstream = await rawUpstream({ tls: { cert, key, ALPNProtocols: ["http/1.1"] }, onRequest: echo });
    expect(await ask(http2Transport(upstream.port), "/old").ended()).toMatchObject({ phase: "complete", body: "/old" });
  });
});
