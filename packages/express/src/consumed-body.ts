/**
 * Bodies that a body parser in front of the proxy has read. The bytes are gone, but `req.body` has the parsed value, and most
 * kinds can be serialized again so that the upstream reads the same.
 */

import { type ForwardOptions, ProxyError } from "evenkeel";
import type { Request } from "express";

/** Returns the body and the headers to forward for a body that has been read, and no options for an unread one. */
export function consumedBody(req: Request): Pick<ForwardOptions, "body" | "rawHeaders"> {
  return isConsumed(req) ? { body: () => restoreBody(req), rawHeaders: restoredHeaders(req) } : {};
}

/** Whether the request had a body and other code has read it to its end. */
function isConsumed(req: Request): boolean {
  const isRead = req.readableEnded || (req.complete && req.readableDidRead && req.body !== undefined);
  return isRead && (received(req, "transfer-encoding") !== undefined || Number(received(req, "content-length")) > 0);
}

/** Returns a header as the client sent it. An app may have deleted it from `req.headers`, as after a change of `req.body`. */
function received({ rawHeaders }: Request, lower: string): string | undefined {
  const index = rawHeaders.findIndex((text, place) => place % 2 === 0 && text.toLowerCase() === lower);
  return index === -1 ? undefined : rawHeaders[index + 1];
}

/**
 * Serializes the body again: text in UTF-8, JSON without white space, a form with repeated keys and brackets.
 *
 * Throws a `ProxyError` if the parsed value does not determine the bytes, as with multipart forms.
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
  throw bodyConsumed(
    body === undefined ? "req.body is not set" : `req.body does not say what the ${type || "untyped"} body was`,
  );
}

function bodyConsumed(found: string): ProxyError {
  const message = `other code in front of the proxy has read the request's body, and ${found}`;
  return new ProxyError(
    "body_consumed",
    `${message}; mount the proxy in front of it, or keep the bytes in req.rawBody`,
  );
}

/** The bytes in `req.rawBody`, as a body parser's `verify` can keep them, and as Firebase and Google Cloud Functions do. */
function rawBodyOf(req: Request): Uint8Array | undefined {
  const { rawBody } = req as { rawBody?: unknown };
  if (typeof rawBody === "string") return Buffer.from(rawBody);
  return rawBody instanceof Uint8Array ? rawBody : undefined;
}

/**
 * Returns the JSON text of a body whose parsed value is a string. The string is the text itself, as `express.text()` sets it, or
 * the value of a JSON string, as `express.json({ strict: false })` sets it. The text has the length in Content-Length, and the
 * value is shorter, at least by its quotes. Without a length, an object or an array is text, and a string that is not JSON is
 * a value.
 */
function jsonText(req: Request, body: string): string {
  const length = announcedUtf8Length(req);
  if (length !== undefined) return Buffer.byteLength(body) === length ? body : JSON.stringify(body);
  if (body === "") throw bodyConsumed("req.body is empty, which may be an empty body or an empty JSON string");
  try {
    const parsed: unknown = JSON.parse(body);
    if (typeof parsed === "object" && parsed !== null) return body;
  } catch {
    return JSON.stringify(body);
  }
  throw bodyConsumed("req.body may be the JSON text or the value of a JSON string");
}

/** The Content-Length of an uncompressed body in UTF-8; undefined for a chunked body and for other codings and charsets. */
function announcedUtf8Length(req: Request): number | undefined {
  const { headers } = req;
  const length = received(req, "content-length");
  const charset = /;\s*charset\s*=\s*"?([^\s";]+)/i.exec(headers["content-type"] ?? "")?.[1]?.toLowerCase() ?? "utf-8";
  const isPlain = ["utf-8", "utf8", "us-ascii"].includes(charset) && headers["content-encoding"] === undefined;
  return isPlain && length !== undefined ? Number(length) : undefined;
}

/** The request's headers, changed for the restored body: parsers decode the content coding, and text is in UTF-8 now. */
function restoredHeaders(req: Request): string[] {
  const body: unknown = rawBodyOf(req) ?? req.body;
  const isRaw = body instanceof Uint8Array;
  // The length is that of Content-Length, so the bytes have not been decompressed.
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

/** Serializes a form for the qs package, which reads flat and repeated keys like other parsers. */
function toForm(form: object): string {
  return Object.entries(form)
    .flatMap(([key, value]) => pairs(key, value))
    .join("&");
}

function pairs(key: string, value: unknown): string[] {
  if (Array.isArray(value)) {
    // Several scalars become a repeated key. A single element needs brackets, or it would not be parsed as an array.
    const repeated = value.length > 1 && value.every((element) => typeof element !== "object");
    return value.flatMap((element, index) => pairs(repeated ? key : `${key}[${index}]`, element));
  }
  if (typeof value === "object" && value !== null) {
    return Object.entries(value).flatMap(([name, member]) => pairs(`${key}[${name}]`, member));
  }
  return [`${encodeURIComponent(key)}=${encodeURIComponent(String(value ?? ""))}`];
}
