import { readFileSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createSecureServer } from "node:https";
import { type AddressInfo, connect } from "node:net";
import { connect as connectSecurely } from "node:tls";
import { describe, expect, onTestFinished, test } from "vitest";
import { connectionOf } from "../../src/client/node/node-connection.ts";
import { NodeExchange } from "../../src/client/node/node-exchange.ts";
import { handleParseError } from "../../src/client/node/parse-errors.ts";
import { createUpgradeExchange } from "../../src/client/node/upgrade-exchange.ts";
import { systemClock } from "../../src/runtime/clock.ts";
import { clientExchangeContract } from "../contract/client-exchange-contract.ts";
import {
  fieldsOf,
  http11Traits,
  type OpenedExchange,
  RecordingHandler,
  type RequestSketch,
} from "../contract/client-exchange-harness.ts";
import { turns, until } from "../support/event-loop.ts";
import { StrictClient } from "../support/raw-client.ts";
import { requestBytes, SocketTestClient } from "../support/socket-test-client.ts";

const certificates = new URL("../support/certs/", import.meta.url);

interface Handed {
  readonly exchange: NodeExchange;
  readonly res: ServerResponse | undefined;
}

/** A server that hands over its first request, gone when the test has ended. */
async function serve(server: Server): Promise<{ readonly port: number; readonly handed: Promise<Handed> }> {
  const handed = new Promise<Handed>((resolve) => {
    const onRequest = (req: IncomingMessage, res: ServerResponse) => {
      resolve({ exchange: new NodeExchange(req, res, connectionOf(req.socket), systemClock), res });
    };
    server.on("request", onRequest).on("checkContinue", onRequest);
    server.on("clientError", (error, socket) =>
      handleParseError(error, socket, systemClock, (exchange) => exchange.cutOff()),
    );
    server.on("upgrade", (req, socket, head) => {
      const options = { clock: systemClock, headers: undefined, responseHeaders: undefined };
      const exchange = createUpgradeExchange(req, socket, head, options);
      if (exchange !== undefined) resolve({ exchange, res: undefined });
    });
  });
  server.listen(0, "127.0.0.1");
  await new Promise((resolve) => {
    server.once("listening", resolve);
  });
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  return { port: (server.address() as AddressInfo).port, handed };
}

interface Variant {
  readonly httpVersion?: string;
  readonly secure?: boolean;
  readonly headers?: readonly string[];
}

interface Opened extends Handed {
  readonly strict: StrictClient;
}

async function openNode(sketch: RequestSketch, variant: Variant = {}): Promise<Opened> {
  const { httpVersion = "1.1", secure = false, headers = [] } = variant;
  const { port, handed } = await serve(secure ? createSecureServer(certificate()) : createServer());
  const to = { port, host: "127.0.0.1", allowHalfOpen: true };
  const strict = secure
    ? await StrictClient.over(connectSecurely({ ...to, rejectUnauthorized: false }), "secureConnect")
    : await StrictClient.over(connect(to), "connect");
  onTestFinished(() => void strict.socket.destroy());
  strict.socket.write(requestBytes({ ...sketch, headers: [...headers, ...(sketch.headers ?? [])] }, httpVersion));
  return { ...(await handed), strict };
}

async function open(sketch: RequestSketch, variant?: Variant): Promise<OpenedExchange> {
  const { exchange, res, strict } = await openNode(sketch, variant);
  return {
    exchange,
    client: new SocketTestClient(strict, sketch),
    respondAsApp: res && ((status) => void res.writeHead(status).end()),
  };
}

function certificate(): { readonly cert: Buffer; readonly key: Buffer } {
  const read = (name: string) => readFileSync(new URL(name, certificates));
  return { cert: read("localhost.crt"), key: read("localhost.key") };
}

clientExchangeContract("node:http, HTTP/1.1", { traits: http11Traits, open });

clientExchangeContract("node:http, HTTP/1.0", {
  traits: { ...http11Traits, httpVersion: "1.0", hasChunks: false, hasTrailers: false, hasInterimResponses: false },
  open: (sketch) => open(sketch, { httpVersion: "1.0" }),
});

clientExchangeContract("node:http, HTTP/1.1 over TLS", {
  traits: { ...http11Traits, encrypted: true },
  open: (sketch) => open(sketch, { secure: true }),
});

const webSocket = ["Connection", "Upgrade", "Upgrade", "websocket"];

clientExchangeContract("node:http, an upgrade", {
  traits: { ...http11Traits, isUpgrade: true, hasRequestBodies: false, hasChunks: false, hasAppInFront: false },
  open: (sketch) => open(sketch, { headers: webSocket }),
});

describe("what an app in front of the proxy does", () => {
  test("to the target and the body of a request is seen", async () => {
    const { exchange, strict } = await openNode({ method: "POST", target: "/a", bodyLength: 5 });
    exchange.req.url = "/changed";
    new SocketTestClient(strict, {}).send(Buffer.from("hello"));
    expect([exchange.target, exchange.bodyTaken]).toEqual(["/a", false]);
    exchange.req.resume();
    await until(() => exchange.bodyComplete);
    expect(exchange.bodyTaken).toBe(true);
  });

  test("to the head of a response fails `begin` with what it throws", async () => {
    const { exchange, res } = await openNode({});
    exchange.start(new RecordingHandler(exchange, "a"));
    if (res === undefined) throw new Error("no response");
    res.writeHead = () => {
      throw new RangeError("an app's own");
    };
    expect(() => exchange.begin(200, "OK", [], false)).toThrow("an app's own");
  });

  test("with a response that is left to it is reported, and its connection closes", async () => {
    const { exchange, res, strict } = await openNode({ method: "POST", bodyLength: 5 });
    const handler = new RecordingHandler(exchange, "a");
    handler.start();
    exchange.release({ close: true, last: true, setCookie: "a=1" });
    res?.writeHead(418, { "X-App": "1" }).end();
    const client = new SocketTestClient(strict, {});
    await until(() => client.received.complete && handler.closed !== undefined);
    const { headers } = client.received;
    expect([client.received.status, exchange.status, handler.closed]).toEqual([418, 418, true]);
    expect([fieldsOf(headers, "connection"), fieldsOf(headers, "set-cookie")]).toEqual([["close"], ["a=1"]]);
    await until(() => client.received.closed);
    expect(handler.violations).toEqual([]);
  });

  test("with a request that is left to it is not disturbed by a malformed rest", async () => {
    const { exchange, strict } = await openNode({ method: "POST", bodyLength: "unknown" });
    exchange.decline();
    new SocketTestClient(strict, {}).sendMalformed();
    await until(() => strict.how !== undefined);
    expect(exchange.fault).toBeUndefined();
  });
});

describe("a body", () => {
  test("whose chunks are padded is one fault, and no more of it follows", async () => {
    const { exchange, strict } = await openNode({ method: "POST", bodyLength: "unknown" });
    const handler = new RecordingHandler(exchange, "a");
    handler.start();
    handler.exchange.readBody();
    for (let sent = 0; sent < 40; sent++) {
      strict.socket.write(`1;${"x".repeat(4_000)}\r\na\r\n`);
      await turns(2);
    }
    await until(() => handler.faults.length > 0);
    const { length } = handler.chunks;
    strict.socket.write("1\r\nb\r\n0\r\n\r\n");
    await until(() => exchange.bodyComplete);
    await turns(5);
    expect([handler.faults, handler.chunks.length, handler.bodyEnded]).toEqual([["bad_request"], length, false]);
    expect(handler.violations).toEqual([]);
  });
});

describe("an interim response", () => {
  test("is not sent while an earlier response on the connection is not finished", async () => {
    const server = createServer();
    const exchanges: NodeExchange[] = [];
    server.on("request", (req, res) => {
      exchanges.push(new NodeExchange(req, res, connectionOf(req.socket), systemClock));
    });
    const { port } = await serve(server);
    const strict = await StrictClient.to(port);
    onTestFinished(() => void strict.socket.destroy());
    strict.socket.write(Buffer.concat([requestBytes({}, "1.1"), requestBytes({}, "1.1")]));
    await until(() => exchanges.length === 2);
    const [first, second] = exchanges as [NodeExchange, NodeExchange];
    for (const exchange of exchanges) exchange.start(new RecordingHandler(exchange, "a"));
    second.inform(103, ["Link", "</second>"]);
    first.inform(103, ["Link", "</first>"]);
    for (const exchange of [second, first]) {
      exchange.begin(200, "OK", ["Content-Length", "0"], false);
      exchange.end(undefined, []);
    }
    await until(() => strict.read(["GET", "GET"]).responses.length === 2);
    const { informational, violation } = strict.read(["GET", "GET"]);
    expect([informational.map(({ fields }) => fields), violation]).toEqual([[[["Link", "</first>"]]], undefined]);
  });
});

/** Two requests of one connection, the second one incomplete, as an app receives them. */
async function openTwo() {
  const server = createServer();
  const received: (readonly [IncomingMessage, ServerResponse])[] = [];
  server.on("request", (req, res) => void received.push([req, res]));
  const { port } = await serve(server);
  const strict = await StrictClient.to(port);
  onTestFinished(() => void strict.socket.destroy());
  const second = { method: "POST", bodyLength: "unknown" } as const;
  strict.socket.write(Buffer.concat([requestBytes({}, "1.1"), requestBytes(second, "1.1")]));
  await until(() => received.length === 2);
  const exchangeOf = (index: number) => {
    const [req, res] = received[index] as readonly [IncomingMessage, ServerResponse];
    return new NodeExchange(req, res, connectionOf(req.socket), systemClock);
  };
  return { exchangeOf, client: new SocketTestClient(strict, second) };
}

describe("a fault in the rest of a request", () => {
  test("reaches that request, though an app hands over an earlier one later", async () => {
    const { exchangeOf, client } = await openTwo();
    const second = exchangeOf(1);
    exchangeOf(0);
    client.sendMalformed();
    await until(() => second.fault !== undefined);
    expect(second.fault).toBe("bad_request");
  });

  test("does not disturb a response that is left to the app, which is the last of its connection", async () => {
    const { exchange, res, strict } = await openNode({ method: "POST", bodyLength: "unknown" });
    const handler = new RecordingHandler(exchange, "a");
    handler.start();
    exchange.release({ close: false, last: false, setCookie: undefined });
    const client = new SocketTestClient(strict, { bodyLength: "unknown" });
    client.sendMalformed();
    await until(() => exchange.fault !== undefined);
    res?.writeHead(418, { "Content-Length": "4" }).end("mine");
    await until(() => client.received.closed);
    expect([client.received.status, client.received.body.toString(), handler.faults]).toEqual([418, "mine", []]);
    expect(strict.how).toBe("end");
  });
});

test("an app's response to a client that has left is not reported as sent", async () => {
  const { exchange, res, strict } = await openNode({});
  strict.socket.end();
  await until(() => exchange.req.socket.closed);
  res?.end("too late");
  const handler = new RecordingHandler(exchange, "a");
  handler.start();
  await until(() => handler.closed !== undefined);
  expect(handler.closed).toBe(false);
});

test("a response that was sent is reported as sent, though the next one on its connection was cut off before", async () => {
  const { exchangeOf, client } = await openTwo();
  const [first, second] = [exchangeOf(0), exchangeOf(1)];
  const handlers = [first, second].map((exchange, index) => new RecordingHandler(exchange, `${index}`));
  for (const handler of handlers) handler.start();
  second.cutOff();
  first.begin(200, "OK", ["Content-Length", "2"], false);
  first.end(Buffer.from("ok"), []);
  await until(() => handlers.every(({ closed }) => closed !== undefined));
  expect(handlers.map(({ closed }) => closed)).toEqual([true, false]);
  expect(client.received.body.toString()).toBe("ok");
});
