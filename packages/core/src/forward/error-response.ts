import type { ClientExchange } from "../client/client-exchange.ts";
import { limits } from "../config/defaults.ts";
import { type ErrorCode, errorKind } from "../errors.ts";
import { encodeGrpcMessage } from "../grpc/protocol.ts";
import { grpcStatusOfError } from "../grpc/status.ts";
import { reasonPhrase } from "../http1/reason-phrase.ts";

export interface ErrorResponseInput {
  readonly code: ErrorCode;
  /** What the client may know beside the code. */
  readonly detail: string | undefined;
  readonly requestId: string;
  /** The client's Accept header. */
  readonly accept: string | undefined;
  readonly setCookie: string | undefined;
  /** The client takes a status of gRPC. */
  readonly grpc: boolean;
  /** The connection closes after the response. It also does after an error that the client has caused. */
  readonly close: boolean;
}

export interface ErrorResponse {
  readonly status: number;
  readonly headers: string[];
  readonly body: Uint8Array | undefined;
}

/** Seconds after which a client may send a request again that was refused with 503. */
const retryAfterSeconds = 1;

/** Makes a locally generated response with `Proxy-Status` (RFC 9209). */
export function errorResponse(input: ErrorResponseInput): ErrorResponse {
  const { code, requestId, setCookie } = input;
  const { token, source } = errorKind(code);
  const { status, headers, body } = input.grpc ? grpcStatusResponse(input) : textResponse(input);
  headers.push("Proxy-Status", `evenkeel; error=${token}; details="${code}"`);
  headers.push("Via", "1.1 evenkeel", "X-Request-Id", requestId);
  if (setCookie !== undefined) headers.push("Set-Cookie", setCookie);
  if (status === 503) headers.push("Retry-After", String(retryAfterSeconds));
  // The rest of a refused message must not be read as the next request.
  if (input.close || source === "client") headers.push("Connection", "close");
  return { status, headers, body };
}

/** A status from the error table, and a short text or JSON body that names no upstream. */
function textResponse({ code, detail, requestId, accept }: ErrorResponseInput): ErrorResponse {
  const { status } = errorKind(code);
  const reason = reasonOf(status);
  const json = prefersJson(accept);
  const text = json
    ? `${JSON.stringify({ error: { code, message: detail ?? reason, requestId } })}\n`
    : `${status} ${reason} (${code})${detail === undefined ? "" : `: ${detail}`}\n`;
  const body = Buffer.from(text);
  const headers = [
    ...["Content-Type", json ? "application/json" : "text/plain; charset=utf-8"],
    ...["Content-Length", String(body.length)],
    ...["Cache-Control", "no-store"],
  ];
  return { status, headers, body };
}

/** A trailers-only response: the status of gRPC in the head, and no body. Its HTTP status is always 200. */
function grpcStatusResponse({ code, detail }: ErrorResponseInput): ErrorResponse {
  const message = `${detail ?? reasonOf(errorKind(code).status)} (${code})`;
  const headers = [
    ...["Content-Type", "application/grpc"],
    ...["grpc-status", String(grpcStatusOfError(code))],
    ...["grpc-message", encodeGrpcMessage(message)],
  ];
  return { status: 200, headers, body: undefined };
}

function reasonOf(status: number): string {
  return reasonPhrase(status) || "Error";
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
