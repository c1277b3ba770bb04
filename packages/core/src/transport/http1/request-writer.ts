import { fieldText, framingName, requestTarget, token } from "../../http1/grammar.ts";
import type { RequestHead } from "../transport.ts";
import { TransportError } from "../transport-error.ts";

type MessageHead = Pick<RequestHead, "method" | "path" | "headers" | "bodyLength">;

/**
 * Serializes the head of a request as one Latin-1 string, with framing headers from the length of its body.
 *
 * Every part is checked, whatever its source, so that no value can end a line and begin another. Throws a `TransportError`
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
  // TE is hop-by-hop (RFC 9110 section 10.1.4).
  if (hasTe) text += "Connection: TE\r\n";
  if (bodyLength === -1) text += "Transfer-Encoding: chunked\r\n";
  else if (bodyLength > 0 || expectsLength(method)) text += `Content-Length: ${bodyLength}\r\n`;
  return `${text}\r\n`;
}

/** Throws a `TransportError` for a malformed request line or an invalid length, in any version of HTTP. */
export function checkRequestLine(method: string, path: string, bodyLength: number): void {
  if (!token.test(method) || !requestTarget.test(path))
    throw new TransportError("internal", "a malformed method or path");
  if (!Number.isSafeInteger(bodyLength) || bodyLength < -1)
    throw new TransportError("internal", "a length out of range");
}

/** Throws a `TransportError` for a malformed header, or one that frames the message. */
export function checkField(name: string, value: string): void {
  if (isFieldName(name) && fieldText.test(value)) return;
  throw new TransportError("internal", `a header that is malformed or frames the message: ${name}`);
}

/** Whether an empty body is announced by `Content-Length: 0`: for methods that usually have one (RFC 9110 section 8.6). */
export function expectsLength(method: string): boolean {
  return method === "POST" || method === "PUT" || method === "PATCH";
}

/** Valid names that were seen: one lookup replaces a scan. Bounded, since names come from clients. */
const knownNames = new Set<string>();
const maxKnownNames = 1_000;

/** Refuses framing headers as well: they could contradict those that are written here. */
function isFieldName(name: string): boolean {
  if (knownNames.has(name)) return true;
  if (!token.test(name) || framingName.test(name)) return false;
  if (knownNames.size < maxKnownNames && name.length <= 64) knownNames.add(name);
  return true;
}
