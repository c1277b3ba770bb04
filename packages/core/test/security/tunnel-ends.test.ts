import { createHash } from "node:crypto";
import type { Socket } from "node:net";
import { describe, expect, test } from "vitest";
import { until } from "../support/event-loop.ts";
import { coreLayer, type Serving } from "../support/layers.ts";
import { onePool, openHandles, watchStrays } from "../support/raw-case.ts";
import { StrictClient } from "../support/raw-client.ts";
import { type RecordingUpstream, recordingUpstream, type Script } from "../support/recording-upstream.ts";

const key = "dGhlIHNhbXBsZSBub25jZQ==";
const accept = createHash("sha1").update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64");
const handshake = `GET /case HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: ${key}\r\nSec-WebSocket-Version: 13\r\n\r\n`;
const switched = `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`;

async function serve(
  script: Script,
  use: (serving: Serving, upstream: RecordingUpstream) => Promise<void>,
  timeouts = {},
) {
  const strays = watchStrays();
  const before = openHandles();
  const upstream = await recordingUpstream(script);
  const serving = await coreLayer({ ...onePool(upstream.url), timeouts });
  try {
    await use(serving, upstream);
    await until(() => serving.leftovers().length === 0);
  } finally {
    await serving.close();
  }
  await until(() => upstream.sockets.size === 0 && openHandles() <= before + 1);
  expect(strays()).toEqual([]);
}

const open: Script = {
  onRequest: (socket) => void socket.write(switched),
  onTunnel: (socket, bytes) => void socket.write(bytes),
};

async function tunnel(port: number, send = "ping"): Promise<StrictClient> {
  const client = await StrictClient.to(port);
  client.socket.write(handshake);
  await client.when(() => client.text.endsWith("\r\n\r\n"), 3_000);
  client.socket.write(send);
  await client.when(() => client.text.endsWith(send), 3_000);
  expect(client.text.slice(client.text.indexOf("\r\n\r\n") + 4)).toBe(send);
  return client;
}

const deaths: readonly (readonly [string, (client: Socket, upstream: Socket) => void])[] = [
  ["the client ends", (client) => void client.end()],
  ["the client resets", (client) => void client.resetAndDestroy()],
  ["the client is destroyed", (client) => void client.destroy()],
  ["the upstream ends", (_client, upstream) => void upstream.end()],
  ["the upstream resets", (_client, upstream) => void upstream.resetAndDestroy()],
  ["the upstream is destroyed", (_client, upstream) => void upstream.destroy()],
  ["both end", (...sides) => void sides.map((side) => side.end())],
  ["both reset", (...sides) => void sides.map((side) => side.resetAndDestroy())],
  ["the client ends with something to say", (client) => void client.end("bye")],
  ["the upstream ends with something to say", (_client, upstream) => void upstream.end("bye")],
];

describe("E11 when one side of a tunnel goes, so does the other", () => {
  test.each(deaths)("%s", async (_what, kill) => {
    await serve(open, async (serving, upstream) => {
      const client = await tunnel(serving.port);
      const [upstreamSocket] = upstream.sockets;
      const before = performance.now();
      kill(client.socket, upstreamSocket as Socket);
      await until(() => upstream.sockets.size === 0 && client.how !== undefined && serving.leftovers().length === 0);
      expect(performance.now() - before).toBeLessThan(1_500);
      expect(serving.requests).toMatchObject([{ status: 101 }]);
      client.socket.destroy();
    });
  });

  test("a hundred times over in every way, without anything left", async () => {
    await serve(open, async (serving, upstream) => {
      for (let round = 0; round < 10; round++) {
        const clients = await Promise.all(deaths.map(() => tunnel(serving.port)));
        const sockets = [...upstream.sockets];
        for (const [index, [, kill]] of deaths.entries()) {
          kill((clients[index] as StrictClient).socket, sockets[index] as Socket);
        }
        // Which socket belongs to which client is not known here: the rest goes with the clients.
        for (const { socket } of clients) socket.destroy();
        await until(() => upstream.sockets.size === 0 && serving.leftovers().length === 0);
      }
      expect(serving.requests).toHaveLength(100);
    });
  });
});

const silent: Script = { onRequest: () => {} };

describe("E13 a client that leaves before the 101", () => {
  test.each(["end", "reset"] as const)("by %s", async (how) => {
    await serve(silent, async (serving, upstream) => {
      const client = await StrictClient.to(serving.port);
      client.socket.write(handshake);
      await until(() => upstream.heads.length === 1);
      if (how === "end") client.socket.end();
      else client.socket.resetAndDestroy();
      await until(() => upstream.sockets.size === 0 && serving.leftovers().length === 0);
      expect(serving.requests).toMatchObject([{ status: 499, error: "client_aborted" }]);
      client.socket.destroy();
    });
  });

  test("and what it had sent ahead never reaches the upstream", async () => {
    await serve(silent, async (serving, upstream) => {
      const client = await StrictClient.to(serving.port);
      client.socket.write(`${handshake}GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n`);
      await until(() => upstream.heads.length === 1);
      client.socket.resetAndDestroy();
      await until(() => upstream.sockets.size === 0 && serving.leftovers().length === 0);
      expect(upstream.received.join("")).not.toContain("smuggled");
    });
  });
});

test("a handshake that is never answered is 504", async () => {
  await serve(
    silent,
    async (serving, upstream) => {
      const client = await StrictClient.to(serving.port);
      client.socket.write(handshake);
      await client.when(() => client.how !== undefined, 3_000);
      expect(client.read([]).responses.map(({ status }) => status)).toEqual([504]);
      client.socket.destroy();
      await until(() => upstream.sockets.size === 0);
      expect(serving.requests).toMatchObject([{ status: 504, error: "headers_timeout" }]);
    },
    { headers: "100ms" },
  );
});

test("E17 closing ends open tunnels with a goodbye", async () => {
  const upstream = await recordingUpstream(open);
  const serving = await coreLayer(onePool(upstream.url));
  const client = await tunnel(serving.port);
  await serving.close();
  await client.when(() => client.how !== undefined, 3_000);
  expect(client.received.subarray(-4)).toEqual(Buffer.from([0x88, 0x02, 0x03, 0xe9]));
  expect(serving.requests).toHaveLength(1);
  client.socket.destroy();
});
