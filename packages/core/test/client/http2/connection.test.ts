import { describe, expect, test } from "vitest";
import { errorCode, frameType } from "../../../src/http2/protocol.ts";
import { turns, until } from "../../support/event-loop.ts";
import { FrameClient, preface, requestFields } from "../../support/frame-client.ts";
import { data, frame, goaway, headers, reset, settings, windowUpdate } from "../../support/frame-server.ts";
import { startHttp2Front } from "../../support/http2-front.ts";
import { startRawUpstream, startUpstream, type TestUpstream } from "../../support/start-upstream.ts";
import { VirtualClock } from "../../support/virtual-clock.ts";

const get = (streamId: number, path = "/") => headers(streamId, requestFields(path), { endStream: true });
const post = (streamId: number) => headers(streamId, requestFields("/", [], "POST"));

/** Advances in steps that the ticker takes for punctual, so that no deadline is extended. */
async function pass(clock: VirtualClock, ms: number): Promise<void> {
  clock.advance(ms);
  await turns(5);
}

async function lab(answer?: TestUpstream["answer"], own?: Parameters<typeof startHttp2Front>[1], greeting?: Buffer) {
  const upstream = await startUpstream("a", answer);
  const front = await startHttp2Front({ upstreams: [upstream.url] }, own);
  const client = await FrameClient.to({ port: front.port, ...(greeting && { greeting }) });
  return { upstream, front, client };
}

describe("the windows of a client", () => {
  test("hold a response back, frame by frame", async () => {
    const greeting = Buffer.concat([preface, settings(4, 1)]);
    const { client } = await lab(undefined, undefined, greeting);
    client.readsData = false;
    client.send(get(1));
    await client.until(() => client.response(1).body.length === 1);
    expect(client.response(1).complete).toBe(true);
  });

  test("of 0 let the head pass, and the body later", async () => {
    const greeting = Buffer.concat([preface, settings(4, 0)]);
    const { client } = await lab((_req, res) => void res.end("hello"), undefined, greeting);
    client.readsData = false;
    client.send(get(1));
    await client.until(() => client.response(1).status === 200);
    expect(client.response(1).complete).toBe(false);
    client.send(windowUpdate(1, 2));
    await client.until(() => client.response(1).body.toString() === "he");
    client.send(settings(4, 100));
    expect((await client.over(1)).body.toString()).toBe("hello");
  });

  test("can become negative", async () => {
    const { client } = await lab((_req, res) => void res.end(Buffer.alloc(100_000)));
    client.readsData = false;
    client.send(windowUpdate(0, 1_000_000), get(1));
    await client.until(() => client.response(1).body.length === 65_535);
    client.send(settings(4, 10), windowUpdate(1, 65_525));
    await turns(20);
    expect(client.response(1).body.length).toBe(65_535);
    client.send(windowUpdate(1, 34_465));
    await client.until(() => client.response(1).complete);
    expect(client.response(1).body.length).toBe(100_000);
  });

  test("are shared by streams, one frame each in turn", async () => {
    const { client } = await lab((_req, res) => void res.end(Buffer.alloc(60_000)));
    client.readsData = false;
    client.send(get(1), get(3), get(5));
    await client.until(() => [1, 3, 5].every((id) => client.response(id).status === 200));
    await turns(20);
    client.send(windowUpdate(0, 1_000_000));
    await client.until(() => [1, 3, 5].every((id) => client.response(id).complete));
    expect([1, 3, 5].map((id) => client.response(id).body.length)).toEqual([60_000, 60_000, 60_000]);
  });

  test("that stay shut end a response that waits", async () => {
    const clock = new VirtualClock();
    const greeting = Buffer.concat([preface, settings(4, 0)]);
    const { client, front } = await lab(undefined, { clock, limits: { sendMs: 1_000 } }, greeting);
    client.send(get(1));
    await client.until(() => client.response(1).status === 200);
    await pass(clock, 900);
    expect(client.response(1).resetCode).toBeUndefined();
    await pass(clock, 200);
    expect((await client.over(1)).resetCode).toBe(errorCode.cancel);
    await front.until(() => front.requests.length === 1);
    expect(front.requests[0]?.error).toBe("client_aborted");
  });
});

describe("a response", () => {
  test("that breaks off is reset, and not ended", async () => {
    const upstream = await startRawUpstream((socket) => {
      socket.write("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello");
      setTimeout(() => socket.destroy(), 20);
    });
    const front = await startHttp2Front({ upstreams: [upstream.url] });
    const client = await FrameClient.to({ port: front.port });
    client.send(get(1));
    const { status, body, complete, resetCode } = await client.over(1);
    expect([status, body.toString(), complete, resetCode]).toEqual([200, "hello", false, errorCode.internalError]);
    await front.until(() => front.requests.length === 1);
    expect(front.requests[0]).toMatchObject({ error: "response_truncated", flags: ["truncated"] });
  });

  test("to a request that is not read to its end is whole, and then the stream is reset without an error", async () => {
    const { client } = await lab((_req, res) => void res.writeHead(413, { Connection: "close" }).end("too large"));
    client.send(post(1), data(1, "some"));
    await client.until(() => client.response(1).resetCode !== undefined);
    const { status, body, complete, resetCode } = client.response(1);
    expect([status, body.toString(), complete, resetCode]).toEqual([413, "too large", true, errorCode.noError]);
  });

  test("in front of the end of its request lets go what of it is still on its way", async () => {
    const { client } = await lab((_req, res) => void res.writeHead(413, { Connection: "close" }).end("too large"));
    client.send(post(1), data(1, "some"));
    await client.until(() => client.response(1).resetCode !== undefined);
    client.send(data(1, "more"), data(1, "", false), headers(1, [["x-one", "1"]], { endStream: true }), get(3));
    expect((await client.over(3)).status).toBe(413);
    expect(client.goaways).toEqual([]);
  });

  test("in front of the end of its request is remembered, however many streams have ended since", async () => {
    const { client } = await lab((req, res) => void res.writeHead(req.method === "PUT" ? 413 : 200).end());
    client.send(headers(1, requestFields("/", [], "PUT")), data(1, "some"));
    await client.until(() => client.response(1).resetCode !== undefined);
    for (let id = 3; id < 603; id += 200) {
      const ids = Array.from({ length: 100 }, (_, index) => id + 2 * index);
      client.send(...ids.map((one) => get(one)));
      await client.until(() => ids.every((one) => client.response(one).complete));
    }
    client.send(data(1, "more"), get(603));
    expect((await client.over(603)).status).toBe(200);
    expect(client.goaways).toEqual([]);
  });

  test.each([
    ["HEAD", 200],
    ["GET", 204],
    ["GET", 304],
  ])("to %s with status %i ends with its head", async (method, status) => {
    const { client } = await lab((_req, res) => void res.writeHead(status, { ETag: "1" }).end());
    client.send(headers(1, requestFields("/", [], method), { endStream: true }));
    expect((await client.over(1)).status).toBe(status);
    expect(client.of(frameType.headers, 1).map(({ flags }) => flags & 1)).toEqual([1]);
    expect(client.of(frameType.data, 1)).toEqual([]);
  });

  test("leaves with those of the same turn in one write", async () => {
    const { client, front } = await lab();
    // Refused at once, so that all are responses of one turn.
    client.send(...[1, 3, 5, 7].map((id) => headers(id, requestFields("/", [], "TRACE"), { endStream: true })));
    await client.until(() => [1, 3, 5, 7].every((id) => client.response(id).complete));
    expect(front.requests.length).toBe(4);
  });

  test("has its usual fields in the table of the connection", async () => {
    const { client } = await lab((_req, res) => {
      res.writeHead(200, {
        "Content-Type": "application/json",
        "Cache-Control": "no-store",
        "X-Frame-Options": "DENY",
      });
      res.end();
    });
    client.send(get(1));
    await client.over(1);
    client.send(get(3));
    await client.over(3);
    const [first, second] = client.of(frameType.headers).map(({ payload }) => payload.length) as [number, number];
    expect(second).toBeLessThan(first / 2);
  });
});

describe("a client that cancels", () => {
  test("ends the request to the upstream, and the connection goes on", async () => {
    let aborted = false;
    const { client, front, upstream } = await lab((req, res) => {
      if (req.url === "/after") return void res.end("ok");
      res.on("close", () => {
        aborted = true;
      });
      res.write("hello");
    });
    client.send(get(1));
    await client.until(() => client.response(1).body.length === 5);
    client.send(reset(1, errorCode.cancel));
    await until(() => aborted);
    client.send(get(3, "/after"));
    expect((await client.over(3)).status).toBe(200);
    await front.until(() => front.requests.length === 2);
    expect(front.requests[0]).toMatchObject({ status: 499, error: "client_aborted" });
    expect(upstream.received.length).toBe(2);
  });

  test("before anything was sent causes no request to the upstream", async () => {
    const { client, upstream } = await lab();
    client.send(get(1), reset(1, errorCode.cancel), get(3, "/after"));
    expect((await client.over(3)).status).toBe(200);
    expect(upstream.received.map(({ url }) => url)).toEqual(["/after"]);
  });
});

describe("a stream beyond the limit", () => {
  test("is refused and not forwarded, and may be sent again", async () => {
    const { client, upstream } = await lab(() => {}, { limits: { maxConcurrentStreams: 2 } });
    expect(client.of(frameType.settings).length).toBeLessThanOrEqual(1);
    client.send(get(1), get(3), get(5));
    expect((await client.over(5)).resetCode).toBe(errorCode.refusedStream);
    await until(() => upstream.received.length === 2);
    const [first] = client.of(frameType.settings);
    expect(first?.payload.readUInt16BE(0)).toBe(3);
    expect(first?.payload.readUInt32BE(2)).toBe(2);
  });
});

describe("a connection that drains", () => {
  test("announces it, serves what is on its way, and closes with its last stream", async () => {
    const responses: (() => void)[] = [];
    const { client, front } = await lab((_req, res) => void responses.push(() => res.end("ok")));
    client.send(get(1));
    await until(() => responses.length === 1);
    front.connections[0]?.closeAfterResponses();
    // The client has not seen it yet.
    client.send(get(3));
    await client.until(() => client.goaways.length === 2);
    expect(client.goaways).toEqual([
      { last: 2 ** 31 - 1, code: 0 },
      { last: 3, code: 0 },
    ]);
    // Behind the last stream nothing is started.
    client.send(get(5, "/late"));
    await until(() => responses.length === 2);
    for (const respond of responses) respond();
    expect([(await client.over(1)).status, (await client.over(3)).status]).toEqual([200, 200]);
    await front.until(() => front.closed === 1);
    expect([client.ended, front.requests.length]).toEqual([true, 2]);
  });

  test("closes when it is idle", async () => {
    const { client, front } = await lab();
    client.send(get(1));
    await client.over(1);
    front.connections[0]?.closeAfterResponses();
    await client.until(() => client.ended);
    expect(client.goaways.map(({ last }) => last)).toEqual([2 ** 31 - 1, 1, 1].slice(0, client.goaways.length));
  });

  test("closes with its last stream when the client drains it", async () => {
    const responses: (() => void)[] = [];
    const { client } = await lab((_req, res) => void responses.push(() => res.end("ok")));
    client.send(get(1), goaway(0));
    client.send(get(3));
    await until(() => responses.length === 2);
    for (const respond of responses) respond();
    expect([(await client.over(1)).status, (await client.over(3)).status]).toEqual([200, 200]);
    await client.until(() => client.ended);
    expect(client.goawayCode).toBe(0);
  });

  test("does so after its last request", async () => {
    const { client, upstream } = await lab(undefined, { limits: { requestsPerConnection: 2 } });
    client.send(get(1), get(3));
    expect([(await client.over(1)).status, (await client.over(3)).status]).toEqual([200, 200]);
    await client.until(() => client.ended);
    expect(upstream.received.length).toBe(2);
  });

  test("ends at once when it is destroyed, and no response passes for complete", async () => {
    const { client, front } = await lab((_req, res) => void res.write("hello"));
    client.send(get(1));
    await client.until(() => client.response(1).body.length === 5);
    front.connections[0]?.destroy();
    expect((await client.over(1)).complete).toBe(false);
    await front.until(() => front.requests.length === 1);
    expect(front.requests[0]?.status).toBe(499);
  });

  test("is closed if it is unused, and only then", async () => {
    const { client, front } = await lab((_req, res) => void setTimeout(() => res.end("ok"), 20));
    client.send(get(1));
    await until(() => front.connections[0]?.idle === false);
    front.connections[0]?.closeIfUnused();
    expect((await client.over(1)).status).toBe(200);
    front.connections[0]?.closeIfUnused();
    await client.until(() => client.ended);
    expect(client.goawayCode).toBe(0);
  });
});

describe("time", () => {
  test("is limited for the preface", async () => {
    const clock = new VirtualClock();
    const { client } = await lab(undefined, { clock, limits: { requestHeadersMs: 1_000 } }, preface.subarray(0, 10));
    await turns(20);
    await pass(clock, 1_100);
    await client.until(() => client.ended);
    expect(client.goawayCode).toBe(errorCode.protocolError);
  });

  test("is limited for a header block, however it trickles in", async () => {
    const clock = new VirtualClock();
    const { client } = await lab(undefined, { clock, limits: { requestHeadersMs: 1_000 } });
    // The acknowledgement of the settings must not be within the block.
    await client.until(() => client.of(frameType.windowUpdate).length > 0);
    client.send(headers(1, requestFields(), { endHeaders: false }));
    await turns(20);
    await pass(clock, 900);
    client.send(frame(frameType.continuation, 0, 1, ""));
    await turns(20);
    await pass(clock, 200);
    await client.until(() => client.ended);
    expect(client.goawayCode).toBe(errorCode.enhanceYourCalm);
  });

  test("is limited between requests, and not while one is in flight", async () => {
    const clock = new VirtualClock();
    const own = { clock, limits: { keepAliveMs: 5_000 } };
    const responses: (() => void)[] = [];
    const { client } = await lab((_req, res) => void responses.push(() => res.end("ok")), own);
    client.send(get(1));
    await until(() => responses.length === 1);
    await pass(clock, 10_000);
    expect(client.ended).toBe(false);
    responses[0]?.();
    await client.over(1);
    await turns(5);
    await pass(clock, 4_900);
    expect(client.ended).toBe(false);
    await pass(clock, 200);
    await client.until(() => client.ended);
    expect(client.goawayCode).toBe(0);
  });
});

test("a connection whose requests are refused says so, and closes", async () => {
  const { client, upstream, front } = await lab(undefined, { refusal: "connection_limit" });
  client.send(get(1), get(3));
  const { status } = await client.over(1);
  expect(status).toBe(503);
  await client.until(() => client.ended);
  expect([upstream.received.length, front.requests.length, client.goaways[0]?.last]).toEqual([0, 1, 1]);
});

test("bodies that are not read do not stop the other streams of a connection", async () => {
  const onRequest = ({ method }: { readonly method: string }) =>
    method === "POST" ? new Promise<undefined>(() => {}) : undefined;
  const { client } = await lab(undefined, { surroundings: { onRequest } });
  const send = uploader(client);
  for (let id = 1; id < 201; id += 2) {
    client.send(post(id));
    await send(id, 65_535);
  }
  client.send(headers(201, requestFields("/", [], "PUT")));
  await send(201, 60_000);
  client.send(data(201, "", true));
  expect((await client.over(201)).status).toBe(200);
});

test("bodies that an upstream does not read on do not stop the other streams of a connection", async () => {
  const upstream = await startRawUpstream((socket) => void socket.pause());
  const other = await startUpstream("b");
  const front = await startHttp2Front({
    pools: { slow: { upstreams: [upstream.url] }, other: { upstreams: [other.url] } },
    routes: [
      { path: "/slow", pool: "slow" },
      { path: "/", pool: "other" },
    ],
  });
  const client = await FrameClient.to({ port: front.port });
  const send = uploader(client);
  // Each stream takes all that its window allows, until the sockets to the upstream are full.
  const ids = Array.from({ length: 40 }, (_, index) => 2 * index + 1);
  for (const id of ids) client.send(headers(id, requestFields("/slow", [], "POST")));
  for (let quiet = 0; quiet < 20; quiet++) {
    for (const id of ids) if (send.room(id) > 0) quiet = 0;
    for (const id of ids) await send(id, send.room(id));
    await turns(20);
  }
  client.send(headers(101, requestFields("/", [], "PUT")));
  await send(101, 65_535);
  client.send(data(101, "", true));
  expect((await client.over(101)).status).toBe(200);
}, 30_000);

/** Sends zeros as the windows of a stream and the connection allow. */
function uploader(client: FrameClient) {
  const sent = new Map<number, number>();
  const granted = (id: number) =>
    client.of(frameType.windowUpdate, id).reduce((sum, { payload }) => sum + payload.readUInt32BE(0), 65_535);
  const room = (id: number) => granted(id) - (sent.get(id) ?? 0);
  const send = async (id: number, bytes: number) => {
    for (let left = bytes; left > 0; ) {
      const length = Math.min(left, 16_384);
      await client.until(() => room(0) >= length && room(id) >= length);
      client.send(data(id, Buffer.alloc(length)));
      for (const key of [0, id]) sent.set(key, (sent.get(key) ?? 0) + length);
      left -= length;
    }
  };
  return Object.assign(send, { room });
}

describe("a request whose Content-Length is 0", () => {
  test("and that does not end is timed out", async () => {
    const clock = new VirtualClock();
    const { client, front, upstream } = await lab(undefined, { clock, limits: { requestHeadersMs: 1_000 } });
    client.send(headers(1, requestFields("/", [["content-length", "0"]], "POST")));
    await front.until(() => front.connections.length === 1);
    await turns(20);
    await pass(clock, 900);
    expect(client.response(1).resetCode).toBeUndefined();
    await pass(clock, 200);
    expect((await client.over(1)).status).toBe(408);
    await front.until(() => front.requests.length === 1);
    expect([front.requests[0]?.error, upstream.received.length]).toEqual(["request_timeout", 0]);
  });

  test("and that has a body is one request, which is refused", async () => {
    const { client, front, upstream } = await lab();
    client.send(headers(1, requestFields("/", [["content-length", "0"]], "POST")), data(1, "body", true), get(3));
    expect((await client.over(1)).resetCode).toBe(errorCode.protocolError);
    expect((await client.over(3)).status).toBe(200);
    await front.until(() => front.requests.length >= 2);
    expect([front.requests.length, upstream.received.length]).toEqual([2, 1]);
  });

  test("is forwarded when it ends in time, and has no timeout any more", async () => {
    const clock = new VirtualClock();
    const { client, front } = await lab(undefined, { clock, limits: { requestHeadersMs: 1_000 } });
    client.send(headers(1, requestFields("/", [["content-length", "0"]], "POST")));
    await front.until(() => front.connections.length === 1);
    await turns(20);
    await pass(clock, 900);
    client.send(data(1, "", true));
    expect((await client.over(1)).status).toBe(200);
    await pass(clock, 200);
    client.send(get(3));
    expect((await client.over(3)).status).toBe(200);
  });
});
