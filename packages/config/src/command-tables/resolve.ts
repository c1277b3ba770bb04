import { resolve } from "node:path";
import { type ListenAddress, parseDuration, parseListenAddress, parseSize } from "evenkeel";
import { defaults } from "../defaults.ts";
import type { AccessLogConfig, AdminConfig, CertificateConfig, ServerConfig, TracingConfig } from "../file-config.ts";
import type { AccessLogOptions, AdminOptions, CertificateOptions, ServerOptions, TracingOptions } from "../options.ts";

/** Adds the defaults to validated options. Relative paths are relative to `directory`. */
export function resolveServer(options: ServerOptions, directory: string): ServerConfig {
  const {
    listen,
    workers,
    shutdownTimeout,
    drainDelay,
    maxConnections,
    http2,
    h2c,
    proxyProtocol = [],
    tls,
  } = { ...defaults.server, ...options };
  const { headBytes, requestsPerConnection, maxConcurrentStreams, minBodyRate } = {
    minBodyRate: undefined,
    ...defaults.serverLimits,
    ...options.limits,
  };
  const { requestHeaders, requestBody, keepAlive } = { ...defaults.serverTimeouts, ...options.timeouts };
  return {
    listen: (typeof listen === "string" ? [listen] : listen).map((text) => resolveListen(text, directory)),
    workers,
    shutdownTimeoutMs: milliseconds(shutdownTimeout),
    drainDelayMs: milliseconds(drainDelay),
    maxConnections,
    http2,
    h2c,
    proxyProtocol,
    tls: tls && {
      ...resolveCertificate(tls, directory),
      certificates: (tls.certificates ?? []).map((certificate) => resolveCertificate(certificate, directory)),
    },
    limits: { headBytes: parseSize(headBytes) ?? 0, minBodyRate, requestsPerConnection, maxConcurrentStreams },
    timeouts: {
      requestHeadersMs: milliseconds(requestHeaders),
      requestBodyMs: milliseconds(requestBody),
      keepAliveMs: milliseconds(keepAlive),
    },
  };
}

function resolveCertificate({ cert, key }: CertificateOptions, directory: string): CertificateConfig {
  return { cert: resolve(directory, cert), key: resolve(directory, key) };
}

/** Like `resolveServer`. */
export function resolveAdmin(options: AdminOptions, directory: string): AdminConfig {
  const {
    listen,
    token,
    readToken,
    dashboard,
    metrics,
    hosts = [],
    readyPools = [],
  } = { ...defaults.admin, ...options };
  return { listen: resolveListen(listen, directory), token, readToken, dashboard, metrics, hosts, readyPools };
}

/** Like `resolveServer`. */
export function resolveAccessLog(options: AccessLogOptions, directory: string): AccessLogConfig {
  const { format, path, fields } = { fields: undefined, ...defaults.accessLog, ...options };
  return { format, path: path === "stdout" || path === "stderr" ? path : resolve(directory, path), fields };
}

export function resolveTracing({ endpoint, ...options }: TracingOptions): TracingConfig {
  const url = endpoint === undefined ? undefined : withTracesPath(endpoint);
  return { endpoint: url, serviceName: undefined, headers: {}, ...defaults.tracing, ...options };
}

/** A collector is often given by its origin. Spans have a path of their own there (OTLP, "OTLP/HTTP Request"). */
function withTracesPath(endpoint: string): string {
  const url = new URL(endpoint);
  if (url.pathname === "/") url.pathname = "/v1/traces";
  return url.href;
}

/** The text is a valid address: the schema has checked it. */
function resolveListen(text: string, directory: string): ListenAddress {
  const address = parseListenAddress(text) as ListenAddress;
  return "socketPath" in address ? { socketPath: resolve(directory, address.socketPath) } : address;
}

function milliseconds(text: string): number {
  return parseDuration(text) ?? 0;
}
