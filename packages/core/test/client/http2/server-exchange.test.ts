import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { connect as connectSecurely, createServer as createTlsServer } from "node:tls";
import { onTestFinished } from "vitest";
import type { ClientExchange } from "../../../src/client/client-exchange.ts";
import { Http2ServerConnection } from "../../../src/client/http2/http2-server-connection.ts";
import type { RequestSink } from "../../../src/client/server/request-sink.ts";
import { systemClock } from "../../../src/runtime/clock.ts";
import { clientExchangeContract } from "../../contract/client-exchange-contract.ts";
import {
  type ClientExchangeTraits,
  http11Traits,
  type OpenedExchange,
  type RequestSketch,
} from "../../contract/client-exchange-harness.ts";
import { cert, key } from "../../support/certificates.ts";
import { FrameClient } from "../../support/frame-client.ts";
import { headers } from "../../support/frame-server.ts";
import { FrameTestClient, sketchFields } from "../../support/frame-test-client.ts";
import { serverLimits } from "../../support/server-limits.ts";

/** A server that hands over its first request, gone when the test has ended. */
async function serve(secure: boolean): Promise<{ readonly port: number; readonly handed: Promise<ClientExchange> }> {
  let server = createServer();
  const sockets: Socket[] = [];
  const handed = new Promise<ClientExchange>((resolve) => {
    const sink: RequestSink = { onRequest: resolve, onHandshake: resolve, onMalformed: resolve };
    const accept = (socket: Socket) => {
      sockets.push(socket);
      const { remoteAddress } = socket;
      const common = {
        sink,
        clock: systemClock,
        limits: serverLimits,
        early: undefined,
        refusal: undefined,
        onClosed: () => {},
      };
      new Http2ServerConnection(socket, { ...common, remoteAddress, encrypted: secure });
    };
    const options = { allowHalfOpen: true, noDelay: true };
    server = secure
      ? createTlsServer({ ...options, cert, key, ALPNProtocols: ["h2"] }, accept)
      : createServer(options, accept);
    server.listen(0, "127.0.0.1");
  });
  await new Promise((resolve) => {
    server.once("listening", resolve);
  });
  onTestFinished(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return { port: (server.address() as AddressInfo).port, handed };
}

async function open(
  sketch: RequestSketch,
  variant: { secure?: boolean; webSocket?: boolean } = {},
): Promise<OpenedExchange> {
  const { secure = false, webSocket = false } = variant;
  const { port, handed } = await serve(secure);
  const to = { port, host: "127.0.0.1", allowHalfOpen: true };
  const frames = secure
    ? await FrameClient.over(
        connectSecurely({ ...to, rejectUnauthorized: false, ALPNProtocols: ["h2"] }),
        "secureConnect",
      )
    : await FrameClient.over(connect(to), "connect");
  const client = new FrameTestClient(frames, sketch, webSocket);
  frames.send(headers(1, sketchFields(sketch, webSocket), { endStream: client.requestEnded }));
  if (sketch.early !== undefined) client.sendRaw(sketch.early);
  return { exchange: await handed, client, respondAsApp: undefined };
}

const http2Traits: ClientExchangeTraits = {
  ...http11Traits,
  httpVersion: "2.0",
  hasConnection: false,
  keepsLetterCase: false,
  hasReasonPhrase: false,
  respondsToMalformed: false,
  hasAppInFront: false,
};

clientExchangeContract("our own HTTP/2", { traits: http2Traits, open });

clientExchangeContract("our own HTTP/2 over TLS", {
  traits: { ...http2Traits, encrypted: true },
  open: (sketch) => open(sketch, { secure: true }),
});

clientExchangeContract("our own HTTP/2, a WebSocket handshake", {
  traits: { ...http2Traits, isUpgrade: true, upgradeStatus: 200, hasRequestBodies: false, hasChunks: false },
  open: (sketch) => open(sketch, { webSocket: true }),
});
