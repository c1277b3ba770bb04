import { resolve } from "node:path";
import { parseDuration } from "evenkeel";
import { defaults } from "../defaults.ts";
import type { AccessLogConfig, AdminConfig, ListenAddress, ServerConfig } from "../file-config.ts";
import type { AccessLogOptions, AdminOptions, ServerOptions } from "../options.ts";
import { parseListen } from "./listen-address.ts";

/** Adds the defaults to validated options. Relative paths are relative to `directory`. */
export function resolveServer(options: ServerOptions, directory: string): ServerConfig {
  const { listen, shutdownTimeout, maxConnections, tls, timeouts } = { ...defaults.server, ...options };
  const { requestHeaders, requestBody, keepAlive } = { ...defaults.serverTimeouts, ...timeouts };
  return {
    listen: (typeof listen === "string" ? [listen] : listen).map((text) => resolveListen(text, directory)),
    shutdownTimeoutMs: milliseconds(shutdownTimeout),
    maxConnections,
    tls: tls && { cert: resolve(directory, tls.cert), key: resolve(directory, tls.key) },
    timeouts: {
      requestHeadersMs: milliseconds(requestHeaders),
      requestBodyMs: milliseconds(requestBody),
      keepAliveMs: milliseconds(keepAlive),
    },
  };
}

/** Like `resolveServer`. */
export function resolveAdmin(options: AdminOptions, directory: string): AdminConfig {
  const { listen, token, metrics, hosts = [], readyPools = [] } = { ...defaults.admin, ...options };
  return { listen: resolveListen(listen, directory), token, metrics, hosts, readyPools };
}

/** Like `resolveServer`. */
export function resolveAccessLog(options: AccessLogOptions, directory: string): AccessLogConfig {
  const { format, path } = { ...defaults.accessLog, ...options };
  return { format, path: path === "stdout" || path === "stderr" ? path : resolve(directory, path) };
}

/** The text is a valid address: the schema has checked it. */
function resolveListen(text: string, directory: string): ListenAddress {
  const address = parseListen(text) as ListenAddress;
  return "socketPath" in address ? { socketPath: resolve(directory, address.socketPath) } : address;
}

function milliseconds(text: string): number {
  return parseDuration(text) ?? 0;
}
