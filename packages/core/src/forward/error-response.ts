import type { ClientExchange } from "../client/client-exchange.ts";
import { limits } from "../config/defaults.ts";
import { type ErrorCode, errorKind } from "../errors.ts";
import { reasonPhrase } from "../http1/reason-phrase.ts";

export interface ErrorResponseInput {
  readonly code: ErrorCode;
  /** What the client may know beside the code. */
  readonly detail: string | undefined;
  readonly requestId: string;
  /** The client's Accept header. */
  readonly accept: string | undefined;
  readonly setCookie: string | undefined;
  /** The connection closes after the response. It also does after an error that the client has caused. */
  readonly close: boolean;
}

export interface ErrorResponse {
  readonly status: number;
  readonly headers: string[];
  readonly body: Uint8Array;
}

/** Seconds after which a client may send a request again that was refused with 503. */
const retryAfterSeconds = 1;

/**
 * Makes a locally generated response: a status from the error table, `Proxy-Status` (RFC 9209), and a short text or JSON body
 * that names no upstream.
 */
export function errorResponse(input: ErrorResponseInput): ErrorResponse {
  const { code, detail, requestId, setCookie } = input;
  const { status, token, source } = errorKind(code);
  const reason = reasonPhrase(status) || "Error";
  const json = prefersJson(input.accept);
  const text = json
    ? `${JSON.stringify({ error: { code, message: detail ?? reason, requestId } })}\n`
    : `${status} ${reason} (${code})${detail === undefined ? "" : `: ${detail}`}\n`;
  const body = Buffer.from(text);
  const headers = [
    ...["Content-Type", json ? "application/json" : "text/plain; charset=utf-8"],
    ...["Content-Length", String(body.length)],
    ...["Cache-Control", "no-store"],
    ...["Proxy-Status", `evenkeel; error=${token}; details="${code}"`],
    ...["Via", "1.1 evenkeel"],
    ...["X-Request-Id", requestId],
  ];
  if (setCookie !== undefined) headers.push("Set-Cookie", setCookie);
  if (status === 503) headers.push("Retry-After", String(retryAfterSeconds));
  // The rest of a refused message must not be read as the next request.
  if (input.close || source === "client") headers.push("Connection", "close");
  return { status, headers, body };
}

/** Whether the rest of a request's body is so short that reading it costs less than a new connection. */
export function isSettled({ bodyComplete }: Pick<ClientExchange, "bodyComplete">, bodyLength: number): boolean {
  return bodyComplete || (bodyLength >= 0 && bodyLength <= limits.discardedBodyBytes);
}

function prefersJson(accept: string | undefined): boolean {
  if (accept === undefined) return false;
  const json = accept.search(/application\/(?:[\w.+-]+\+)?json/i);
  const text = accept.search(/text\/(?:html|plain|\*)/i);
  return json !== -1 && (text === -1 || json < text);
}
