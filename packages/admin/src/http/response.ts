/** What an admin request is answered with, and how every failure becomes such an answer. */

import type { IncomingMessage, ServerResponse } from "node:http";
import { debuglog } from "node:util";
import { formatPath, OptionsError, ProxyError } from "evenkeel";

const debug = debuglog("evenkeel:admin");

export interface Answer {
  readonly status: number;
  readonly type: string;
  readonly body: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** An answer that writes itself, and has no end of its own. */
export interface Stream {
  /** May throw a `Refusal` before it has begun. */
  open(res: ServerResponse): void;
}

/** A request that is turned down: thrown on the way, answered as `{ error: { code, message } }`. */
export class Refusal extends Error {
  readonly status: number;
  readonly code: string;
  readonly headers: Readonly<Record<string, string>>;

  constructor(status: number, code: string, message: string, headers: Readonly<Record<string, string>> = {}) {
    super(message);
    this.status = status;
    this.code = code;
    this.headers = headers;
  }
}

export function json(status: number, value: unknown, headers: Readonly<Record<string, string>> = {}): Answer {
  return { status, type: "application/json; charset=utf-8", body: `${JSON.stringify(value)}\n`, headers };
}

/** Anything that was not thrown to be read by a client becomes a bare 500; `NODE_DEBUG=evenkeel:admin` prints it. */
export function toAnswer(error: unknown): Answer {
  if (error instanceof Refusal) return failure(error.status, error.code, error.message, {}, error.headers);
  if (error instanceof OptionsError) return failure(422, error.code, error.message, issuesOf(error));
  if (error instanceof ProxyError && error.code === "unknown_upstream") return failure(404, error.code, error.message);
  debug("%o", error);
  return failure(500, "internal", "the admin API failed; the request itself was in order");
}

/** The answer to a reload that was refused. Whatever the reason, the old configuration goes on serving. */
export function reloadFailure(error: unknown): Answer {
  const code = error instanceof ProxyError ? error.code : "reload_failed";
  const message = error instanceof Error ? error.message : "the configuration could not be loaded";
  return failure(422, code, message, issuesOf(error));
}

/** Sends an answer. Does nothing when the response has been begun by someone else or the client is gone. */
export function send(req: IncomingMessage, res: ServerResponse, answer: Answer | Stream): void {
  if (res.headersSent || res.destroyed) return;
  if ("open" in answer) return answer.open(res);
  // A body that nobody is going to read must not keep the connection busy.
  if (hasBody(req) && !req.complete) res.setHeader("connection", "close");
  res.writeHead(answer.status, {
    "content-type": answer.type,
    "content-length": Buffer.byteLength(answer.body),
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    ...answer.headers,
  });
  res.end(answer.body);
}

/** Whether a request announces a body, by RFC 9112 section 6.3. */
export function hasBody(req: IncomingMessage): boolean {
  return req.headers["transfer-encoding"] !== undefined || Number(req.headers["content-length"] ?? 0) > 0;
}

function failure(
  status: number,
  code: string,
  message: string,
  details: object = {},
  headers: Readonly<Record<string, string>> = {},
): Answer {
  return json(status, { error: { code, message, ...details } }, headers);
}

function issuesOf(error: unknown): object {
  if (!(error instanceof OptionsError)) return {};
  return { issues: error.issues.map(({ path, message }) => ({ path: formatPath(path), message })) };
}
