import type { ResolvedPool, UpstreamAddress } from "../config/resolved.ts";
import type { Runtime } from "../runtime/runtime.ts";
import type { SocketOpener } from "./connector.ts";
import { Http1Transport } from "./http1/http1-transport.ts";
import { AlpnTransport } from "./http2/alpn-transport.ts";
import { Http2Transport } from "./http2/http2-transport.ts";
import type { Transport } from "./transport.ts";

/** The options of a pool that its connections depend on. */
export type TransportSettings = Pick<ResolvedPool, "connections" | "timeouts" | "tls">;

/**
 * Creates the transport to an upstream: over HTTP/1.1, over the protocol that the upstream chooses by ALPN, or over HTTP/2 with
 * prior knowledge. No connection is opened before the first request.
 */
export function createTransport(
  address: UpstreamAddress,
  settings: TransportSettings,
  runtime: Runtime,
  connector: SocketOpener,
): Transport {
  const { http2 } = settings.connections;
  if (http2 !== false && address.tls) return new AlpnTransport(address, settings, runtime, connector);
  if (http2 === "h2c") return new Http2Transport(address, settings, runtime, connector);
  return new Http1Transport(address, settings, runtime, connector);
}
