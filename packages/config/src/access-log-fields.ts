/** The fields of a line of the access log, and their names. */

import type { AccessLogFieldOptions } from "./options.ts";

/** The names that the fields have without a preset, in the order of a line. */
export const accessLogFields = [
  "time",
  "requestId",
  "client",
  "method",
  "host",
  "url",
  "protocol",
  "status",
  "grpcStatus",
  "bytesIn",
  "bytesOut",
  "durationMs",
  "route",
  "pool",
  "upstream",
  "attempts",
  "error",
  "cause",
  "flags",
  "traceparent",
  "traceId",
  "spanId",
  "userAgent",
  "referer",
] as const;

export type AccessLogField = (typeof accessLogFields)[number];

/** A set of names, and what is added to each line. */
interface Preset {
  readonly names: Readonly<Partial<Record<AccessLogField, string>>>;
  readonly add: Readonly<Record<string, string>>;
}

const own = {
  pool: "evenkeel.pool",
  upstream: "evenkeel.upstream",
  attempts: "evenkeel.attempts",
  flags: "evenkeel.flags",
  grpcStatus: "evenkeel.grpc_status",
  traceparent: "evenkeel.traceparent",
} as const;

const common = {
  client: "client.address",
  method: "http.request.method",
  url: "url.original",
  status: "http.response.status_code",
  cause: "error.message",
  userAgent: "user_agent.original",
  ...own,
} as const;

/** `ecs`: the Elastic Common Schema 8. `otel`: the semantic conventions of OpenTelemetry. */
const accessLogPresets: Readonly<Record<"ecs" | "otel", Preset>> = {
  ecs: {
    names: {
      ...common,
      time: "@timestamp",
      requestId: "http.request.id",
      host: "url.domain",
      protocol: "http.version",
      bytesIn: "http.request.body.bytes",
      bytesOut: "http.response.body.bytes",
      durationMs: "event.duration",
      route: "evenkeel.route",
      error: "error.code",
      traceId: "trace.id",
      spanId: "span.id",
      referer: "http.request.referrer",
    },
    add: { "ecs.version": "8.11.0", "event.dataset": "evenkeel.access" },
  },
  otel: {
    names: {
      ...common,
      time: "timestamp",
      requestId: "evenkeel.request_id",
      host: "server.address",
      protocol: "network.protocol.version",
      bytesIn: "http.request.body.size",
      bytesOut: "http.response.body.size",
      durationMs: "evenkeel.duration_ms",
      route: "http.route",
      error: "error.type",
      traceId: "trace_id",
      spanId: "span_id",
      referer: "http.request.header.referer",
    },
    add: {},
  },
};

/** Returns the fields of a line that come from a request, with their names, in the order of a line. */
export function accessLogNames({
  preset,
  remove = [],
  rename = {},
}: AccessLogFieldOptions): [AccessLogField, string][] {
  const names = preset === undefined ? {} : accessLogPresets[preset].names;
  return accessLogFields
    .filter((field) => !remove.includes(field))
    .map((field) => [field, rename[field] ?? names[field] ?? field]);
}

/** Returns what is added to each line: that of the preset, and the user's, which replaces it. */
export function accessLogAdditions({
  preset,
  add = {},
}: AccessLogFieldOptions): Record<string, string | number | boolean> {
  return { ...(preset !== undefined && accessLogPresets[preset].add), ...add };
}
