import { once } from "node:events";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { setImmediate as nextTurn } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { underLoad } from "../support/client.ts";
import { largeBytes, sha256 } from "../support/client-programs.ts";
import { until } from "../support/event-loop.ts";
import { startUpstream } from "../support/start-upstream.ts";
import { bytesOf, cases } from "./cases.ts";
import { accepting, fronts } from "./tunnels.ts";

/** Both ends of a tunnel. */
interface Ends {
  readonly client: Duplex;
  readonly upstream: Socket;
}

/** An upstream that takes every WebSocket, and leaves the bytes behind the handshake to the test. */
async function start(startFront: (typeof fronts)[string]) {
  const upstream = await startUpstream("a");
  const waiting = new Map<string, (socket: Socket) => void>();
  upstream.server.on("upgrade", (req, socket: Socket, head) => {
    socket.on("error", () => {});
    socket.setNoDelay(true);
    if (head.length > 0) socket.unshift(head);
    socket.write(accepting(String(req.headers["sec-websocket-key"])));
    waiting.get(req.url ?? "")?.(socket);
  });
  const front = await startFront(upstream.url);
  let count = 0;
  return async (): Promise<Ends> => {
    const path = `/${count++}`;
    const arrived = new Promise<Socket>((resolve) => void waiting.set(path, resolve));
    const client = await front.open(path);
    return { client, upstream: await arrived };
  };
}

/** Collects what an end receives; `ended` resolves with it at the end of the other side, or at the end of the connection. */
function collect(end: Duplex): { readonly length: number; readonly ended: Promise<Buffer> } {
  const chunks: Buffer[] = [];
  const ended = new Promise<Buffer>((resolve) => {
    for (const event of ["end", "close"]) end.once(event, () => resolve(Buffer.concat(chunks)));
  });
  const collected = { length: 0, ended };
  end.on("data", (chunk: Buffer) => {
    chunks.push(chunk);
    collected.length += chunk.length;
  });
  end.resume();
  return collected;
}

async function send(end: Duplex, bytes: Buffer, byByte: boolean): Promise<void> {
  if (!byByte) return void end.write(bytes);
  for (let index = 0; index < bytes.length; index++) {
    end.write(bytes.subarray(index, index + 1));
    await nextTurn();
  }
}

describe.each(Object.entries(fronts))("%s", (name, startFront) => {
  test.each([
    ["in one piece", false],
    ["byte by byte", true],
  ])("every frame arrives in both directions as it was sent: %s", async (_, byByte) => {
    const open = await start(startFront);
    const chosen = cases.filter((one) => !byByte || bytesOf(one, true).length <= 200);
    await underLoad(chosen.length, 64, async (index) => {
      const one = chosen[index] as (typeof cases)[number];
      const { client, upstream } = await open();
      const [fromClient, fromUpstream] = [bytesOf(one, true), bytesOf(one, false)];
      const [atUpstream, atClient] = [collect(upstream), collect(client)];
      await Promise.all([send(client, fromClient, byByte), send(upstream, fromUpstream, byByte)]);
      await until(() => atUpstream.length >= fromClient.length && atClient.length >= fromUpstream.length);
      // Either side ends first.
      (index % 2 === 0 ? client : upstream).end();
      await (index % 2 === 0 ? atUpstream : atClient).ended;
      (index % 2 === 0 ? upstream : client).end();
      expect([
        one.name,
        (await atUpstream.ended).equals(fromClient),
        (await atClient.ended).equals(fromUpstream),
      ]).toEqual([one.name, true, true]);
    });
  });

  test("16 MB arrive in both directions at once, with readers that are slow to begin", async () => {
    const { client, upstream } = await (await start(startFront))();
    const bytes = largeBytes(16_777_216);
    client.write(bytes);
    upstream.write(bytes);
    for (let turn = 0; turn < 100; turn++) await nextTurn();
    const [atUpstream, atClient] = [collect(upstream), collect(client)];
    await until(() => atUpstream.length === bytes.length && atClient.length === bytes.length);
    client.end();
    upstream.end();
    expect([sha256(await atUpstream.ended), sha256(await atClient.ended)]).toEqual([sha256(bytes), sha256(bytes)]);
  });

  test("the end of the client reaches the upstream, which may still send", async () => {
    const { client, upstream } = await (await start(startFront))();
    const [atClient, atUpstream] = [collect(client), collect(upstream)];
    client.end("last");
    expect(String(await atUpstream.ended)).toBe("last");
    upstream.end("late");
    expect(String(await atClient.ended)).toBe("late");
  });

  test("the end of the upstream reaches the client, behind its last data", async () => {
    const { client, upstream } = await (await start(startFront))();
    const atClient = collect(client);
    const closed = once(client, "close");
    upstream.resume().end(largeBytes(1_000_000));
    expect(sha256(await atClient.ended)).toBe(sha256(largeBytes(1_000_000)));
    client.end();
    await closed;
    if (name.includes("HTTP/2")) expect((client as { rstCode?: number }).rstCode).toBe(0);
  });

  test("a side that is cut off cuts off the other", async () => {
    const open = await start(startFront);
    for (const first of ["client", "upstream"] as const) {
      const { client, upstream } = await open();
      const other = first === "client" ? upstream : client;
      other.on("end", () => void other.end()).resume();
      const closed = once(other, "close");
      if (first === "client") client.destroy();
      else upstream.resetAndDestroy();
      await closed;
      // RST_STREAM: a cut is no end of a stream.
      if (first === "upstream" && name.includes("HTTP/2")) expect((client as { rstCode?: number }).rstCode).not.toBe(0);
    }
  });
});
