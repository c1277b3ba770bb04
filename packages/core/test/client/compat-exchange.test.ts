import { createServer, type Http2ServerResponse, type ServerHttp2Session } from "node:http2";
import type { AddressInfo } from "node:net";
import { connect } from "node:net";
import { onTestFinished } from "vitest";
import { CompatExchange } from "../../src/client/node-http2/compat-exchange.ts";
import { systemClock } from "../../src/runtime/clock.ts";
import { clientExchangeContract } from "../contract/client-exchange-contract.ts";
import { http11Traits, type OpenedExchange, type RequestSketch } from "../contract/client-exchange-harness.ts";
import { FrameClient } from "../support/frame-client.ts";
import { headers } from "../support/frame-server.ts";
import { FrameTestClient, sketchFields } from "../support/frame-test-client.ts";

interface Handed {
  readonly exchange: CompatExchange;
  readonly res: Http2ServerResponse;
}

/** A server of node:http2 that hands over its first request, gone when the test has ended. */
async function serve(): Promise<{ readonly port: number; readonly handed: Promise<Handed> }> {
  const server = createServer();
  const sessions: ServerHttp2Session[] = [];
  server.on("session", (session) => void sessions.push(session));
  const handed = new Promise<Handed>((resolve) => {
    for (const event of ["request", "checkContinue"]) {
      server.on(event, (req, res) => resolve({ exchange: new CompatExchange(req, res, systemClock), res }));
    }
  });
  server.listen(0, "127.0.0.1");
  await new Promise((resolve) => {
    server.once("listening", resolve);
  });
  onTestFinished(() => {
    for (const session of sessions) session.destroy();
    server.close();
  });
  return { port: (server.address() as AddressInfo).port, handed };
}

async function open(sketch: RequestSketch): Promise<OpenedExchange> {
  const { port, handed } = await serve();
  const frames = await FrameClient.over(connect({ port, host: "127.0.0.1", allowHalfOpen: true }), "connect");
  const client = new FrameTestClient(frames, sketch, false);
  frames.send(headers(1, sketchFields(sketch, false), { endStream: client.requestEnded }));
  const { exchange, res } = await handed;
  return { exchange, client, respondAsApp: (status) => void res.writeHead(status).end() };
}

clientExchangeContract("node:http2, the compatibility API", {
  traits: {
    ...http11Traits,
    httpVersion: "2.0",
    hasConnection: false,
    keepsLetterCase: false,
    keepsFieldOrder: false,
    hasReasonPhrase: false,
    // Node resets the stream by itself.
    hasChunks: false,
    respondsToMalformed: false,
    hasAppInFront: true,
  },
  open,
});
