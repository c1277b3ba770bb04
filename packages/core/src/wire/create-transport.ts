import type { ResolvedPool, UpstreamAddress } from "../config/resolved.ts";
import type { Runtime } from "../runtime/runtime.ts";
import type { Connector } from "./connector.ts";
import { Http1Transport } from "./http1-transport.ts";
import type { Transport } from "./transport.ts";
import { UndiciTransport } from "./undici-transport.ts";

/** What the connections to an upstream are made with. */
export type TransportSettings = Pick<ResolvedPool, "connections" | "timeouts" | "tls">;

/** Chooses what carries the requests to an upstream: our own HTTP/1.1 connections, or undici where HTTP/2 may be spoken. No connection is made before the first request. */
export function createTransport(
  address: UpstreamAddress,
  settings: TransportSettings,
  runtime: Runtime,
  connector: Connector,
): Transport {
  if (settings.connections.http2 && address.tls) return new UndiciTransport(address, settings, runtime, connector);
  return new Http1Transport(address, settings, runtime, connector);
}
