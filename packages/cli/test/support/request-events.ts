import type { RequestEvent } from "evenkeel";

/** A request that has succeeded at the second upstream. */
export const retriedRequest: RequestEvent = {
  time: Date.UTC(2024, 1, 29, 23, 59, 59, 7),
  requestId: "r1",
  client: "192.0.2.1",
  method: "GET",
  host: "example.com",
  url: "/a?b=c",
  protocol: "HTTP/1.1",
  status: 200,
  bytesIn: 0,
  bytesOut: 12,
  durationMs: 1.23456,
  route: "/*",
  pool: "api",
  upstream: "b",
  attempts: [
    { upstream: "a", error: "connect_refused" },
    { upstream: "b", status: 200, connectMs: 0.5, headersMs: 1 },
  ],
  error: undefined,
  flags: ["retried"],
  traceparent: undefined,
  userAgent: "curl/8",
  referer: undefined,
};
