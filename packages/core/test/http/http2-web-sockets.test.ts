import type { Socket } from "node:net";
import { describe, expect, test } from "vitest";
import { errorCode } from "../../src/http2/protocol.ts";
import { until } from "../support/event-loop.ts";
import { FrameClient } from "../support/frame-client.ts";
import { data, type Fields, headers, reset } from "../support/frame-server.ts";
import { startHttp2Front } from "../support/http2-front.ts";
import { startUpstream } from "../support/start-upstream.ts";
import { startEcho } from "../support/web-sockets.ts";

const connectFields = (more: Fields = []): Fields => [
  [":method", "CONNECT"],
  [":protocol", "websocket"],
  [":scheme", "http"],
  [":path", "/chat?a=1"],
  [":authority", "shop.example"],
  ["sec-websocket-version", "13"],
  ...more,
];

/** A frame of a WebSocket from its client, with a mask of zeros. */
function masked(opcode: number, payload: string | Buffer): Buffer {
  const bytes = Buffer.from(payload);
  return Buffer.concat([Buffer.from([0x80 | opcode, 0x80 | bytes.length, 0, 0, 0, 0]), bytes]);
}

async function lab() {
  const upstream = await startEcho();
  const front = await startHttp2Front({ upstreams: [upstream.url] });
  const client = await FrameClient.to({ port: front.port });
  return { upstream, front, client };
}

describe("a WebSocket over HTTP/2", () => {
  test("is a handshake of HTTP/1.1 to the upstream, and a tunnel", async () => {
    const { upstream, front, client } = await lab();
    client.send(
      headers(
        1,
        connectFields([
          ["sec-websocket-protocol", "a, b"],
          ["origin", "http://shop.example"],
        ]),
      ),
    );
    await client.until(() => client.response(1).status !== 0);
    const { status, headers: fields } = client.response(1);
    expect(status).toBe(200);
    const names = fields.filter((_, index) => index % 2 === 0);
    expect(names).not.toContain("sec-websocket-accept");
    expect(names).not.toContain("upgrade");
    expect(names).not.toContain("connection");
    expect(fields[fields.indexOf("sec-websocket-protocol") + 1]).toBe("b");

    client.send(data(1, masked(1, "hello")));
    await client.until(() => client.response(1).body.length === 7);
    expect(client.response(1).body.subarray(2).toString()).toBe("hello");

    const [received] = upstream.received;
    expect([received?.method, received?.url]).toEqual(["GET", "/chat?a=1"]);
    expect(received?.headers).toMatchObject({
      host: "shop.example",
      upgrade: "websocket",
      connection: "Upgrade",
      "sec-websocket-version": "13",
      "sec-websocket-protocol": "a, b",
      origin: "http://shop.example",
    });
    expect(received?.headers["sec-websocket-key"]).toMatch(/^[A-Za-z0-9+/]{22}==$/);

    // A closing handshake, and then END_STREAM on both sides.
    client.send(data(1, masked(8, Buffer.from([0x03, 0xe8]))));
    await client.until(() => client.response(1).complete);
    client.send(data(1, "", true));
    await front.until(() => front.requests.length === 1);
    expect(front.requests[0]).toMatchObject({ status: 101, protocol: "HTTP/2.0", url: "/chat?a=1" });
    expect(client.response(1).resetCode).toBeUndefined();
    expect(front.connections[0]?.idle).toBe(true);
  });

  test("has a key of its own each, and no client's", async () => {
    const { upstream, client } = await lab();
    const own = "dGhlIHNhbXBsZSBub25jZQ==";
    for (const id of [1, 3]) client.send(headers(id, connectFields([["sec-websocket-key", own]])));
    await client.until(() => client.response(1).status === 200 && client.response(3).status === 200);
    const keys = upstream.received.map(({ headers: fields }) => fields["sec-websocket-key"]);
    expect(new Set([own, ...keys]).size).toBe(3);
    client.send(reset(1, 8), reset(3, 8));
  });

  test("shares its connection with requests, and keeps data that was sent early", async () => {
    const upstream = await startEcho();
    upstream.answer = (_req, res) => void res.end("ok");
    const front = await startHttp2Front({ upstreams: [upstream.url] });
    const client = await FrameClient.to({ port: front.port });
    client.send(headers(1, connectFields()), data(1, masked(1, "early")));
    client.send(
      headers(
        3,
        [
          [":method", "GET"],
          [":scheme", "http"],
          [":path", "/"],
          [":authority", "a"],
        ],
        { endStream: true },
      ),
    );
    expect((await client.over(3)).body.toString()).toBe("ok");
    await client.until(() => client.response(1).body.length === 7);
    expect(client.response(1).body.subarray(2).toString()).toBe("early");
    client.send(reset(1, errorCode.cancel));
    await front.until(() => front.requests.length === 2);
  });

  test("ends at the upstream when the client resets its stream, and the other way round", async () => {
    const sockets: Socket[] = [];
    const upstream = await startEcho();
    upstream.server.on("upgrade", (_req, socket) => void sockets.push(socket as Socket));
    const front = await startHttp2Front({ upstreams: [upstream.url] });
    const client = await FrameClient.to({ port: front.port });
    client.send(headers(1, connectFields()));
    await client.until(() => client.response(1).status === 200);
    client.send(reset(1, errorCode.cancel));
    await until(() => sockets[0]?.destroyed === true);
    client.send(headers(3, connectFields()));
    await client.until(() => client.response(3).status === 200);
    sockets[1]?.resetAndDestroy();
    const { complete, resetCode } = await client.over(3);
    expect([complete, resetCode]).toEqual([false, errorCode.cancel]);
    await front.until(() => front.requests.length === 2);
  });

  test("is refused with the upstream's response", async () => {
    const upstream = await startUpstream("a");
    upstream.server.on("upgrade", (_req, socket) => {
      socket.end("HTTP/1.1 403 Forbidden\r\nContent-Length: 4\r\nX-Why: 1\r\n\r\nnope");
    });
    const front = await startHttp2Front({ upstreams: [upstream.url] });
    const client = await FrameClient.to({ port: front.port });
    client.send(headers(1, connectFields()));
    await client.until(() => client.response(1).complete);
    expect([client.response(1).status, client.response(1).body.toString()]).toEqual([403, "nope"]);
    await front.until(() => front.requests.length === 1);
  });

  test.each<[string, Fields]>([
    ["without its version", connectFields().filter(([name]) => name !== "sec-websocket-version")],
    ["with a body", connectFields([["content-length", "5"]])],
  ])("is a bad request %s", async (_, fields) => {
    const { upstream, client } = await lab();
    client.send(headers(1, fields));
    const response = await client.over(1);
    expect([response.status, upstream.received.length]).toEqual([400, 0]);
  });

  test("takes no trailers", async () => {
    const { client } = await lab();
    client.send(headers(1, connectFields()));
    await client.until(() => client.response(1).status === 200);
    client.send(headers(1, [["x-one", "1"]]));
    expect((await client.over(1)).resetCode).toBe(errorCode.protocolError);
  });

  test("closes with 1001 when the proxy closes", async () => {
    const { front, client } = await lab();
    client.send(headers(1, connectFields()));
    await client.until(() => client.response(1).status === 200);
    const closed = front.proxy.close({ timeout: "0ms" });
    await client.until(() => client.response(1).body.length >= 4);
    expect([...client.response(1).body.subarray(0, 4)]).toEqual([0x88, 2, 0x03, 0xe9]);
    await client.until(() => client.response(1).complete);
    client.send(data(1, masked(8, Buffer.from([0x03, 0xe9])), true));
    await closed;
  });

  test("carries megabytes with the windows of both sides", async () => {
    const { client } = await lab();
    client.send(headers(1, connectFields()));
    await client.until(() => client.response(1).status === 200);
    const message = Buffer.alloc(60_000, "x");
    const head = Buffer.from([0x82, 0xfe, message.length >> 8, message.length & 0xff, 0, 0, 0, 0]);
    for (let round = 1; round <= 40; round++) {
      const bytes = Buffer.concat([head, message]);
      for (let at = 0; at < bytes.length; at += 16_384) client.send(data(1, bytes.subarray(at, at + 16_384)));
      await client.until(() => client.response(1).body.length === round * (message.length + 4));
    }
    client.send(reset(1, errorCode.cancel));
  });
});
