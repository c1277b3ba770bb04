import type { AttemptRecord, RequestEvent } from "evenkeel";
import { messageOf } from "../failure.ts";
import { toJsonText, toSafeField, withoutUserInfo } from "./escape.ts";
import { toIsoTime, toNcsaTime } from "./log-time.ts";

/** Maximum characters of a failure's cause, which may contain text of an upstream or a library. */
const maxCauseLength = 500;
/** Maximum levels of nested causes. */
const maxCauses = 4;

/**
 * Formats one JSON object per line, which is the text of `toSafeJson`. Unknown fields are omitted. Written field by field, since
 * `JSON.stringify` of an object costs several times as much.
 */
export function toJsonLine(event: RequestEvent): string {
  const { grpcStatus, route, pool, upstream, error, traceparent, traceId, spanId, userAgent, referer } = event;
  const cause = describeCause(event.cause);
  let line =
    `{"time":"${toIsoTime(event.time)}","requestId":"${toJsonText(event.requestId)}"` +
    `,"client":"${toJsonText(event.client)}","method":"${toJsonText(event.method)}"` +
    `,"host":"${toJsonText(event.host)}","url":"${toJsonText(withoutUserInfo(event.url))}"` +
    `,"protocol":"${toJsonText(event.protocol)}","status":${event.status}`;
  if (grpcStatus !== undefined) line += `,"grpcStatus":${grpcStatus}`;
  line += `,"bytesIn":${event.bytesIn},"bytesOut":${event.bytesOut},"durationMs":${toMicroseconds(event.durationMs)}`;
  if (route !== undefined) line += `,"route":"${toJsonText(route)}"`;
  if (pool !== undefined) line += `,"pool":"${toJsonText(pool)}"`;
  if (upstream !== undefined) line += `,"upstream":"${toJsonText(upstream)}"`;
  line += `,"attempts":[${joinAttempts(event.attempts)}`;
  line += error === undefined ? "]" : `],"error":"${error}"`;
  if (cause !== undefined) line += `,"cause":"${toJsonText(cause)}"`;
  line += event.flags.length === 0 ? ',"flags":[]' : `,"flags":["${event.flags.join('","')}"]`;
  if (traceparent !== undefined) line += `,"traceparent":"${toJsonText(traceparent)}"`;
  if (traceId !== undefined) line += `,"traceId":"${toJsonText(traceId)}"`;
  if (spanId !== undefined) line += `,"spanId":"${toJsonText(spanId)}"`;
  if (userAgent !== undefined) line += `,"userAgent":"${toJsonText(userAgent)}"`;
  if (referer !== undefined) line += `,"referer":"${toJsonText(withoutUserInfo(referer))}"`;
  return `${line}}\n`;
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
export function describeCause(cause: unknown): string | undefined {
  if (cause === undefined) return undefined;
  const messages: string[] = [];
  for (let error: unknown = cause; error !== undefined && messages.length < maxCauses; ) {
    messages.push(messageOf(error));
    error = error instanceof Error ? error.cause : undefined;
  }
  return messages.join(": ").slice(0, maxCauseLength);
}

/** Without a call of `map` and `join` for the one attempt that most requests have. */
export function joinAttempts(attempts: readonly AttemptRecord[]): string {
  let text = "";
  for (const attempt of attempts) text += text === "" ? toAttempt(attempt) : `,${toAttempt(attempt)}`;
  return text;
}

function toAttempt({ upstream, status, grpcStatus, error, cause, connectMs, headersMs }: AttemptRecord): string {
  let text = `{"upstream":"${toJsonText(upstream)}"`;
  if (error === undefined) {
    if (status !== undefined) text += `,"status":${status}`;
    if (grpcStatus !== undefined) text += `,"grpcStatus":${grpcStatus}`;
  } else {
    text += `,"error":"${error}"`;
    if (cause !== undefined) text += `,"cause":"${toJsonText(cause)}"`;
  }
  if (connectMs !== undefined) text += `,"connectMs":${toMicroseconds(connectMs)}`;
  if (headersMs !== undefined) text += `,"headersMs":${toMicroseconds(headersMs)}`;
  return `${text}}`;
}

const thousandths = Array.from({ length: 1_000 }, (_, count) => String(count / 1_000).slice(1));

/** Milliseconds with at most three decimals, without the search for the shortest text of a fraction. */
export function toMicroseconds(ms: number): string {
  const microseconds = Math.round(ms * 1_000);
  if (!(microseconds >= 0 && microseconds < 2 ** 31)) return JSON.stringify(microseconds / 1_000);
  const whole = Math.trunc(microseconds / 1_000);
  return whole + (thousandths[microseconds - whole * 1_000] as string);
}
