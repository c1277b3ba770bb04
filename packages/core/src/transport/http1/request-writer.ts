import { fieldText, framingName, requestTarget, token } from "../../http1/grammar.ts";
import type { RequestHead } from "../transport.ts";
import { TransportError } from "../transport-error.ts";

type MessageHead = Pick<RequestHead, "method" | "path" | "headers" | "bodyLength">;

/**
 * Writes a request's head as one Latin-1 string, with framing of our own from the length of its body.
 *
 * Every part is checked, wherever it came from, so that no value can end a line and begin another: throws a `TransportError`
 * before anything is sent.
 */
export function writeRequestHead({ method, path, headers, bodyLength }: MessageHead): string {
  checkRequestLine(method, path, bodyLength);
  let text = `${method} ${path} HTTP/1.1\r\n`;
  let hasTe = false;
  for (let index = 0; index < headers.length; index += 2) {
    const name = headers[index] as string;
    const value = headers[index + 1] as string;
    checkField(name, value);
    text += `${name}: ${value}\r\n`;
    hasTe ||= name === "TE";
  }
  // RFC 9110 section 10.1.4: TE is for this connection alone.
  if (hasTe) text += "Connection: TE\r\n";
  if (bodyLength === -1) text += "Transfer-Encoding: chunked\r\n";
  else if (bodyLength > 0 || expectsLength(method)) text += `Content-Length: ${bodyLength}\r\n`;
  return `${text}\r\n`;
}

/** Throws a `TransportError` for what no request may be sent with, whatever the version of HTTP. */
export function checkRequestLine(method: string, path: string, bodyLength: number): void {
  if (!token.test(method) || !requestTarget.test(path))
    throw new TransportError("internal", "a method or path out of grammar");
  if (!Number.isSafeInteger(bodyLength) || bodyLength < -1)
    throw new TransportError("internal", "a length out of range");
}

/** Throws a `TransportError` for a header that could not be sent as it is, or that frames. */
export function checkField(name: string, value: string): void {
  if (isFieldName(name) && fieldText.test(value)) return;
  throw new TransportError("internal", `a header out of grammar, or one that frames: ${name}`);
}

/** Methods whose requests usually have a body say so when theirs is empty (RFC 9110 section 8.6). */
export function expectsLength(method: string): boolean {
  return method === "POST" || method === "PUT" || method === "PATCH";
}

/** Names repeat from request to request: one look-up instead of one scan. Bounded, since names come from clients. */
const knownNames = new Set<string>();
const maxKnownNames = 1_000;

/** Framing is our own: a length or a coding from elsewhere would contradict it. */
function isFieldName(name: string): boolean {
  if (knownNames.has(name)) return true;
  if (!token.test(name) || framingName.test(name)) return false;
  if (knownNames.size < maxKnownNames && name.length <= 64) knownNames.add(name);
  return true;
}
