/** Lines of the access log whose fields the user has changed. */

import { type AccessLogField, type AccessLogFieldOptions, accessLogAdditions, accessLogNames } from "@evenkeel/config";
import type { RequestEvent } from "evenkeel";
import { describeCause, joinAttempts, toMicroseconds } from "./access-log-format.ts";
import { toJsonText, toSafeJson, withoutUserInfo } from "./escape.ts";
import { toIsoTime } from "./log-time.ts";

/** Returns the JSON text of a field's value, or undefined where the request has none. */
type Value = (event: RequestEvent) => string | undefined;

/** The values as `toJsonLine` writes them; a test compares the two. */
const values: Readonly<Record<AccessLogField, Value>> = {
  time: ({ time }) => `"${toIsoTime(time)}"`,
  requestId: ({ requestId }) => text(requestId),
  client: ({ client }) => text(client),
  method: ({ method }) => text(method),
  host: ({ host }) => text(host),
  url: ({ url }) => text(withoutUserInfo(url)),
  protocol: ({ protocol }) => text(protocol),
  status: ({ status }) => String(status),
  grpcStatus: ({ grpcStatus }) => (grpcStatus === undefined ? undefined : String(grpcStatus)),
  bytesIn: ({ bytesIn }) => String(bytesIn),
  bytesOut: ({ bytesOut }) => String(bytesOut),
  durationMs: ({ durationMs }) => toMicroseconds(durationMs),
  route: ({ route }) => text(route),
  pool: ({ pool }) => text(pool),
  upstream: ({ upstream }) => text(upstream),
  attempts: ({ attempts }) => `[${joinAttempts(attempts)}]`,
  error: ({ error }) => text(error),
  cause: ({ cause }) => text(describeCause(cause)),
  flags: ({ flags }) => (flags.length === 0 ? "[]" : `["${flags.join('","')}"]`),
  traceparent: ({ traceparent }) => text(traceparent),
  traceId: ({ traceId }) => text(traceId),
  spanId: ({ spanId }) => text(spanId),
  userAgent: ({ userAgent }) => text(userAgent),
  referer: ({ referer }) => text(referer === undefined ? undefined : withoutUserInfo(referer)),
};

/** What the conventions of both presets demand: a version and a host alone. */
const conventional: Partial<Record<AccessLogField, Value>> = {
  protocol: ({ protocol }) => text(protocol === "" ? undefined : protocol.replace(/^HTTP\//, "")),
  host: ({ host }) => text(host === "" ? undefined : host.replace(/:\d*$/, "").replace(/^\[(.*)\]$/, "$1")),
};

const valuesOfPresets: Readonly<Record<"ecs" | "otel", Partial<Record<AccessLogField, Value>>>> = {
  // In nanoseconds.
  ecs: { ...conventional, durationMs: ({ durationMs }) => String(Math.round(durationMs * 1_000) * 1_000) },
  otel: conventional,
};

/** Returns the function that formats a line with these fields. */
export function compileFields(fields: AccessLogFieldOptions): (event: RequestEvent) => string {
  const ofPreset = fields.preset === undefined ? {} : valuesOfPresets[fields.preset];
  const written = accessLogNames(fields).map(([field, name]) => ({
    prefix: `,${toSafeJson(name)}:`,
    value: ofPreset[field] ?? values[field],
  }));
  const added = Object.entries(accessLogAdditions(fields)).map(
    ([name, value]) => `,${toSafeJson(name)}:${toSafeJson(value)}`,
  );
  const end = `${added.join("")}}\n`;
  return (event) => {
    let line = "";
    for (const { prefix, value } of written) {
      const json = value(event);
      if (json !== undefined) line += prefix + json;
    }
    return `{${(line + end).replace(/^,/, "")}`;
  };
}

function text(value: string | undefined): string | undefined {
  return value === undefined ? undefined : `"${toJsonText(value)}"`;
}
