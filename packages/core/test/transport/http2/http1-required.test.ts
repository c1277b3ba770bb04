import { expect, test } from "vitest";
import { errorCode } from "../../../src/http2/protocol.ts";
import { cert, key } from "../../support/certificates.ts";
import { ask } from "../../support/exchanges.ts";
import { frameServer, reset, respond } from "../../support/frame-server.ts";
import { alpnTransport } from "../../support/http2-transports.ts";

test("an upstream that requires HTTP/1.1 for one request and does not offer it gets the others over HTTP/2", async () => {
  const upstream = await frameServer({
    tls: { cert, key, ALPNProtocols: ["h2"] },
    onRequest: ({ peer, id, fields }) =>
      peer.send(fields.includes("/required") ? reset(id, errorCode.http11Required) : respond(id, "served")),
  });
  const transport = alpnTransport(upstream.port);
  expect((await ask(transport, "/required").ended()).failure).toMatchObject({ code: "reset", sent: false });
  // It has said so, and is believed once.
  expect((await ask(transport, "/required").ended()).failure).toMatchObject({ code: "tls_failed", sent: false });
  expect(await ask(transport, "/").ended()).toMatchObject({ phase: "complete", body: "served" });
  expect((await ask(transport, "/required").ended()).failure).toMatchObject({ code: "reset", sent: false });
  expect(await ask(transport, "/").ended()).toMatchObject({ phase: "complete", body: "served" });
});
