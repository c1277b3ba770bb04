/** One server with common WebSocket libraries: each path works, in any order of registration. */

import { once } from "node:events";
import http from "node:http";
import type { Duplex } from "node:stream";
import { type ServerOptions, Server as SocketIo } from "socket.io";
import { io } from "socket.io-client";
import { describe, expect, onTestFinished, test } from "vitest";
import { WebSocket, WebSocketServer } from "ws";
import { connect, echo, startEcho } from "../../core/test/support/adapter-contract.ts";
import { ask, listen } from "../../core/test/support/adapter-lab.ts";
import { refusal } from "../../core/test/support/web-socket-refusal.ts";
import { create, versions } from "./support/app.ts";

type Register = (server: http.Server) => void;

/** A server of the ws package for one path, which rejects every upgrade to another path. */
const useWs: Register = (server) => {
  const own = new WebSocketServer({ server, path: "/own" });
  own.on("connection", (socket) => socket.send("of ws"));
  onTestFinished(() => own.close());
};

/** A second later, it ends every upgrade that is not its own and has no response yet. */
const useSocketIo = (server: http.Server, options: Partial<ServerOptions> = { destroyUpgradeTimeout: 1 }) => {
  const own = new SocketIo(server, options);
  own.on("connection", (socket) => socket.emit("greeting", "of socket.io"));
  onTestFinished(() => own.close());
};

async function greetingOfWs(port: number): Promise<string> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/own`);
  onTestFinished(() => socket.terminate());
  return String((await once(socket, "message"))[0]);
}

function greetingOfSocketIo(port: number): Promise<string> {
  const socket = io(`http://127.0.0.1:${port}`, { transports: ["websocket"], reconnection: false });
  onTestFinished(() => void socket.close());
  return new Promise((resolve, reject) => {
    socket.once("greeting", resolve).once("connect_error", reject);
  });
}

describe.each(versions)("%s: attached beside ws and socket.io", (_name, express) => {
  test.each([
    { other: "ws", useOther: useWs, greeting: greetingOfWs, first: true },
    { other: "ws", useOther: useWs, greeting: greetingOfWs, first: false },
    { other: "socket.io", useOther: useSocketIo, greeting: greetingOfSocketIo, first: true },
    { other: "socket.io", useOther: useSocketIo, greeting: greetingOfSocketIo, first: false },
  ])(
    "each gets its own upgrades, and $other the ones that no listener takes (registered first: $first)",
    async (given) => {
      const { other, useOther, greeting, first } = given;
      const { url, requests } = await startEcho();
      const app = express();
      const server = http.createServer(app);
      const api = create({ upstreams: [url], prefix: "/api" });
      app.use("/api", api);
      if (first) useOther(server);
      api.attach(server);
      if (!first) useOther(server);
      const port = await listen(server);

      expect(await greeting(port)).toBe(`of ${other}`);
      expect(await echo(await connect(port, "/api/chat"), "hello")).toEqual([Buffer.from("hello"), false]);
      expect(requests).toMatchObject([{ url: "/chat", headers: { "x-forwarded-prefix": "/api" } }]);
      expect((await ask(port, { path: "/api/x" })).body.toString()).toBe("/x");
      const unwanted = new WebSocket(`ws://127.0.0.1:${port}/other`);
      expect((await once(unwanted, "error"))[0]).toMatchObject({
        message: expect.stringMatching(/hang up|server response: 400/),
      });
    },
  );

  test("socket.io does not end a handshake that takes longer than its timeout", async () => {
    const held: Duplex[] = [];
    const upstream = http.createServer().on("upgrade", (_req, socket) => void held.push(socket));
    const url = `http://127.0.0.1:${await listen(upstream)}`;
    const server = http.createServer(express());
    useSocketIo(server);
    create({ upstreams: [url], prefix: "/api" }).attach(server);
    const port = await listen(server);
    const slow = new WebSocket(`ws://127.0.0.1:${port}/api/`);
    onTestFinished(() => slow.terminate());
    const ended: string[] = [];
    slow.on("error", (error) => ended.push(error.message));
    await once(upstream, "upgrade");
    // By now, socket.io has ended the upgrades that it got and did not take.
    const unwanted = new WebSocket(`ws://127.0.0.1:${port}/other`);
    await once(unwanted, "error");
    expect(ended).toEqual([]);
    const refused = once(slow, "unexpected-response");
    held[0]?.end("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n");
    expect(((await refused)[1] as http.IncomingMessage).statusCode).toBe(403);
  });
});

describe.each(versions)("%s: attached", (_name, express) => {
  test("several share a server with plain listeners without a warning, and the app gets the upgrades that no listener takes", async () => {
    const warnings: Error[] = [];
    const note = (warning: Error) => warnings.push(warning);
    process.on("warning", note);
    onTestFinished(() => void process.off("warning", note));
    const { url, requests } = await startEcho();
    const server = http.createServer(express());
    const plain = create({ upstreams: [url], prefix: "/plain" });
    server.on("upgrade", plain.upgrade);
    for (let index = 0; index < 12; index++) create({ upstreams: [url], prefix: `/mount-${index}` }).attach(server);
    const port = await listen(server);
    for (const path of ["/mount-0/a", "/mount-11/b", "/plain/c"]) await connect(port, path);
    expect(requests.map((request) => request.url)).toEqual(["/a", "/b", "/c"]);
    expect((await refusal(port, "/other")).statusCode).toBe(404);
    expect(warnings).toEqual([]);
  });

  test("an upgrade that no route matches is left to the listeners", async () => {
    const { url } = await startEcho();
    const server = http.createServer(express());
    const options = { pools: { api: { upstreams: [url] } }, routes: [{ path: "/chat", pool: "api" }] };
    create(options).attach(server);
    useWs(server);
    const port = await listen(server);
    expect(await echo(await connect(port, "/chat"), "hello")).toEqual([Buffer.from("hello"), false]);
    expect(await greetingOfWs(port)).toBe("of ws");
  });
});

describe.each(versions)("%s: as plain listeners", (_name, express) => {
  test.each([false, true])(
    "ws without a server of its own and socket.io have theirs (reversed: %s)",
    async (reversed) => {
      const { url } = await startEcho();
      const server = http.createServer(express());
      const own = new WebSocketServer({ noServer: true });
      own.on("connection", (socket) => socket.send("of ws"));
      const useNoServer: Register = () => {
        server.on("upgrade", (req, socket, head) => {
          if (req.url === "/own") own.handleUpgrade(req, socket, head, (opened) => own.emit("connection", opened));
        });
      };
      const useApi: Register = () => server.on("upgrade", create({ upstreams: [url], prefix: "/api" }).upgrade);
      const useIo: Register = () => useSocketIo(server, { destroyUpgrade: false });
      const registers = [useApi, useNoServer, useIo];
      for (const register of reversed ? registers.toReversed() : registers) register(server);
      const port = await listen(server);
      expect(await echo(await connect(port, "/api/"), "hello")).toEqual([Buffer.from("hello"), false]);
      expect(await greetingOfWs(port)).toBe("of ws");
      expect(await greetingOfSocketIo(port)).toBe("of socket.io");
    },
  );
});
