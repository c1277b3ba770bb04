import { resolve } from "node:path";
import { type ConfigIssue, didYouMean, parseDuration } from "evenkeel";
import { defaults } from "../defaults.ts";
import type { AccessLogConfig, AdminConfig, ListenAddress, ServerConfig } from "../file-config.ts";
import type { AccessLogOptions, AdminOptions, ServerOptions } from "../options.ts";
import { isLoopback, parseListen } from "./listen-address.ts";

/**
 * Finds mistakes of the command's tables that take two places to see. Passes over whatever has the wrong shape: that
 * is the schema's to say.
 */
export function crossCheckCommandTables(data: unknown): ConfigIssue[] {
  const admin = (data as { readonly admin?: unknown } | null)?.admin;
  if (typeof admin !== "object" || admin === null) return [];
  const { listen, token, readyPools } = admin as { readonly [key in keyof AdminOptions]?: unknown };
  return [...findOpenListen(listen, token), ...findUnknownPools(readyPools, data as object)];
}

function findOpenListen(listen: unknown, token: unknown): ConfigIssue[] {
  const address = typeof listen === "string" ? parseListen(listen) : "";
  if (token !== undefined || typeof address === "string" || isLoopback(address)) return [];
  const message =
    `other machines can reach ${JSON.stringify(listen)}, and there is no token: ` +
    "add a token here, or listen on 127.0.0.1";
  return [{ path: ["admin", "listen"], message }];
}

function findUnknownPools(names: unknown, { pools }: { readonly pools?: unknown }): ConfigIssue[] {
  if (!Array.isArray(names) || (pools !== undefined && (typeof pools !== "object" || pools === null))) return [];
  const known = pools === undefined ? ["default"] : Object.keys(pools);
  return names.flatMap((name: unknown, index) => {
    if (typeof name !== "string" || known.includes(name)) return [];
    const message = `there is no pool ${JSON.stringify(name)}${didYouMean(name, known)}`;
    return [{ path: ["admin", "readyPools", index], message }];
  });
}

/** Fills in the defaults of options that have been checked. Relative paths are relative to `directory`. */
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

/** As `resolveServer`. */
export function resolveAdmin(options: AdminOptions, directory: string): AdminConfig {
  const { listen, token, metrics, hosts = [], readyPools = [] } = { ...defaults.admin, ...options };
  return { listen: resolveListen(listen, directory), token, metrics, hosts, readyPools };
}

/** As `resolveServer`. */
export function resolveAccessLog(options: AccessLogOptions, directory: string): AccessLogConfig {
  const { format, path } = { ...defaults.accessLog, ...options };
  return { format, path: path === "stdout" || path === "stderr" ? path : resolve(directory, path) };
}

/** The schema has let only valid addresses and durations through. */
function resolveListen(text: string, directory: string): ListenAddress {
  const address = parseListen(text) as ListenAddress;
  return "socketPath" in address ? { socketPath: resolve(directory, address.socketPath) } : address;
}

function milliseconds(text: string): number {
  return parseDuration(text) ?? 0;
}
