/** The responses of the admin API, error responses included. */

import type { IncomingMessage, ServerResponse } from "node:http";
import { debuglog } from "node:util";
import { formatPath, OptionsError, ProxyError } from "evenkeel";
import { HttpError } from "./http-error.ts";

const debug = debuglog("evenkeel:admin");

export interface AdminResponse {
  readonly status: number;
  readonly type: string;
  readonly body: string | Buffer;
  readonly headers?: Readonly<Record<string, string>>;
}

/** A response that writes itself and has no end of its own. */
export interface StreamingResponse {
  /** May throw an `HttpError` before it has written anything. */
  open(res: ServerResponse): void;
}

export function json(status: number, value: unknown, headers: Readonly<Record<string, string>> = {}): AdminResponse {
  return { status, type: "application/json; charset=utf-8", body: `${JSON.stringify(value)}\n`, headers };
}

/** A response without a body. */
export function noContent(headers: Readonly<Record<string, string>>): AdminResponse {
  return { status: 204, type: "", body: "", headers };
}

/** An error that was not written for clients becomes a bare 500. `NODE_DEBUG=evenkeel:admin` prints it. */
export function toErrorResponse(error: unknown): AdminResponse {
  if (error instanceof HttpError) return errorResponse(error.status, error.code, error.message, {}, error.headers);
  if (error instanceof OptionsError) return errorResponse(422, error.code, error.message, issuesOf(error));
  if (error instanceof ProxyError && error.code === "unknown_upstream") {
    return errorResponse(404, error.code, error.message);
  }
  debug("%o", error);
  return errorResponse(500, "internal", "the admin API failed; the request was valid");
}

/** The response to a failed reload. The old configuration stays in force, whatever the reason. */
export function reloadErrorResponse(error: unknown): AdminResponse {
  const code = error instanceof ProxyError ? error.code : "reload_failed";
  const message = error instanceof Error ? error.message : "the configuration could not be loaded";
  return errorResponse(422, code, message, issuesOf(error));
}

/** Does nothing when other code has begun the response, or the client has closed the connection. */
export function send(req: IncomingMessage, res: ServerResponse, response: AdminResponse | StreamingResponse): void {
  if (res.headersSent || res.destroyed) return;
  if ("open" in response) return response.open(res);
  // The rest of the body is not read, so the connection cannot be reused.
  if (hasBody(req) && !req.complete) res.setHeader("connection", "close");
  // RFC 9110 section 8.6: a 204 has no content-length, and a 304 only that of its 200.
  const bodiless = response.status === 204 || response.status === 304;
  res.writeHead(response.status, {
    ...(!bodiless && { "content-type": response.type, "content-length": Buffer.byteLength(response.body) }),
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    ...response.headers,
  });
  res.end(response.body);
}

/** Whether a request has a body (RFC 9112 section 6.3). */
export function hasBody(req: IncomingMessage): boolean {
  return req.headers["transfer-encoding"] !== undefined || Number(req.headers["content-length"] ?? 0) > 0;
}

function errorResponse(
  status: number,
  code: string,
  message: string,
  details: object = {},
  headers: Readonly<Record<string, string>> = {},
): AdminResponse {
  return json(status, { error: { code, message, ...details } }, headers);
}

function issuesOf(error: unknown): object {
  if (!(error instanceof OptionsError)) return {};
  return { issues: error.issues.map(({ path, message }) => ({ path: formatPath(path), message })) };
}
