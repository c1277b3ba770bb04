import type { Socket } from "node:net";
import { type Dispatcher, Pool } from "undici";
import { limits } from "../config/defaults.ts";
import type { UpstreamAddress } from "../config/resolved.ts";
import type { Runtime } from "../runtime/runtime.ts";
import type { Connector } from "./connector.ts";
import type { TransportSettings } from "./create-transport.ts";
import { writeRequestHead } from "./request-writer.ts";
import type { Exchange, ExchangeHandler, RequestHead, Transport } from "./transport.ts";
import { UndiciExchange } from "./undici-exchange.ts";
import { WireError } from "./wire-error.ts";

/** Carries requests to an https upstream over undici's connections. */
export class UndiciTransport implements Transport {
  readonly #pool: Pool;
  readonly #settings: TransportSettings;
  readonly #runtime: Runtime;
  readonly #tls: boolean;
  readonly #servername: string;

  constructor(address: UpstreamAddress, settings: TransportSettings, runtime: Runtime, connector: Connector) {
    this.#settings = settings;
    this.#runtime = runtime;
    this.#tls = address.tls;
    this.#servername = settings.tls.servername ?? address.hostname;
    this.#pool = createPool(address, settings, runtime, connector);
  }

  dispatch(head: RequestHead, handler: ExchangeHandler): Exchange {
    const exchange = new UndiciExchange(handler, this.#settings, this.#runtime, this.#tls, head);
    try {
      // Not to send it: to hold it to the same rules as one over our own connections.
      writeRequestHead(head);
    } catch (error) {
      exchange.refuse(error);
      return exchange;
    }
    // On a connection that stands undici begins at once; a handler is told later, never while it dispatches.
    queueMicrotask(() => this.#begin(head, exchange));
    return exchange;
  }

  #begin(head: RequestHead, exchange: UndiciExchange): void {
    if (exchange.over) return;
    this.#pool.dispatch(
      {
        method: head.method as Dispatcher.HttpMethod,
        path: head.path,
        headers: toUndiciHeaders(head),
        body: exchange.body ?? null,
        headersTimeout: head.headersTimeoutMs > 0 ? head.headersTimeoutMs : this.#settings.timeouts.headersMs,
        // The idle timer is ours: undici's cannot be told to leave event streams alone.
        bodyTimeout: 0,
        reset: head.freshConnection,
        // Left to itself, undici verifies the upstream under whatever name the request's Host header has.
        servername: this.#servername,
      } as Dispatcher.DispatchOptions,
      exchange,
    );
  }

  close(): void {
    this.#pool.close().catch(() => {});
  }

  destroy(): void {
    this.#pool.destroy().catch(() => {});
  }
}

function createPool(
  address: UpstreamAddress,
  { connections, timeouts, tls }: TransportSettings,
  runtime: Runtime,
  connector: Connector,
): Pool {
  const host = address.hostname.includes(":") ? `[${address.hostname}]` : address.hostname;
  return new Pool(`https://${host}:${address.port}`, {
    connections: connections.max === 0 ? null : connections.max,
    pipelining: 1,
    keepAliveTimeout: connections.keepAliveMs,
    keepAliveMaxTimeout: connections.keepAliveMs,
    keepAliveTimeoutThreshold: 1_000,
    maxHeaderSize: limits.responseHeadBytes,
    connect: (_options, callback) => {
      const { clock } = runtime;
      const timer = clock.setTimeout(
        () => done(new WireError("connect_timeout", "no connection in time")),
        timeouts.connectMs,
      );
      let socket: Socket | undefined;
      const done = (error?: Error) => {
        clock.clearTimeout(timer);
        socket?.off("error", done);
        if (error === undefined) return callback(null, socket as Socket);
        socket?.on("error", () => {}).destroy();
        callback(error, null);
      };
      try {
        socket = connector.open(address, tls, { alpn: ["h2", "http/1.1"] });
        socket.once("secureConnect", () => done()).on("error", done);
      } catch (error) {
        done(error as Error);
      }
    },
    allowH2: true,
  });
}

/** undici frames by the length it is told, or in chunks when it is told none. */
function toUndiciHeaders(head: RequestHead): string[] {
  return head.bodyLength > 0 ? [...head.headers, "content-length", String(head.bodyLength)] : [...head.headers];
}
