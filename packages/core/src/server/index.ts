/** A server for clients that speaks HTTP/1.1 and HTTP/2 without Node's HTTP server. */

export type {
  CertificateOptions,
  ServerLimitOptions,
  ServerOptions,
  ServerTimeoutOptions,
  ServerTlsOptions,
} from "../config/options/server-options.ts";
export { ListenError, listen, urlOf } from "./listen.ts";
export { createServer, type ServedProxy, type Server, type ServerChanges } from "./server.ts";
export type { ServerEvents, ServerStatus } from "./server-events.ts";
