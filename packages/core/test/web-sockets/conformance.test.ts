import type { Duplex } from "node:stream";
import { setImmediate as nextTurn } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { underLoad } from "../support/client.ts";
import { sha256 } from "../support/client-programs.ts";
import { startEcho } from "../support/web-sockets.ts";
import { bytesOf, cases } from "./cases.ts";
import { fronts, overHttp1 } from "./tunnels.ts";

/** Cases that are longer are not sent byte by byte. */
const maxSplit = 500;

/** Whether the frames of a server contain a close. */
class CloseDetector {
  #bytes = Buffer.alloc(0);
  #position = 0;
  found = false;

  add(chunk: Buffer): void {
    this.#bytes = Buffer.concat([this.#bytes.subarray(this.#position), chunk]);
    this.#position = 0;
    while (this.#bytes.length >= this.#position + 10 || this.#bytes.length > this.#position + 1) {
      const [first = 0, short = 0] = this.#bytes.subarray(this.#position, this.#position + 2);
      const extended = short < 126 ? 0 : short === 126 ? 2 : 8;
      const start = this.#position + 2 + extended;
      if (this.#bytes.length < start) return;
      const length =
        extended === 0
          ? short
          : extended === 2
            ? this.#bytes.readUInt16BE(start - 2)
            : Number(this.#bytes.readBigUInt64BE(start - 8));
      if (this.#bytes.length < start + length) return;
      this.found ||= (first & 0x0f) === 8;
      this.#position = start + length;
    }
  }
}

/** Sends bytes, ends once the server has closed the WebSocket, and resolves with everything it has sent. */
async function talk(tunnel: Duplex, bytes: Buffer, byByte: boolean): Promise<Buffer> {
  const chunks: Buffer[] = [];
  const detector = new CloseDetector();
  const over = new Promise((resolve) => void tunnel.once("close", resolve));
  tunnel.on("data", (chunk: Buffer) => {
    chunks.push(chunk);
    detector.add(chunk);
    if (detector.found && !tunnel.writableEnded) tunnel.end();
  });
  tunnel.on("end", () => void tunnel.end());
  tunnel.resume();
  if (byByte) {
    for (let index = 0; index < bytes.length && tunnel.writable; index++) {
      tunnel.write(bytes.subarray(index, index + 1));
      await nextTurn();
    }
  } else tunnel.write(bytes);
  await over;
  return Buffer.concat(chunks);
}

async function resultsAt(open: () => Promise<Duplex>, byByte: boolean): Promise<Record<string, string>> {
  const some = cases.map((one) => ({ name: one.name, bytes: bytesOf(one, true) }));
  const chosen = some.filter(({ bytes }) => !byByte || bytes.length <= maxSplit);
  // Fewer at a time than an HTTP/2 connection has streams.
  const entries = await underLoad(chosen.length, 64, async (index) => {
    const { name, bytes } = chosen[index] as (typeof chosen)[number];
    const received = await talk(await open(), bytes, byByte);
    return [
      name,
      received.length > 1_000 ? `${received.length} ${sha256(received)}` : received.toString("latin1"),
    ] as const;
  });
  return Object.fromEntries(entries);
}

describe.each(Object.entries(fronts))("%s", (_, start) => {
  test.each([
    ["in one piece", false],
    ["byte by byte", true],
  ])("frames of all kinds get from a server what it sends without a proxy: %s", async (_name, byByte) => {
    const upstream = await startEcho();
    const front = await start(upstream.url);
    const direct = await resultsAt(overHttp1(upstream.port).open, false);
    const proxied = await resultsAt(front.open, byByte);
    for (const [name, received] of Object.entries(proxied)) expect([name, received]).toEqual([name, direct[name]]);
    expect(Object.keys(proxied).length).toBeGreaterThan(100);
  });
});
