import { formatListenAddress, withoutSecrets } from "evenkeel";
import type { AdminConfig, CertificateConfig, FileConfig, ServerConfig, TracingConfig } from "../file-config.ts";

/** Stands for a secret: the length of a token is a secret too. */
const masked = "***";

/**
 * Returns the tables of the command as a configuration file has them, with the defaults filled in and secrets masked. A table
 * that is not in force is missing.
 */
export function describeTables({ server, admin, accessLog, tracing }: FileConfig): Record<string, object> {
  return {
    server: describeServer(server),
    ...(admin !== undefined && { admin: describeAdmin(admin) }),
    accessLog: withoutSecrets(accessLog) as object,
    ...(tracing !== undefined && { tracing: describeTracing(tracing) }),
  };
}

function describeServer({ listen, tls, limits, timeouts, shutdownTimeoutMs, drainDelayMs, ...rest }: ServerConfig) {
  const { headBytes, minBodyRate, ...others } = limits;
  return {
    listen: listen.map(formatListenAddress),
    ...rest,
    shutdownTimeout: formatDuration(shutdownTimeoutMs),
    drainDelay: formatDuration(drainDelayMs),
    ...(tls !== undefined && {
      tls: { ...describeCertificate(tls), certificates: tls.certificates.map(describeCertificate) },
    }),
    limits: { headBytes: formatSize(headBytes), ...(minBodyRate !== undefined && { minBodyRate }), ...others },
    timeouts: {
      requestHeaders: formatDuration(timeouts.requestHeadersMs),
      requestBody: formatDuration(timeouts.requestBodyMs),
      keepAlive: formatDuration(timeouts.keepAliveMs),
    },
  };
}

function describeCertificate({ cert, key }: CertificateConfig): object {
  return { cert, key };
}

function describeAdmin({ listen, ...rest }: AdminConfig): object {
  return { listen: formatListenAddress(listen), ...(withoutSecrets(rest) as object) };
}

/** Without an endpoint of its own it has none here: the default depends on the environment. */
function describeTracing({ endpoint, ...rest }: TracingConfig): object {
  return { ...(endpoint !== undefined && { endpoint: maskUrl(endpoint) }), ...(withoutSecrets(rest) as object) };
}

/** Masks user info and the query, whose parameters can be credentials. */
function maskUrl(url: string): string {
  return url.replace(/(?<=\/\/)[^/]*@/, `${masked}@`).replace(/(?<=\?).*$/s, masked);
}

/** In the largest unit that needs no fraction. */
function formatDuration(ms: number): string {
  if (ms !== 0 && ms % 3_600_000 === 0) return `${ms / 3_600_000}h`;
  if (ms !== 0 && ms % 60_000 === 0) return `${ms / 60_000}m`;
  return ms % 1_000 === 0 ? `${ms / 1_000}s` : `${ms}ms`;
}

function formatSize(bytes: number): string {
  if (bytes !== 0 && bytes % 1_048_576 === 0) return `${bytes / 1_048_576}mb`;
  return bytes !== 0 && bytes % 1_024 === 0 ? `${bytes / 1_024}kb` : `${bytes}b`;
}
