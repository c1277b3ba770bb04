import http from "node:http";

/** The same socket settings for all contenders over node:http. */
export function keepAliveAgent() {
  return new http.Agent({ keepAlive: true, maxSockets: Number.POSITIVE_INFINITY, maxFreeSockets: 1_024 });
}

/** The same for all contenders over undici. */
export const undiciOptions = { connections: 1_024, pipelining: 1, keepAliveTimeout: 60_000 };
