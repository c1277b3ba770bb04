import type { ResolvedPool, UpstreamAddress } from "../config/resolved.ts";
import type { Runtime } from "../runtime/runtime.ts";
import type { Transport } from "./transport.ts";
import { UndiciTransport } from "./undici-transport.ts";

/** What the connections to an upstream are made with. */
export type TransportSettings = Pick<ResolvedPool, "connections" | "timeouts" | "tls">;

/** Chooses what carries the requests to an upstream. No connection is made before the first request. */
export function createTransport(address: UpstreamAddress, settings: TransportSettings, runtime: Runtime): Transport {
  return new UndiciTransport(address, settings, runtime);
}
