/** Generated frames, read by themselves and by a connection to an upstream. */

import { describe, expect, test } from "vitest";
import { flag, frameType } from "../../src/http2/protocol.ts";
import { ask } from "../support/exchanges.ts";
import { readFrames } from "../support/frame-notes.ts";
import { block, type FramePeer, frame, frameServer } from "../support/frame-server.ts";
import { h2cTransport } from "../support/http2-transports.ts";
import { seededRandom } from "../support/seeded-random.ts";

// `pnpm fuzz frames` sets these; see scripts/fuzz.js.
const runs = Number(process.env["FUZZ_RUNS"] ?? 3_000);
const seed = Number(process.env["FUZZ_SEED"] ?? 1);

const random = seededRandom(seed);
const below = (limit: number) => Math.floor(random() * limit);
const chance = (probability: number) => random() < probability;
const oneOf = <T>(choices: readonly T[]): T => choices[below(choices.length)] as T;

describe(`generated frames, seed ${seed}`, () => {
  test(`${runs} times are read the same at any split, and nothing but an Http2Error is thrown`, () => {
    const generate = () => {
      const type = chance(0.9) ? below(11) : below(256);
      const usual = below(2) * flag.endStream + below(2) * flag.endHeaders + below(2) * flag.padded;
      const length = chance(0.97) ? below(40) : 16_380 + below(10);
      const payload = Buffer.from(Array.from({ length }, () => (chance(0.5) ? below(8) : below(256))));
      return frame(type, chance(0.7) ? usual : below(256), below(6), payload);
    };
    let broken = 0;
    for (let run = 0; run < runs; run++) {
      const bytes = Buffer.concat(Array.from({ length: 1 + below(8) }, generate));
      if (chance(0.2)) bytes[below(bytes.length)] = below(256);
      const whole = readFrames([bytes]);
      if (whole.at(-1)?.includes("ERROR")) broken++;
      const pieces: Buffer[] = [];
      for (let start = 0; start < bytes.length; start += pieces.at(-1)?.length ?? 0) {
        pieces.push(bytes.subarray(start, start + 1 + below(chance(0.5) ? 4 : 2_000)));
      }
      expect(readFrames(pieces)).toEqual(whole);
    }
    expect(broken).toBeGreaterThan(runs * 0.05);
    expect(broken).toBeLessThan(runs * 0.9);
  });

  const connections = Math.ceil(runs / 10);

  test(`${connections} times, from an upstream, leave nothing hanging, and only END_STREAM makes a response complete`, async () => {
    /** Streams on which END_STREAM was sent, by connection. */
    const ended = new Map<FramePeer, Set<number>>();
    const upstream = await frameServer({
      onRequest: ({ peer, id }) => {
        if (chance(0.6)) peer.send(frame(frameType.headers, flag.endHeaders, id, block([":status", "200"])));
        for (let count = 1 + below(6); count > 0; count--) sendSome(peer, id);
        if (chance(0.3)) peer.socket.end();
        else if (chance(0.1)) peer.socket.resetAndDestroy();
      },
    });
    const sendSome = (peer: FramePeer, id: number) => {
      const bytes = frameOf(chance(0.9) ? id : below(8));
      // All but the length, so that what is sent is what is read.
      if (chance(0.03)) bytes[3 + below(bytes.length - 3)] = below(256);
      const type = bytes[3] as number;
      const ends =
        (type === frameType.data || type === frameType.headers) && ((bytes[4] as number) & flag.endStream) !== 0;
      if (ends) ended.set(peer, (ended.get(peer) ?? new Set()).add(bytes.readUInt32BE(5) & 0x7fff_ffff));
      peer.send(bytes);
    };
    const counts = { complete: 0, failed: 0 };
    const transport = h2cTransport(upstream.port, { timeouts: { headers: "300ms", idle: "300ms", connect: "5s" } });
    for (let run = 0; run < connections; run++) {
      const exchanges = Array.from({ length: 1 + below(4) }, (_, index) => {
        const path = `/${run}/${index}`;
        const body = chance(0.3) ? { method: "POST", body: "x".repeat(below(2_000)) } : {};
        return [path, ask(transport, path, body)] as const;
      });
      for (const [path, exchange] of exchanges) {
        await exchange.ended();
        counts[exchange.phase as "complete" | "failed"]++;
        if (exchange.phase !== "complete") continue;
        const [stream] = upstream.peers.flatMap((peer) =>
          [...peer.requests.values()]
            .filter(({ fields }) => fields.includes(path))
            .map(({ id }) => ended.get(peer)?.has(id)),
        );
        expect([path, stream]).toEqual([path, true]);
      }
    }
    expect(counts.complete).toBeGreaterThan(connections * 0.1);
    expect(counts.failed).toBeGreaterThan(connections * 0.1);
  }, 0);
});

const heads: readonly (readonly (readonly [string, string])[])[] = [
  [[":status", "200"]],
  [
    [":status", "200"],
    ["content-length", "5"],
  ],
  [
    [":status", "103"],
    ["link", "a"],
  ],
  [[":status", "100"]],
  [[":status", "204"]],
  [["grpc-status", "0"]],
  [[":status", "20"]],
  [
    [":status", "200"],
    ["X", "y"],
  ],
  [
    [":status", "200"],
    ["x", "a\rb"],
  ],
];

/** A frame that could come, or nearly. */
function frameOf(streamId: number): Buffer {
  const endStream = chance(0.3) ? flag.endStream : 0;
  switch (below(12)) {
    case 0:
    case 1:
    case 2:
    case 3:
      return frame(
        frameType.headers,
        (chance(0.95) ? flag.endHeaders : 0) | endStream,
        streamId,
        block(...oneOf(heads)),
      );
    case 4:
    case 5:
    case 6:
      return frame(frameType.data, endStream, streamId, "hello".slice(0, below(6)));
    case 7:
      return frame(frameType.data, flag.padded | endStream, streamId, Buffer.from([2, 65, 66, 0, 0]));
    case 8:
      return frame(frameType.rstStream, 0, streamId, Buffer.from([0, 0, 0, below(14)]));
    case 9:
      return oneOf([
        frame(frameType.windowUpdate, 0, chance(0.5) ? 0 : streamId, Buffer.from([0, 0, 1, below(2)])),
        frame(frameType.ping, 0, 0, Buffer.alloc(8)),
        frame(frameType.settings, 0, 0, Buffer.from([0, 4, 0, 0, 0, below(256)])),
        frame(frameType.settings, 0, 0, Buffer.from([0, 3, 0, 0, 0, 1 + below(3)])),
      ]);
    case 10:
      return chance(0.5)
        ? frame(frameType.goaway, 0, 0, Buffer.from([0, 0, 0, below(6), 0, 0, 0, below(14)]))
        : frame(0xbe, 0, streamId, "x");
    default:
      return frame(frameType.continuation, flag.endHeaders, streamId, block(...oneOf(heads)));
  }
}
