/** Requests that offer HTTP/2 by an upgrade, as Java's HttpClient sends them, to the app's own routes. */

import { once } from "node:events";
import { describe, expect, onTestFinished, test } from "vitest";
import { WebSocket, WebSocketServer } from "ws";
import { connect, echo, startEcho } from "../../core/test/support/adapter-contract.ts";
import { startUpstream } from "../../core/test/support/adapter-lab.ts";
import { rawClient } from "../../core/test/support/client.ts";
import evenkeel from "../src/index.ts";
import { closeTimeout, createApp, serve } from "./support/app.ts";

const offer = "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n";
const json = "Content-Type: application/json\r\n";

async function startApp(use: (app: ReturnType<typeof createApp>) => void = () => {}): Promise<number> {
  const app = createApp();
  const { url } = await startUpstream("a", (req, res) => void req.on("end", () => res.end("up")).resume());
  use(app);
  await app.register(evenkeel, { prefix: "/api", upstreams: [url], closeTimeout });
  app.post("/orders", async (request) => ({ got: request.body ?? null }));
  return serve(app);
}

describe("a request that offers h2c", () => {
  test.each([
    ["a length", `Content-Length: 12\r\n\r\n{"amount":7}`],
    ["chunks", `Transfer-Encoding: chunked\r\n\r\nc\r\n{"amount":7}\r\n0\r\n\r\n`],
    ["a length, once it may go on", `Expect: 100-continue\r\nContent-Length: 12\r\n\r\n{"amount":7}`],
  ])("reaches the app's own route with its body with %s, and the connection stays open", async (_framing, rest) => {
    const port = await startApp();
    const request = `POST /orders HTTP/1.1\r\nHost: h\r\n${json}${offer}${rest}`;
    const client = await rawClient(port, request);
    await client.until(/\{"got":\{"amount":7\}\}$/);
    client.socket.write(`${request}POST /api/x HTTP/1.1\r\nHost: h\r\n${offer}Content-Length: 2\r\n\r\n{}`);
    await client.until(/\r\n\r\nup$|\r\nup\r\n0\r\n\r\n$/);
    expect(client.text.match(/\{"got":\{"amount":7\}\}/g)).toHaveLength(2);
  });

  test("runs the hooks in front of the proxy", async () => {
    const port = await startApp((app) => app.addHook("onRequest", (_request, reply) => void reply.code(401).send()));
    const request = `POST /api/x HTTP/1.1\r\nHost: h\r\n${offer}Content-Length: 2\r\n\r\n{}`;
    const client = await rawClient(port, request);
    expect(await client.until(/\r\n\r\n/)).toMatch(/^HTTP\/1\.1 401 /);
  });
});

test("a handshake under the prefix that no route matches is left to the other listeners", async () => {
  const app = createApp();
  const own = new WebSocketServer({ noServer: true });
  own.on("connection", (socket) => socket.send("mine"));
  app.server.on("upgrade", (req, socket, head) => {
    if (req.url === "/own") own.handleUpgrade(req, socket, head, (opened) => own.emit("connection", opened));
  });
  const { url } = await startEcho();
  await app.register(evenkeel, {
    pools: { api: { upstreams: [url] } },
    routes: [{ path: "/chat", pool: "api" }],
    closeTimeout,
  });
  const port = await serve(app);
  expect(await echo(await connect(port, "/chat"), "hello")).toEqual([Buffer.from("hello"), false]);
  const socket = new WebSocket(`ws://127.0.0.1:${port}/own`);
  onTestFinished(() => socket.terminate());
  expect(String((await once(socket, "message"))[0])).toBe("mine");
});
