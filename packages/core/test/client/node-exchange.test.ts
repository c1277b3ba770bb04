import { readFileSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createSecureServer } from "node:https";
import { type AddressInfo, connect } from "node:net";
import { connect as connectSecurely } from "node:tls";
import { onTestFinished } from "vitest";
import { connectionOf } from "../../src/client/node/node-connection.ts";
import { NodeExchange } from "../../src/client/node/node-exchange.ts";
import { handleParseError } from "../../src/client/node/parse-errors.ts";
import { createUpgradeExchange } from "../../src/client/node/upgrade-exchange.ts";
import { systemClock } from "../../src/runtime/clock.ts";
import { clientExchangeContract } from "../contract/client-exchange-contract.ts";
import type { ClientExchangeTraits, OpenedExchange, RequestSketch } from "../contract/client-exchange-harness.ts";
import { StrictClient } from "../support/raw-client.ts";
import { requestBytes, SocketTestClient } from "../support/socket-test-client.ts";

const certificates = new URL("../support/certs/", import.meta.url);

interface Handed {
  readonly exchange: NodeExchange;
  readonly res: ServerResponse | undefined;
}

/** A server that hands over its first request, gone when the test has ended. */
async function serve(server: Server): Promise<{ readonly port: number; readonly handed: Promise<Handed> }> {
  const handed = new Promise<Handed>((resolve) => {
    const onRequest = (req: IncomingMessage, res: ServerResponse) => {
      resolve({ exchange: new NodeExchange(req, res, connectionOf(req.socket), systemClock), res });
    };
    server.on("request", onRequest).on("checkContinue", onRequest);
    server.on("clientError", (error, socket) => handleParseError(error, socket, systemClock, () => {}));
    server.on("upgrade", (req, socket, head) => {
      const options = { clock: systemClock, headers: undefined, responseHeaders: undefined };
      const exchange = createUpgradeExchange(req, socket, head, options);
      if (exchange !== undefined) resolve({ exchange, res: undefined });
    });
  });
  server.listen(0, "127.0.0.1");
  await new Promise((resolve) => {
    server.once("listening", resolve);
  });
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  return { port: (server.address() as AddressInfo).port, handed };
}

interface Variant {
  readonly httpVersion?: string;
  readonly secure?: boolean;
  readonly headers?: readonly string[];
}

async function open(sketch: RequestSketch, variant: Variant = {}): Promise<OpenedExchange> {
  const { httpVersion = "1.1", secure = false, headers = [] } = variant;
  const { port, handed } = await serve(secure ? createSecureServer(certificate()) : createServer());
  const to = { port, host: "127.0.0.1", allowHalfOpen: true };
  const strict = secure
    ? await StrictClient.over(connectSecurely({ ...to, rejectUnauthorized: false }), "secureConnect")
    : await StrictClient.over(connect(to), "connect");
  onTestFinished(() => void strict.socket.destroy());
  strict.socket.write(requestBytes({ ...sketch, headers: [...headers, ...(sketch.headers ?? [])] }, httpVersion));
  const { exchange, res } = await handed;
  return {
    exchange,
    client: new SocketTestClient(strict, sketch),
    respondAsApp: res && ((status) => void res.writeHead(status).end()),
  };
}

function certificate(): { readonly cert: Buffer; readonly key: Buffer } {
  const read = (name: string) => readFileSync(new URL(name, certificates));
  return { cert: read("localhost.crt"), key: read("localhost.key") };
}

const http11: ClientExchangeTraits = {
  httpVersion: "1.1",
  remoteAddress: "127.0.0.1",
  encrypted: false,
  hasConnection: true,
  keepsLetterCase: true,
  hasReasonPhrase: true,
  hasRequestBodies: true,
  hasChunks: true,
  hasTrailers: true,
  hasInterimResponses: true,
  isUpgrade: false,
  hasAppInFront: true,
};

clientExchangeContract("node:http, HTTP/1.1", { traits: http11, open });

clientExchangeContract("node:http, HTTP/1.0", {
  traits: { ...http11, httpVersion: "1.0", hasChunks: false, hasTrailers: false, hasInterimResponses: false },
  open: (sketch) => open(sketch, { httpVersion: "1.0" }),
});

clientExchangeContract("node:http, HTTP/1.1 over TLS", {
  traits: { ...http11, encrypted: true },
  open: (sketch) => open(sketch, { secure: true }),
});

const webSocket = ["Connection", "Upgrade", "Upgrade", "websocket"];

clientExchangeContract("node:http, an upgrade", {
  traits: { ...http11, isUpgrade: true, hasRequestBodies: false, hasChunks: false, hasAppInFront: false },
  open: (sketch) => open(sketch, { headers: webSocket }),
});
