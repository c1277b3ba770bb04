import { onTestFinished } from "vitest";
import type { ClientExchange } from "../../src/client/client-exchange.ts";
import type { Http1ServerConnection } from "../../src/client/http1/http1-server-connection.ts";
import type { ErrorCode } from "../../src/errors.ts";
import { RecordingHandler } from "../contract/client-exchange-harness.ts";
import { until } from "./event-loop.ts";
import { type OwnServerOptions, ownServer } from "./own-server.ts";
import { StrictClient } from "./raw-client.ts";

/** What a connection has handed to its sink. */
export interface HandedExchange {
  readonly kind: "request" | "handshake" | "malformed";
  readonly exchange: ClientExchange;
  readonly handler: RecordingHandler;
  readonly code: ErrorCode | undefined;
}

export interface OwnConnection {
  readonly client: StrictClient;
  /** In the order in which they were handed over; their handlers are started. */
  readonly handed: readonly HandedExchange[];
  readonly connection: Http1ServerConnection;
  /** Resolves when so many exchanges were handed over. */
  arrived(count: number): Promise<HandedExchange>;
}

/** A client and its connection to a server of our own, gone when the test has ended. `onHanded` may respond at once. */
export async function ownConnection(
  options: OwnServerOptions = {},
  onHanded: (handed: HandedExchange) => void = () => {},
): Promise<OwnConnection> {
  const handed: HandedExchange[] = [];
  const hand = (kind: HandedExchange["kind"], exchange: ClientExchange, code: ErrorCode | undefined) => {
    const handler = new RecordingHandler(exchange, `exchange ${handed.length}`);
    const one = { kind, exchange: handler.exchange, handler, code };
    handed.push(one);
    handler.start();
    onHanded(one);
  };
  const server = await ownServer(
    {
      onRequest: (exchange, refusal) => hand("request", exchange, refusal),
      onHandshake: (exchange, refusal) => hand("handshake", exchange, refusal),
      onMalformed: (exchange, code) => hand("malformed", exchange, code),
    },
    options,
  );
  onTestFinished(server.close);
  const client = await StrictClient.to(server.port);
  onTestFinished(() => void client.socket.destroy());
  await until(() => server.connections.size === 1);
  const [connection] = server.connections;
  return {
    client,
    handed,
    connection: connection as Http1ServerConnection,
    arrived: async (count) => {
      await until(() => handed.length >= count);
      return handed[count - 1] as HandedExchange;
    },
  };
}

export function respond({ exchange }: Pick<HandedExchange, "exchange">, body = "ok", ...headers: string[]): void {
  exchange.begin(200, "OK", ["Content-Length", String(body.length), ...headers], false);
  exchange.end(body, []);
}

export function getRequest(target = "/", ...lines: string[]): string {
  return `${[`GET ${target} HTTP/1.1`, "Host: h", ...lines].join("\r\n")}\r\n\r\n`;
}
