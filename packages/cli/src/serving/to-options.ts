import type { FileConfig } from "@evenkeel/config";
import { formatListenAddress, type ProxyOptions } from "evenkeel";
import type { ServerOptions } from "evenkeel/server";
import type { LoadedConfig } from "./loaded-config.ts";

/** Adds what `[server]` has about request bodies, which the proxy enforces. */
export function toProxyOptions({ options, server }: FileConfig): ProxyOptions {
  const { minBodyRate } = server.limits;
  return {
    requestBodyTimeout: `${server.timeouts.requestBodyMs}ms`,
    ...(minBodyRate !== undefined && { requestBodyMinRate: minBodyRate }),
    ...options,
  };
}

export function toServerOptions({ config: { options, server }, tls }: LoadedConfig): ServerOptions {
  const { headBytes, requestsPerConnection, maxConcurrentStreams } = server.limits;
  const minBodyRate = server.limits.minBodyRate ?? options.requestBodyMinRate;
  const { sendTimeout } = options;
  return {
    listen: server.listen.map(formatListenAddress),
    http2: server.http2,
    h2c: server.h2c,
    maxConnections: server.maxConnections,
    proxyProtocol: server.proxyProtocol,
    limits: {
      headBytes: `${headBytes}b`,
      requestsPerConnection,
      maxConcurrentStreams,
      ...(minBodyRate !== undefined && { minBodyRate }),
    },
    timeouts: {
      requestHeaders: `${server.timeouts.requestHeadersMs}ms`,
      keepAlive: `${server.timeouts.keepAliveMs}ms`,
      ...(sendTimeout !== undefined && { send: sendTimeout }),
    },
    ...(tls !== undefined && { tls }),
  };
}
