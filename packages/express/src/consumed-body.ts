/**
 * Bodies that a parser in front of the proxy has read: the bytes are gone, but what the parser made of them is in
 * `req.body`, and most kinds can be written out again so that the upstream reads the same.
 */

import { type ForwardOptions, ProxyError } from "evenkeel";
import type { Request } from "express";

/** What the proxy has to be told of a body that has been read already; nothing when it is still to come. */
export function consumedBody(req: Request): Pick<ForwardOptions, "body" | "rawHeaders"> {
  return isConsumed(req) ? { body: () => restoreBody(req), rawHeaders: restoredHeaders(req) } : {};
}

/** Whether the request had a body and somebody has read it to its end. */
function isConsumed(req: Request): boolean {
  const isRead = req.readableEnded || (req.complete && req.readableDidRead && req.body !== undefined);
  return isRead && (received(req, "transfer-encoding") !== undefined || Number(received(req, "content-length")) > 0);
}

/** How the body came. An app may have deleted it from `req.headers` meanwhile, as after a change to `req.body`. */
function received({ rawHeaders }: Request, lower: string): string | undefined {
  const index = rawHeaders.findIndex((text, place) => place % 2 === 0 && text.toLowerCase() === lower);
  return index === -1 ? undefined : rawHeaders[index + 1];
}

/**
 * The body in bytes again. Text comes out in UTF-8, JSON without its white space, a form with repeated keys and brackets.
 *
 * Throws a `ProxyError` when the parser has left nothing that says what the bytes were, as with multipart forms.
 */
function restoreBody(req: Request): Uint8Array {
  const body: unknown = rawBodyOf(req) ?? req.body;
  const type = mediaType(req);
  if (body instanceof Uint8Array) return body;
  const isJson = /[/+]json$/.test(type);
  if (typeof body === "string") return Buffer.from(isJson ? jsonText(req, body) : body);
  if (isJson && body !== undefined) return Buffer.from(JSON.stringify(body));
  if (type === "application/x-www-form-urlencoded" && typeof body === "object" && body !== null) {
    return Buffer.from(toForm(body));
  }
  throw lost(
    body === undefined ? "req.body is not set" : `req.body does not say what the ${type || "untyped"} body was`,
  );
}

function lost(found: string): ProxyError {
  const message = `something in front of the proxy has read the request's body, and ${found}`;
  return new ProxyError(
    "body_consumed",
    `${message}; mount the proxy in front of it, or keep the bytes in req.rawBody`,
  );
}

/** The bytes as an app has kept them: in the `verify` of a body parser, and by default in Firebase and Google Cloud Functions. */
function rawBodyOf(req: Request): Uint8Array | undefined {
  const { rawBody } = req as { rawBody?: unknown };
  if (typeof rawBody === "string") return Buffer.from(rawBody);
  return rawBody instanceof Uint8Array ? rawBody : undefined;
}

/**
 * What a string was in the body: the text itself, as `express.text()` leaves it, or the value of a JSON string, as
 * `express.json({ strict: false })` does. The text is as long as it was announced, and the value is always shorter, by its
 * quotes at least. Without a length, an object or array is taken for text, and a value that is itself no JSON is a string's.
 */
function jsonText(req: Request, body: string): string {
  const length = announcedUtf8Length(req);
  if (length !== undefined) return Buffer.byteLength(body) === length ? body : JSON.stringify(body);
  if (body === "") throw lost("req.body is empty, which may stand for no JSON or for an empty string");
  try {
    const parsed: unknown = JSON.parse(body);
    if (typeof parsed === "object" && parsed !== null) return body;
  } catch {
    return JSON.stringify(body);
  }
  throw lost("req.body may be the JSON text or the string that it stands for");
}

/** The length of a body that came as it is, in UTF-8; undefined for one in chunks, compressed, or in another charset. */
function announcedUtf8Length(req: Request): number | undefined {
  const { headers } = req;
  const length = received(req, "content-length");
  const charset = /;\s*charset\s*=\s*"?([^\s";]+)/i.exec(headers["content-type"] ?? "")?.[1]?.toLowerCase() ?? "utf-8";
  const isPlain = ["utf-8", "utf8", "us-ascii"].includes(charset) && headers["content-encoding"] === undefined;
  return isPlain && length !== undefined ? Number(length) : undefined;
}

/** The request's headers as they fit the restored body: parsers undo the content coding, and text is UTF-8 now. */
function restoredHeaders(req: Request): string[] {
  const body: unknown = rawBodyOf(req) ?? req.body;
  const isRaw = body instanceof Uint8Array;
  // As many bytes as were announced: whoever collected them has not inflated them.
  const untouched = isRaw && body.length === Number(received(req, "content-length"));
  if (untouched) return req.rawHeaders;
  const headers: string[] = [];
  for (let index = 0; index < req.rawHeaders.length; index += 2) {
    const name = req.rawHeaders[index] as string;
    const value = req.rawHeaders[index + 1] as string;
    const lower = name.toLowerCase();
    if (lower === "content-encoding") continue;
    headers.push(name, lower === "content-type" && !isRaw ? inUtf8(value) : value);
  }
  return headers;
}

function mediaType(req: Request): string {
  return (req.headers["content-type"] ?? "").split(";", 1).join().trim().toLowerCase();
}

function inUtf8(contentType: string): string {
  return contentType.replace(/(;\s*charset\s*=\s*)(?:"[^"]*"|[^\s;]+)/i, "$1utf-8");
}

/** Writes a form the way the qs package reads it, which reads flat and repeated keys like everybody else. */
function toForm(form: object): string {
  return Object.entries(form)
    .flatMap(([key, value]) => pairs(key, value))
    .join("&");
}

function pairs(key: string, value: unknown): string[] {
  if (Array.isArray(value)) {
    // A repeated key stays one. A single element needs its brackets, or it would be read as no list at all.
    const repeated = value.length > 1 && value.every((element) => typeof element !== "object");
    return value.flatMap((element, index) => pairs(repeated ? key : `${key}[${index}]`, element));
  }
  if (typeof value === "object" && value !== null) {
    return Object.entries(value).flatMap(([name, member]) => pairs(`${key}[${name}]`, member));
  }
  return [`${encodeURIComponent(key)}=${encodeURIComponent(String(value ?? ""))}`];
}
