import { randomUUID } from "node:crypto";
import { STATUS_CODES } from "node:http";
import type { Socket } from "node:net";
import { type ErrorCode, ProxyError, type RequestEvent } from "evenkeel";

/** Why bytes of a client do not become a request, by node's name for it. Undefined: the connection itself failed. */
export function refusalCode(error: NodeJS.ErrnoException): ErrorCode | undefined {
  const { code = "" } = error;
  if (code === "ERR_HTTP_REQUEST_TIMEOUT") return "request_timeout";
  if (code === "HPE_HEADER_OVERFLOW") return "headers_too_large";
  if (code === "HPE_CHUNK_EXTENSIONS_OVERFLOW") return "body_too_large";
  // The connection ended within a request: there is nobody to answer.
  if (code === "HPE_INVALID_EOF_STATE") return undefined;
  return code.startsWith("HPE_") ? "bad_request" : undefined;
}

/** A refusal as the bytes of an answer, and as the line that the access log has for it. */
export interface Refusal {
  readonly answer: string;
  readonly event: RequestEvent;
}

/** Refuses what has not become a request: nothing of it is known but who sent it. */
export function createRefusal(code: ErrorCode, socket: Socket): Refusal {
  const { status } = new ProxyError(code, "");
  const reason = STATUS_CODES[status] ?? "Error";
  const requestId = randomUUID();
  const body = `${status} ${reason} (${code})\n`;
  const head = [
    `HTTP/1.1 ${status} ${reason}`,
    `Date: ${new Date().toUTCString()}`,
    "Content-Type: text/plain; charset=utf-8",
    `Content-Length: ${body.length}`,
    "Cache-Control: no-store",
    `Proxy-Status: evenkeel; error=http_request_error; details="${code}"`,
    "Via: 1.1 evenkeel",
    `X-Request-Id: ${requestId}`,
    "Connection: close",
  ];
  const event: RequestEvent = {
    time: Date.now(),
    requestId,
    client: (socket.remoteAddress ?? "").replace(/^::ffff:/, ""),
    method: "",
    host: "",
    url: "",
    protocol: "",
    status,
    bytesIn: 0,
    bytesOut: body.length,
    durationMs: 0,
    route: undefined,
    pool: undefined,
    upstream: undefined,
    attempts: [],
    error: code,
    flags: [],
    traceparent: undefined,
    userAgent: undefined,
    referer: undefined,
  };
  return { answer: `${head.join("\r\n")}\r\n\r\n${body}`, event };
}
