/** What Content-Length, Transfer-Encoding and Connection say about a message and its connection. */

import { contentLength } from "./grammar.ts";
import { Http1Error, malformed } from "./http1-error.ts";

/**
 * Returns the length of a message's body in bytes, -1 for a chunked one, or undefined when neither field frames it (RFC 9112
 * section 6.3). Throws an `Http1Error` where two readers could disagree about the end of the body.
 */
export function bodyLength(
  length: string | undefined,
  coding: string | undefined,
  isHttp10: boolean,
): number | undefined {
  if (length !== undefined && !contentLength.test(length))
    throw malformed("a Content-Length that is not a plain number");
  if (coding === undefined) return length === undefined ? undefined : Number(length);
  if (length !== undefined) throw malformed("both Content-Length and Transfer-Encoding");
  if (coding.toLowerCase() !== "chunked") throw new Http1Error("unsupported", "a transfer coding other than chunked");
  if (isHttp10) throw malformed("a transfer coding in HTTP/1.0");
  return -1;
}

/**
 * Whether the connection stays open after the message (RFC 9112 section 9.3). `connection` has the values of all Connection
 * fields in lower case, each behind a comma.
 */
export function keepsAlive(connection: string, isHttp10: boolean): boolean {
  if (connection === "") return !isHttp10;
  if (connection === ",keep-alive") return true;
  const options = connection.split(",").map((option) => option.trim());
  return !options.includes("close") && (!isHttp10 || options.includes("keep-alive"));
}

/** Returns the timeout of a Keep-Alive field, given in lower case, in milliseconds; Infinity without one. */
export function keepAliveTimeoutMs(value: string): number {
  const seconds = /(?:^|[,;\s])timeout=(\d{1,6})/.exec(value)?.[1];
  return seconds === undefined ? Infinity : Number(seconds) * 1_000;
}
