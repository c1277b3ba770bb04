import { expect, test } from "vitest";
import { errorCode, flag, frameType } from "../../../src/http2/protocol.ts";
import { ask } from "../../support/exchanges.ts";
import { frameServer, headers, respond, windowUpdate } from "../../support/frame-server.ts";
import { h2cTransport } from "../../support/http2-transports.ts";

const ping = Buffer.concat([Buffer.from([0, 0, 8, frameType.ping, 0, 0, 0, 0, 0]), Buffer.alloc(8)]);

test("an upload in small pieces, each of which the upstream answers with its windows and a PING, is no flood", async () => {
  const upstream = await frameServer({
    onFrame: ({ type, streamId, payload, flags }, peer) => {
      if (type !== frameType.data || payload.length === 0) return;
      peer.send(windowUpdate(0, payload.length), windowUpdate(streamId, payload.length), ping);
      if ((flags & flag.endStream) !== 0) peer.send(respond(streamId, "received"));
    },
  });
  const body = Array.from({ length: 3_000 }, () => "x");
  const exchange = await ask(h2cTransport(upstream.port), "/", { method: "POST", body, bodyLength: 3_000 }).ended();
  expect(exchange).toMatchObject({ phase: "complete", body: "received" });
  expect(upstream.peers).toHaveLength(1);
});

test("frames that answer no data are still a flood", async () => {
  const upstream = await frameServer({
    onHeaders: ({ peer, id }) =>
      peer.send(headers(id, [[":status", "200"]]), ...Array.from({ length: 5_000 }, () => windowUpdate(id, 1))),
  });
  const exchange = await ask(h2cTransport(upstream.port), "/", { method: "POST", body: "hello" }).ended();
  expect(exchange.failure?.code).toBe("response_truncated");
  await upstream.until(() => upstream.peers[0]?.goawayCode === errorCode.enhanceYourCalm);
});
