/** One app with the plugin and @fastify/websocket, ws or socket.io: each path works, in any order of registration. */

import { once } from "node:events";
import websocket from "@fastify/websocket";
import type { FastifyInstance } from "fastify";
import { Server as SocketIo } from "socket.io";
import { io } from "socket.io-client";
import { describe, expect, onTestFinished, test } from "vitest";
import { WebSocket, WebSocketServer } from "ws";
import { connect, echo, startEcho } from "../../core/test/support/adapter-contract.ts";
import evenkeel from "../src/index.ts";
import { closeTimeout, createApp, refusal, serve } from "./support/app.ts";

type Register = (app: FastifyInstance) => unknown;

const useFastifyWebsocket: Register = async (app) => {
  await app.register(websocket);
  await app.register(async (scope) => {
    scope.get("/own", { websocket: true }, (socket) => socket.send("mine"));
  });
};

const useWs: Register = (app) => {
  const own = new WebSocketServer({ server: app.server, path: "/own" });
  own.on("connection", (socket) => socket.send("mine"));
  onTestFinished(() => own.close());
};

async function greeting(port: number): Promise<string> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/own`);
  onTestFinished(() => socket.terminate());
  return String((await once(socket, "message"))[0]);
}

describe.each([
  { other: "@fastify/websocket", useOther: useFastifyWebsocket, unwanted: 404 },
  { other: "ws", useOther: useWs, unwanted: 400 },
])("together with $other", ({ useOther, unwanted }) => {
  test.each([true, false])("each path works (registered first: %s)", async (first) => {
    const { url, requests } = await startEcho();
    const app = createApp();
    if (first) await useOther(app);
    await app.register(evenkeel, { prefix: "/api", upstreams: [url], closeTimeout });
    if (!first) await useOther(app);
    const port = await serve(app);
    expect(await greeting(port)).toBe("mine");
    expect(await echo(await connect(port, "/api/chat"), "hello")).toEqual([Buffer.from("hello"), false]);
    expect(requests).toMatchObject([{ url: "/chat" }]);
    expect((await refusal(port, "/other")).statusCode).toBe(unwanted);
  });
});

test("without a prefix, @fastify/websocket keeps the paths of its routes, and the proxy gets all others", async () => {
  const { url } = await startEcho();
  const app = createApp();
  await useFastifyWebsocket(app);
  await app.register(evenkeel, { upstreams: [url], closeTimeout });
  const port = await serve(app);
  expect(await greeting(port)).toBe("mine");
  expect(await echo(await connect(port, "/chat"), "hello")).toEqual([Buffer.from("hello"), false]);
});

test("socket.io does not end the upgrades of others", async () => {
  const { url } = await startEcho();
  const app = createApp();
  const own = new SocketIo(app.server, { destroyUpgradeTimeout: 1 });
  own.on("connection", (socket) => socket.emit("greeting", "mine"));
  onTestFinished(() => own.close());
  await app.register(evenkeel, { prefix: "/api", upstreams: [url], closeTimeout });
  const port = await serve(app);
  expect(await echo(await connect(port, "/api/chat"), "hello")).toEqual([Buffer.from("hello"), false]);
  const socket = io(`http://127.0.0.1:${port}`, { transports: ["websocket"], reconnection: false });
  onTestFinished(() => void socket.close());
  const greeted = await new Promise((resolve, reject) => {
    socket.once("greeting", resolve).once("connect_error", reject);
  });
  expect(greeted).toBe("mine");
});
