import type { ServerLimits } from "../../src/client/server/server-limits.ts";

/** The limits of a connection under test. */
export const serverLimits: ServerLimits = {
  requestHeadersMs: 10_000,
  keepAliveMs: 75_000,
  sendMs: 60_000,
  headBytes: 16_384,
  minBodyRate: 240,
  requestsPerConnection: 0,
  maxConcurrentStreams: 128,
};
