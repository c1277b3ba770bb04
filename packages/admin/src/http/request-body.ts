import type { IncomingMessage } from "node:http";
import { OptionsError } from "evenkeel";
import { limits } from "../limits.ts";
import { hasBody, Refusal } from "./response.ts";

/**
 * Reads the JSON body of a change; undefined when there is none.
 *
 * Bounded in bytes and in time. Insists on `content-type: application/json`, which a page of another site cannot
 * send without asking first. A body that a framework's parser has read already is taken from `req.body`.
 */
export async function readJson(req: IncomingMessage): Promise<unknown> {
  const type = req.headers["content-type"]?.split(";", 1)[0]?.trim().toLowerCase();
  if (type !== "application/json") {
    throw new Refusal(415, "unsupported_media_type", 'a change needs the header "content-type: application/json"');
  }
  const coding = req.headers["content-encoding"]?.toLowerCase() ?? "identity";
  if (coding !== "identity") {
    throw new Refusal(415, "unsupported_media_type", "send the body without content-encoding");
  }
  const parsed = (req as { body?: unknown }).body;
  if (req.readableDidRead && parsed !== undefined) {
    return typeof parsed === "string" || Buffer.isBuffer(parsed) ? parse(parsed.toString()) : parsed;
  }
  if (req.readableDidRead && hasBody(req)) {
    throw new Refusal(
      500,
      "internal",
      "the body was read before it came here; mount the admin API ahead of what reads it",
    );
  }
  return hasBody(req) ? parse(await readText(req)) : undefined;
}

/** The body as a table of keys. Throws an `OptionsError` for anything else. */
export function toTable(body: unknown): object {
  if (typeof body === "object" && body !== null && !Array.isArray(body)) return body;
  throw new OptionsError([{ path: [], message: "expected a JSON object as the body" }]);
}

/** For changes that need no more than their path: no body, or `{}`. */
export function expectNothing(body: unknown): void {
  if (body === undefined) return;
  const unknown = Object.keys(toTable(body));
  if (unknown.length > 0) throw new OptionsError(unknown.map((key) => ({ path: [key], message: "unknown key" })));
}

function parse(text: string): unknown {
  if (text.trim() === "") return undefined;
  try {
    return JSON.parse(text);
  } catch {
    throw new Refusal(400, "bad_request", "the body is not JSON");
  }
}

function readText(req: IncomingMessage): Promise<string> {
  const tooLarge = new Refusal(413, "body_too_large", `a body has at most ${limits.bodyBytes} bytes`);
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
    const onClose = () => finish(() => reject(new Refusal(400, "client_aborted", "the body ended before its end")));
    const onTimeout = () => {
      finish(() => reject(new Refusal(408, "request_timeout", `the body took longer than ${limits.bodyMs} ms`)));
    };
    const timer = setTimeout(onTimeout, limits.bodyMs).unref();
    const finish = (settle: () => void) => {
      clearTimeout(timer);
      req.off("data", onData).off("end", onEnd).off("close", onClose);
      settle();
    };
    // The error listener stays: a connection may break at any later time, and nobody else listens.
    req.on("data", onData).on("end", onEnd).on("close", onClose).on("error", onClose);
  });
}
