import { isConnectionField } from "../../http2/field-rules.ts";
import { checkField, checkRequestLine, expectsLength } from "../http1/request-writer.ts";
import type { RequestHead } from "../transport.ts";

/** Stands for the name of a header that is not sent over HTTP/2. */
const dropped = "";
const host = "host";

/** Names as written -> names as sent: one lookup replaces a conversion and its checks. Bounded, since names come from clients. */
const sentNames = new Map<string, string>();
const maxSentNames = 1_000;

/**
 * Returns the fields of a request over HTTP/2 as alternating names and values: pseudo-fields first, names in lower case, `Host`
 * as `:authority`, no connection-specific fields (RFC 9113 sections 8.2 and 8.3.1).
 *
 * Held to the same rules as a request over HTTP/1.1: throws a `TransportError` before anything is sent.
 */
export function requestFields(head: RequestHead, scheme: "http" | "https"): string[] {
  const { method, path, headers, bodyLength } = head;
  checkRequestLine(method, path, bodyLength);
  const fields = [":method", method, ":scheme", scheme, ":authority", "", ":path", path];
  let authority: string | undefined;
  for (let index = 0; index < headers.length; index += 2) {
    const value = trimmed(headers[index + 1] as string);
    checkField(headers[index] as string, value);
    const name = sentName(headers[index] as string);
    if (name === dropped) continue;
    if (name === host) authority ??= value;
    else if (name !== "te" || value.toLowerCase() === "trailers") fields.push(name, value);
  }
  if (authority === undefined || authority === "") fields.splice(4, 2);
  else fields[5] = authority;
  if (bodyLength > 0 || (bodyLength === 0 && expectsLength(method))) fields.push("content-length", String(bodyLength));
  return fields;
}

/** HTTP/2 forbids connection-specific fields, and HTTP2-Settings offers what is chosen already. TE may say `trailers`. */
function sentName(name: string): string {
  const known = sentNames.get(name);
  if (known !== undefined) return known;
  const lower = name.toLowerCase();
  const sent = isConnectionField(lower) || lower === "http2-settings" ? dropped : lower;
  if (sentNames.size < maxSentNames && name.length <= 64) sentNames.set(name, sent);
  return sent;
}

/** Removes white space around a value, which HTTP/1.1 allows and HTTP/2 does not. */
function trimmed(value: string): string {
  const first = value.charCodeAt(0);
  const last = value.charCodeAt(value.length - 1);
  return first === 0x20 || first === 0x09 || last === 0x20 || last === 0x09
    ? value.replace(/^[ \t]+|[ \t]+$/g, "")
    : value;
}
