import { expect, test } from "vitest";
import { frameType } from "../../../src/http2/protocol.ts";
import { setting } from "../../../src/http2/settings.ts";
import { ask } from "../../support/exchanges.ts";
import { frameServer, respond, settings } from "../../support/frame-server.ts";
import { h2cTransport } from "../../support/http2-transports.ts";

test("a table of fields that is emptied and grown again by one SETTINGS frame is announced with both sizes", async () => {
  const upstream = await frameServer({
    onRequest: ({ peer, id }) => {
      if (id === 1) peer.send(settings(setting.headerTableSize, 0, setting.headerTableSize, 4_096));
      peer.send(respond(id));
    },
  });
  const transport = h2cTransport(upstream.port);
  await ask(transport, "/1").ended();
  await ask(transport, "/2").ended();
  const [, second] = upstream.peers[0]?.of(frameType.headers) ?? [];
  // RFC 7541 section 6.3: 0, and then 4096.
  expect(second?.payload.subarray(0, 4)).toEqual(Buffer.from([0x20, 0x3f, 0xe1, 0x1f]));
});
