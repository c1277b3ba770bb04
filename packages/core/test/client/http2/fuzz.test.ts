import { expect, test } from "vitest";
import { flag, frameType } from "../../../src/http2/protocol.ts";
import type { Random } from "../../../src/runtime/random.ts";
import { seededRandom } from "../../../src/runtime/seeded-random.ts";
import { turns } from "../../support/event-loop.ts";
import { FrameClient, preface, requestFields } from "../../support/frame-client.ts";
import {
  block,
  continuation,
  data,
  type Fields,
  frame,
  headers,
  reset,
  settings,
  uint32,
  windowUpdate,
} from "../../support/frame-server.ts";
import { startHttp2Front } from "../../support/http2-front.ts";
import { recordingUpstream } from "../../support/recording-upstream.ts";

const rounds = 400;

/** What a client could send, some of it malformed. */
function conversation(random: Random): Buffer[] {
  const pick = <Value>(values: readonly Value[]) => values[Math.floor(random() * values.length)] as Value;
  const names: Fields = [
    ["x-one", "1"],
    ["cookie", "a=b"],
    ["te", "trailers"],
    ["content-length", pick(["0", "3", "5", "x"])],
  ];
  const frames: Buffer[] = [settings(4, pick([0, 1, 65_535, 1_000_000]))];
  for (let stream = 1; stream < 20; stream += pick([2, 2, 2, 4, 1])) {
    const fields = requestFields(
      pick(["/", "/a?b", "", "*"]),
      random() < 0.5 ? [pick(names)] : [],
      pick(["GET", "POST", "HEAD", "CONNECT"]),
    );
    const bytes = block(...fields);
    frames.push(
      ...pick<() => Buffer[]>([
        () => [headers(stream, bytes, { endStream: true })],
        () => [headers(stream, bytes), data(stream, "hello", true)],
        () => [headers(stream, bytes), data(stream, "hel"), headers(stream, [["x-sum", "1"]], { endStream: true })],
        () => [
          headers(stream, bytes.subarray(0, 9), { endStream: true, endHeaders: false }),
          continuation(stream, bytes.subarray(9)),
        ],
        () => [headers(stream, bytes), reset(stream, 8)],
        () => [headers(stream, bytes), windowUpdate(stream, pick([0, 1, 70_000, 2 ** 31 - 1]))],
        () => [
          headers(stream, bytes),
          frame(frameType.data, flag.padded, stream, Buffer.from([pick([0, 2, 9]), 1, 2])),
        ],
        () => [frame(frameType.priority, 0, stream, Buffer.concat([uint32(pick([0, stream])), Buffer.from([1])]))],
        () => [frame(frameType.ping, 0, 0, "12345678"), settings(1, pick([0, 100, 4_096]))],
      ])(),
    );
  }
  return frames;
}

/** Changes a few bytes, or the order of frames. */
function mutate(frames: Buffer[], random: Random): Buffer {
  const at = () => Math.floor(random() * frames.length);
  for (let count = Math.floor(random() * 4); count > 0; count--) {
    const kind = random();
    const index = at();
    const one = frames[index] as Buffer;
    if (kind < 0.3) frames.splice(at(), 0, one);
    else if (kind < 0.5) frames.splice(index, 1);
    else if (kind < 0.6) frames[index] = one.subarray(0, Math.floor(random() * one.length));
    else if (one.length > 0) {
      const copy = Buffer.from(one);
      copy[Math.floor(random() * copy.length)] = Math.floor(random() * 256);
      frames[index] = copy;
    }
    if (frames.length === 0) break;
  }
  return Buffer.concat(frames);
}

test(`${rounds} conversations with mutations end in order, and the upstream receives well-formed requests alone`, async () => {
  const upstream = await recordingUpstream();
  const front = await startHttp2Front({ upstreams: [upstream.url] });
  const other = await FrameClient.to({ port: front.port });
  for (let seed = 1; seed <= rounds; seed++) {
    const random = seededRandom(seed);
    const bytes = mutate(conversation(random), random);
    const client = await FrameClient.to({ port: front.port, greeting: preface, acknowledges: false });
    for (let start = 0; start < bytes.length; ) {
      const end = Math.min(bytes.length, start + 1 + Math.floor(random() * 200));
      client.send(bytes.subarray(start, end));
      if (random() < 0.3) await turns(1);
      start = end;
    }
    await turns(3);
    client.socket.destroy();
    // The connections of other clients go on.
    other.send(headers(2 * seed - 1, requestFields(`/${seed}`), { endStream: true }));
    const response = await other.over(2 * seed - 1);
    expect([seed, response.status, response.complete]).toEqual([seed, 200, true]);
  }
  await front.until(() => front.closed === rounds);
  expect(upstream.violations).toEqual([]);
  expect(front.connections.filter(({ idle }) => !idle)).toEqual([]);
}, 120_000);
