import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import { expect, onTestFinished, test } from "vitest";
import { WebSocket, WebSocketServer } from "ws";
import { closeServer, startUpstream } from "../packages/core/test/support/adapter-lab.ts";
import { start } from "./sticky-chat/main.ts";

async function startChat(name: string): Promise<string> {
  const { server, url } = await startUpstream(name);
  const sockets = new WebSocketServer({ server });
  sockets.on("connection", (socket) => socket.send(name));
  onTestFinished(() => {
    for (const socket of sockets.clients) socket.terminate();
  });
  return url;
}

/** Opens a socket. Resolves with the name of the server, and the cookie in the response. */
async function join(port: number, cookie = ""): Promise<{ socket: WebSocket; server: string; cookie: string }> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/`, { headers: cookie === "" ? {} : { cookie } });
  onTestFinished(() => socket.terminate());
  const greeted = once(socket, "message") as Promise<[Buffer]>;
  const [{ headers }] = (await once(socket, "upgrade")) as [IncomingMessage];
  const [server] = await greeted;
  return { socket, server: server.toString(), cookie: headers["set-cookie"]?.[0]?.split(";")[0] ?? cookie };
}

test("a chat client reconnects to its server, also while that one drains", async () => {
  const { port, proxy, server } = await start(
    [await startChat("a"), await startChat("b"), await startChat("c")],
    "a secret of the test",
    0,
  );
  onTestFinished(async () => {
    await proxy.close({ timeout: "0s" });
    await closeServer(server);
  });
  const clients = [await join(port), await join(port), await join(port)];
  expect(clients.map((client) => client.server).toSorted()).toEqual(["a", "b", "c"]);
  for (const { socket, server: own, cookie } of clients) {
    const id = new URL(proxy.pools.get("default")?.upstreams[["a", "b", "c"].indexOf(own)]?.url ?? "").host;
    socket.terminate();
    proxy.pools.get("default")?.setState(id, "draining");
    expect((await join(port, cookie)).server).toBe(own);
    expect((await join(port)).server).not.toBe(own);
    proxy.pools.get("default")?.setState(id, "active");
  }
});
