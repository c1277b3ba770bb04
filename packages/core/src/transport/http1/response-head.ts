/**
 * Reads and judges the head of a response by the letter of RFC 9112. A head that two readers could understand differently is
 * refused, not repaired: bare CR or LF, folded lines, white space before a colon, lengths that are not plain decimal numbers,
 * both a length and a transfer coding, codings other than chunked. test/transport/fuzz compares it with other readers.
 */

import { faultOfHead, headPattern, splitFieldLines } from "../../http1/field-lines.ts";
import { bodyLength, keepAliveTimeoutMs, keepsAlive } from "../../http1/framing.ts";
import { fieldText, fieldTextSource, token } from "../../http1/grammar.ts";
import { Http1Error, malformed } from "../../http1/http1-error.ts";

/** How the end of a body is found. */
export type Framing = "none" | "length" | "chunked" | "close";

export interface ResponseHead {
  readonly status: number;
  readonly statusText: string;
  /** Alternating names and values as received, without the white space around values. */
  readonly headers: string[];
  readonly framing: Framing;
  /** Bytes of the body; -1 when the length is not known before its end. */
  readonly length: number;
  /** The upstream reads another request on this connection. */
  readonly keepAlive: boolean;
  /** For how many milliseconds the upstream announces to keep an idle connection; Infinity when it does not. */
  readonly keepAliveMs: number;
  /** Events may be far apart. */
  readonly eventStream: boolean;
}

/** Matches a whole head at once, since nearly every head is well formed. */
const wholeHead = headPattern(`HTTP/1\\.([01]) ([1-9]\\d\\d)(?: (${fieldTextSource}))?`);
const statusLineStart = /^HTTP\/1\.[01] [1-9]\d\d(?:[ \r]|$)/;

/**
 * Parses a head without its empty line. `method` is that of the request, which decides whether there is a body. A status from
 * 600 to 999 has no class, and is passed on (RFC 9110 section 15). Throws an `Http1Error`.
 */
export function parseResponseHead(text: string, method: string, maxFields: number): ResponseHead {
  const match = wholeHead.exec(text);
  if (match === null) throw malformed(faultOfHead(text, statusLineStart, "status line"));
  const lineEnd = text.indexOf("\r\n");
  const headers = lineEnd === -1 ? [] : splitFieldLines(text, lineEnd + 2, maxFields);
  return judgeHead(Number(match[2]), match[3] ?? "", headers, match[1] === "0", method);
}

/** A head that a more lenient parser has read, such as Node's. The names are those of `http.IncomingMessage`. */
export interface LenientHead {
  readonly httpVersion: string;
  readonly statusCode?: number | undefined;
  readonly statusMessage?: string | undefined;
  readonly rawHeaders: readonly string[];
}

/** Holds a head that another parser has read to the rules of `parseResponseHead`. Throws an `Http1Error`. */
export function checkResponseHead(head: LenientHead, method: string, maxFields: number): ResponseHead {
  const { httpVersion, statusCode: status = 0, statusMessage = "", rawHeaders } = head;
  if (!/^1\.[01]$/.test(httpVersion) || !(status >= 100 && status <= 999) || !fieldText.test(statusMessage)) {
    throw malformed("a malformed status line");
  }
  for (let index = 0; index < rawHeaders.length; index += 2) {
    if (!token.test(rawHeaders[index] as string) || !fieldText.test(rawHeaders[index + 1] as string)) {
      throw malformed("a malformed header line");
    }
  }
  if (rawHeaders.length > maxFields * 2) throw new Http1Error("too-large", "too many header fields");
  return judgeHead(status, statusMessage, [...rawHeaders], httpVersion === "1.0", method);
}

/** Derives from the fields how the message is framed and whether the connection persists (RFC 9112 sections 6.3 and 9.3). */
function judgeHead(
  status: number,
  statusText: string,
  headers: string[],
  isHttp10: boolean,
  method: string,
): ResponseHead {
  let length: string | undefined;
  let coding: string | undefined;
  let connection = "";
  let keepAlive = "";
  let eventStream = false;
  for (let index = 0; index < headers.length; index += 2) {
    const name = headers[index] as string;
    // The names that are read have these lengths.
    if (name.length !== 14 && name.length !== 17 && name.length !== 10 && name.length !== 12) continue;
    const value = headers[index + 1] as string;
    const lower = name.toLowerCase();
    if (lower === "content-length") {
      if (length !== undefined) throw malformed("more than one Content-Length");
      length = value;
    } else if (lower === "transfer-encoding") {
      if (coding !== undefined) throw malformed("more than one Transfer-Encoding");
      coding = value;
    } else if (lower === "connection") connection += `,${value.toLowerCase()}`;
    else if (lower === "keep-alive") keepAlive = value.toLowerCase();
    else if (lower === "content-type") eventStream = /^text\/event-stream[ \t]*(?:;|$)/i.test(value);
  }
  const announced = bodyLength(length, coding, isHttp10);
  const bodiless = method === "HEAD" || status < 200 || status === 204 || status === 304;
  const framing = bodiless ? "none" : announced === undefined ? "close" : announced === -1 ? "chunked" : "length";
  return {
    status,
    statusText,
    headers,
    framing,
    length: bodiless ? 0 : (announced ?? -1),
    keepAlive: framing !== "close" && keepsAlive(connection, isHttp10),
    keepAliveMs: keepAliveTimeoutMs(keepAlive),
    eventStream,
  };
}
