import type { AttemptRecord, RequestEvent } from "evenkeel";
import { messageOf } from "../failure.ts";
import { toSafeField, toSafeJson, withoutUserInfo } from "./escape.ts";

/** Maximum characters of a failure's cause, which may contain text of an upstream or a library. */
const maxCauseLength = 500;
/** Maximum levels of nested causes. */
const maxCauses = 4;

/** Formats one JSON object per line. Unknown fields are omitted. */
export function toJsonLine(event: RequestEvent): string {
  const line = toSafeJson({
    time: new Date(event.time).toISOString(),
    requestId: event.requestId,
    client: event.client,
    method: event.method,
    host: event.host,
    url: withoutUserInfo(event.url),
    protocol: event.protocol,
    status: event.status,
    grpcStatus: event.grpcStatus,
    bytesIn: event.bytesIn,
    bytesOut: event.bytesOut,
    durationMs: toMicroseconds(event.durationMs),
    route: event.route,
    pool: event.pool,
    upstream: event.upstream,
    attempts: event.attempts.map(toAttempt),
    error: event.error,
    cause: describeCause(event.cause),
    flags: event.flags,
    traceparent: event.traceparent,
    userAgent: event.userAgent,
    referer: event.referer === undefined ? undefined : withoutUserInfo(event.referer),
  });
  return `${line}\n`;
}

/** Formats the NCSA combined format. The user name is always "-": it would have to come from Authorization. */
export function toCombinedLine(event: RequestEvent): string {
  const request = [event.method, withoutUserInfo(event.url), event.protocol].filter((part) => part !== "").join(" ");
  const referer = event.referer === undefined ? "-" : withoutUserInfo(event.referer);
  const quoted = [referer, event.userAgent ?? "-"].map((text) => `"${toSafeField(text)}"`).join(" ");
  const client = event.client === "" ? "-" : toSafeField(event.client);
  const { status, bytesOut } = event;
  return `${client} - - [${toNcsaTime(event.time)}] "${toSafeField(request)}" ${status} ${bytesOut} ${quoted}\n`;
}

/** Joins the messages of a cause and of its own causes, as in `the policy "mine" threw: out of range`. */
function describeCause(cause: unknown): string | undefined {
  if (cause === undefined) return undefined;
  const messages: string[] = [];
  for (let error: unknown = cause; error !== undefined && messages.length < maxCauses; ) {
    messages.push(messageOf(error));
    error = error instanceof Error ? error.cause : undefined;
  }
  return messages.join(": ").slice(0, maxCauseLength);
}

function toAttempt({ upstream, status, grpcStatus, error, cause, connectMs, headersMs }: AttemptRecord): object {
  return {
    upstream,
    ...(error === undefined ? { status, grpcStatus } : { error, cause }),
    connectMs: connectMs === undefined ? undefined : toMicroseconds(connectMs),
    headersMs: headersMs === undefined ? undefined : toMicroseconds(headersMs),
  };
}

function toMicroseconds(ms: number): number {
  return Math.round(ms * 1_000) / 1_000;
}

/** As in `29/Feb/2024:23:59:59 +0000`. */
function toNcsaTime(time: number): string {
  const [, day, month, year, clock] = /^\w+, (\d+) (\w+) (\d+) ([\d:]+)/.exec(new Date(time).toUTCString()) ?? [];
  return `${day}/${month}/${year}:${clock} +0000`;
}
