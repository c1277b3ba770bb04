import { formatListenAddress, isHeaderTable, isSecretName, maskSecrets } from "evenkeel";
import type { AccessLogConfig, AdminConfig, CertificateConfig, FileConfig, ServerConfig } from "../file-config.ts";

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
    accessLog: describeAccessLog(accessLog),
    ...(tracing !== undefined && { tracing: maskTable({ ...tracing, endpoint: maskUrl(tracing.endpoint) }) }),
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
  return { listen: formatListenAddress(listen), ...maskTable(rest) };
}

function describeAccessLog(accessLog: AccessLogConfig): object {
  return maskTable(accessLog);
}

/**
 * Masks user info and the query, whose parameters can be credentials. Tracing without an endpoint of its own is described without
 * one: its default depends on the environment.
 */
function maskUrl(url: string | undefined): string | undefined {
  return url?.replace(/(?<=\/\/)[^/]*@/, `${masked}@`).replace(/(?<=\?).*$/s, masked);
}

/** Masks the values whose name suggests a secret, and all in a table of headers. What is undefined is left out. */
function maskTable(table: object): object {
  const entries = Object.entries(table).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries.map(([key, value]: [string, unknown]) => [key, maskValue(key, value)]));
}

function maskValue(key: string, value: unknown): unknown {
  if (isHeaderTable(key)) return Object.fromEntries(Object.keys(value as object).map((name) => [name, masked]));
  if (typeof value === "string") return isSecretName(key) ? masked : maskSecrets(value);
  const isTable = typeof value === "object" && value !== null && !Array.isArray(value);
  return isTable ? maskTable(value) : value;
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
