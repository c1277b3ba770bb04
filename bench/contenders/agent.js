import http from "node:http";

/** The same sockets for everybody who goes out over node:http. */
export function keepAliveAgent() {
  return new http.Agent({ keepAlive: true, maxSockets: Number.POSITIVE_INFINITY, maxFreeSockets: 1_024 });
}

/** The same for everybody who goes out over undici. */
export const undiciOptions = { connections: 1_024, pipelining: 1, keepAliveTimeout: 60_000 };
