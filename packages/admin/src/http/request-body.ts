import type { IncomingMessage } from "node:http";
import { OptionsError } from "evenkeel";
import { limits } from "../limits.ts";
import { HttpError } from "./http-error.ts";
import { hasBody } from "./response.ts";

/**
 * Reads the JSON body of a change. Returns undefined for an empty one.
 *
 * The body is bounded in bytes and in time. `content-type: application/json` is required: a page of another site cannot send
 * it without a CORS preflight. If a body parser of a framework has read the body, `req.body` is used.
 */
export async function readJsonBody(req: IncomingMessage): Promise<unknown> {
  const type = req.headers["content-type"]?.split(";", 1)[0]?.trim().toLowerCase();
  if (type !== "application/json") {
    throw new HttpError(415, "unsupported_media_type", 'a change needs the header "content-type: application/json"');
  }
  const coding = req.headers["content-encoding"]?.toLowerCase() ?? "identity";
  if (coding !== "identity") {
    throw new HttpError(415, "unsupported_media_type", "send the body without content-encoding");
  }
  const parsed = (req as { body?: unknown }).body;
  if (req.readableDidRead && parsed !== undefined) {
    return typeof parsed === "string" || Buffer.isBuffer(parsed) ? parse(parsed.toString()) : parsed;
  }
  if (req.readableDidRead && hasBody(req)) {
    throw new HttpError(500, "internal", "other code has read the body already; mount the admin API in front of it");
  }
  return hasBody(req) ? parse(await readText(req)) : undefined;
}

/** Throws an `OptionsError` for a body that is not a JSON object. */
export function expectObject(body: unknown): object {
  if (typeof body === "object" && body !== null && !Array.isArray(body)) return body;
  throw new OptionsError([{ path: [], message: "expected a JSON object as the body" }]);
}

/** Throws an `OptionsError` unless the body is missing or `{}`. */
export function expectEmptyBody(body: unknown): void {
  if (body === undefined) return;
  const unknown = Object.keys(expectObject(body));
  if (unknown.length > 0) throw new OptionsError(unknown.map((key) => ({ path: [key], message: "unknown key" })));
}

function parse(text: string): unknown {
  if (text.trim() === "") return undefined;
  try {
    return JSON.parse(text);
  } catch {
    throw new HttpError(400, "bad_request", "the body is not JSON");
  }
}

function readText(req: IncomingMessage): Promise<string> {
  const tooLarge = new HttpError(413, "body_too_large", `a body has at most ${limits.bodyBytes} bytes`);
  if (Number(req.headers["content-length"] ?? 0) > limits.bodyBytes) return Promise.reject(tooLarge);
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    const onData = (chunk: Buffer) => {
      size += chunk.length;
      if (size > limits.bodyBytes) finish(() => reject(tooLarge));
      else chunks.push(chunk);
    };
    const onEnd = () => finish(() => resolve(Buffer.concat(chunks).toString()));
    const onClose = () =>
      finish(() => reject(new HttpError(400, "client_aborted", "the connection closed before the end of the body")));
    const onTimeout = () => {
      finish(() => reject(new HttpError(408, "request_timeout", `the body took longer than ${limits.bodyMs} ms`)));
    };
    const timer = setTimeout(onTimeout, limits.bodyMs).unref();
    const finish = (settle: () => void) => {
      clearTimeout(timer);
      req.off("data", onData).off("end", onEnd).off("close", onClose);
      settle();
    };
    // The error listener stays: the connection may fail later, and there is no other listener.
    req.on("data", onData).on("end", onEnd).on("close", onClose).on("error", onClose);
  });
}
