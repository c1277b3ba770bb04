import { connect } from "node:net";
import { connect as connectSecurely } from "node:tls";
import { onTestFinished } from "vitest";
import type { ClientExchange } from "../../../src/client/client-exchange.ts";
import { clientExchangeContract } from "../../contract/client-exchange-contract.ts";
import { http11Traits, type OpenedExchange, type RequestSketch } from "../../contract/client-exchange-harness.ts";
import { ownServer } from "../../support/own-server.ts";
import { StrictClient } from "../../support/raw-client.ts";
import { requestBytes, SocketTestClient } from "../../support/socket-test-client.ts";

interface Variant {
  readonly httpVersion?: string;
  readonly secure?: boolean;
  readonly headers?: readonly string[];
}

async function open(sketch: RequestSketch, variant: Variant = {}): Promise<OpenedExchange> {
  const { httpVersion = "1.1", secure = false, headers = [] } = variant;
  let hand: (exchange: ClientExchange) => void = () => {};
  const handed = new Promise<ClientExchange>((resolve) => {
    hand = resolve;
  });
  const { port, close } = await ownServer(
    { onRequest: hand, onHandshake: hand, onMalformed: (exchange) => exchange.cutOff() },
    { secure },
  );
  onTestFinished(close);
  const to = { port, host: "127.0.0.1", allowHalfOpen: true };
  const strict = secure
    ? await StrictClient.over(connectSecurely({ ...to, rejectUnauthorized: false }), "secureConnect")
    : await StrictClient.over(connect(to), "connect");
  onTestFinished(() => void strict.socket.destroy());
  strict.socket.write(requestBytes({ ...sketch, headers: [...headers, ...(sketch.headers ?? [])] }, httpVersion));
  return { exchange: await handed, client: new SocketTestClient(strict, sketch), respondAsApp: undefined };
}

const traits = { ...http11Traits, hasAppInFront: false };

clientExchangeContract("our own server, HTTP/1.1", { traits, open });

clientExchangeContract("our own server, HTTP/1.0", {
  traits: { ...traits, httpVersion: "1.0", hasChunks: false, hasTrailers: false, hasInterimResponses: false },
  open: (sketch) => open(sketch, { httpVersion: "1.0" }),
});

clientExchangeContract("our own server, HTTP/1.1 over TLS", {
  traits: { ...traits, encrypted: true },
  open: (sketch) => open(sketch, { secure: true }),
});

clientExchangeContract("our own server, a handshake", {
  traits: { ...traits, isUpgrade: true, hasRequestBodies: false, hasChunks: false },
  open: (sketch) => open(sketch, { headers: ["Connection", "Upgrade", "Upgrade", "websocket"] }),
});
