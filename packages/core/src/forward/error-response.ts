import { type IncomingMessage, type ServerResponse, STATUS_CODES } from "node:http";
import { writeHead } from "../client/node/write-head.ts";
import { limits } from "../config/defaults.ts";
import { type ErrorCode, errorKind } from "../errors.ts";

/** What an answer of the proxy's own has to say. */
export interface Reply {
  readonly code: ErrorCode;
  /** What the client may know beside the code. */
  readonly detail: string | undefined;
  readonly requestId: string;
  /** The client's Accept header. */
  readonly accept: string | undefined;
  readonly setCookie: string | undefined;
  /** The request's body has been read to its end, or can be read to its end without effort. */
  readonly bodySettled: boolean;
  /** The proxy is closing, and its connections with it. */
  readonly draining: boolean;
}

/** Seconds after which a client that was told 503 may ask again. */
const retryAfterSeconds = 1;

/**
 * Answers a request in the proxy's own name: a status from the error table, `Proxy-Status` (RFC 9209), and a short text
 * or JSON body that names no upstream. Returns how many bytes of body went out.
 */
export function sendReply(res: ServerResponse, reply: Reply): number {
  const { status, token, source } = errorKind(reply.code);
  const reason = STATUS_CODES[status] ?? "Error";
  const json = prefersJson(reply.accept);
  const body = json
    ? `${JSON.stringify({ error: { code: reply.code, message: reply.detail ?? reason, requestId: reply.requestId } })}\n`
    : `${status} ${reason} (${reply.code})${reply.detail === undefined ? "" : `: ${reply.detail}`}\n`;
  const headers = [
    ["Content-Type", json ? "application/json" : "text/plain; charset=utf-8"],
    ["Content-Length", String(Buffer.byteLength(body))],
    ["Cache-Control", "no-store"],
    ["Proxy-Status", `evenkeel; error=${token}; details="${reply.code}"`],
    ["Via", "1.1 evenkeel"],
    ["X-Request-Id", reply.requestId],
  ];
  if (reply.setCookie !== undefined) headers.push(["Set-Cookie", reply.setCookie]);
  if (status === 503) headers.push(["Retry-After", String(retryAfterSeconds)]);
  // What is left of a message that was refused may not be read as the next request.
  if (!reply.bodySettled || reply.draining || source === "client") headers.push(["Connection", "close"]);
  writeHead(res, status, reason, headers.flat());
  res.end(body);
  return res.req.method === "HEAD" ? 0 : Buffer.byteLength(body);
}

/** Whether the rest of a request's body is so little that reading it is cheaper than a new connection. */
export function isSettled(req: IncomingMessage, bodyLength: number): boolean {
  return req.complete || (bodyLength >= 0 && bodyLength <= limits.discardedBodyBytes);
}

function prefersJson(accept: string | undefined): boolean {
  if (accept === undefined) return false;
  const json = accept.search(/application\/(?:[\w.+-]+\+)?json/i);
  const text = accept.search(/text\/(?:html|plain|\*)/i);
  return json !== -1 && (text === -1 || json < text);
}
