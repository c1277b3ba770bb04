/**
 * The head of a response, read to the letter of RFC 9112. Whatever two readers could understand differently is refused, not
 * repaired: bare CR or LF, folded lines, space before a colon, lengths that are not plain decimal numbers, both a length
 * and a transfer coding, codings other than chunked. test/wire/fuzz holds it against other readers.
 */

import { limits } from "../../config/defaults.ts";
import { TransportError } from "../transport-error.ts";

/** How the end of a body is found. */
export type Framing = "none" | "length" | "chunked" | "close";

export interface ResponseHead {
  readonly status: number;
  readonly statusText: string;
  /** Names and values by turns, as they came, without the white space around values. */
  readonly headers: string[];
  readonly framing: Framing;
  /** Bytes of the body; -1 when only its end will tell. */
  readonly length: number;
  /** The upstream will read another request on this connection. */
  readonly keepAlive: boolean;
  /** Milliseconds that the upstream says it keeps an idle connection; Infinity when it does not say. */
  readonly keepAliveMs: number;
  /** Events may be far between. */
  readonly eventStream: boolean;
}

/** Matches the names of the headers that frame a message. */
export const framingName: RegExp = /^(?:content-length|transfer-encoding)$/i;

/** All of a head in one look, since nearly every one is well formed: a status line, and lines of a token, a colon and text. */
const wholeHead =
  /^HTTP\/1\.([01]) ([1-9]\d\d)(?: ([\t -~\x80-\xff]*))?(?:\r\n[!#$%&'*+\-.^_`|~\w]+:[\t -~\x80-\xff]*)*$/;
const wholeTrailers = /^[!#$%&'*+\-.^_`|~\w]+:[\t -~\x80-\xff]*(?:\r\n[!#$%&'*+\-.^_`|~\w]+:[\t -~\x80-\xff]*)*$/;
/** 15 digits stay below 2^53: a length that cannot be counted is none. */
const decimal = /^(?:0|[1-9]\d{0,14})$/;

/**
 * Parses a head without its empty line. `method` is that of the request, which decides whether there is a body. A status of
 * 600 to 999 means what its first digit cannot say: it is passed on (RFC 9110 section 15).
 */
export function parseResponseHead(text: string, method: string, maxFields: number): ResponseHead {
  const match = wholeHead.exec(text);
  if (match === null) throw invalid(faultOf(text));
  const lineEnd = text.indexOf("\r\n");
  const headers = lineEnd === -1 ? [] : splitFields(text, lineEnd + 2, maxFields);
  return describe(Number(match[2]), match[3] ?? "", headers, { http10: match[1] === "0", method });
}

/**
 * Parses trailers without their empty line, names and values by turns. Those that would frame the message are left out: they
 * have no say any more, and RFC 9110 section 6.5.1 has them ignored.
 */
export function parseTrailers(text: string): string[] {
  if (text === "") return [];
  if (!wholeTrailers.test(text)) throw invalid("trailers out of grammar");
  const harmless = text.split("\r\n").filter((line) => !framingName.test(line.slice(0, line.indexOf(":"))));
  return splitFields(harmless.join("\r\n"), 0, limits.trailerFields);
}

/** Says what is wrong with a head that is not well formed. */
function faultOf(text: string): string {
  if (/[^\t\r\n -~\x80-\xff]/.test(text)) return "a control character in the head";
  if (/\r(?!\n)|(?:^|[^\r])\n/.test(text)) return "a bare CR or LF in the head";
  if (!/^HTTP\/1\.[01] [1-9]\d\d(?:[ \r]|$)/.test(text)) return "a status line out of grammar";
  // Among them folded lines and space before a colon: white space is no part of a token.
  return "a header line out of grammar";
}

/** Takes well-formed fields apart, from `start` to the end of the text. */
function splitFields(text: string, start: number, maxFields: number): string[] {
  const fields: string[] = [];
  for (let position = start; position < text.length; ) {
    const colon = text.indexOf(":", position);
    const lineEnd = text.indexOf("\r\n", colon);
    const end = lineEnd === -1 ? text.length : lineEnd;
    const name = text.slice(position, colon);
    fields.push(name, readValue(text, colon + 1, end, name));
    if (fields.length > maxFields * 2) {
      throw new TransportError("response_headers_too_large", "too many header fields");
    }
    position = end + 2;
  }
  return fields;
}

/** Optional white space around a value is a matter of this hop (RFC 9112 section 5.1). */
function readValue(text: string, start: number, end: number, name: string): string {
  let from = start;
  let to = end;
  while (from < to && isSpace(text.charCodeAt(from))) from++;
  while (to > from && isSpace(text.charCodeAt(to - 1))) to--;
  // llhttp, and so most of Node, takes `chunked` and a tab for another coding, and reads on until the end.
  if (to < end && framingName.test(name) && text.slice(to, end).includes("\t")) {
    throw invalid("a tab behind a length or a transfer coding");
  }
  return text.slice(from, to);
}

function isSpace(code: number): boolean {
  return code === 0x20 || code === 0x09;
}

/** Finds in the headers what frames the message and what becomes of the connection (RFC 9112 sections 6.3 and 9.3). */
function describe(
  status: number,
  statusText: string,
  headers: string[],
  { http10, method }: { readonly http10: boolean; readonly method: string },
): ResponseHead {
  let length: string | undefined;
  let coding: string | undefined;
  let connection = "";
  let keepAlive = "";
  let eventStream = false;
  for (let index = 0; index < headers.length; index += 2) {
    const name = headers[index] as string;
    // Only the lengths of these names are worth a look.
    if (name.length !== 14 && name.length !== 17 && name.length !== 10 && name.length !== 12) continue;
    const value = headers[index + 1] as string;
    const lower = name.toLowerCase();
    if (lower === "content-length") {
      if (length !== undefined) throw invalid("more than one Content-Length");
      length = value;
    } else if (lower === "transfer-encoding") {
      if (coding !== undefined) throw invalid("more than one Transfer-Encoding");
      coding = value;
    } else if (lower === "connection") connection += `,${value.toLowerCase()}`;
    else if (lower === "keep-alive") keepAlive = value.toLowerCase();
    else if (lower === "content-type") eventStream = /^text\/event-stream[ \t]*(?:;|$)/i.test(value);
  }
  if (length !== undefined && !decimal.test(length)) throw invalid("a Content-Length that is not a plain number");
  if (coding !== undefined) {
    if (length !== undefined) throw invalid("both Content-Length and Transfer-Encoding");
    if (coding.toLowerCase() !== "chunked") throw invalid("a transfer coding other than chunked");
    if (http10) throw invalid("a transfer coding in HTTP/1.0");
  }
  const bodiless = method === "HEAD" || status < 200 || status === 204 || status === 304;
  const framing = bodiless ? "none" : coding !== undefined ? "chunked" : length !== undefined ? "length" : "close";
  return {
    status,
    statusText,
    headers,
    framing,
    length: framing === "none" ? 0 : framing === "length" ? Number(length) : -1,
    keepAlive: framing !== "close" && keepsAlive(connection, http10),
    keepAliveMs: keepAliveMs(keepAlive),
    eventStream,
  };
}

function keepsAlive(connection: string, http10: boolean): boolean {
  if (connection === "") return !http10;
  if (connection === ",keep-alive") return true;
  const options = connection.split(",").map((option) => option.trim());
  return !options.includes("close") && (!http10 || options.includes("keep-alive"));
}

function keepAliveMs(value: string): number {
  const seconds = /(?:^|[,;\s])timeout=(\d{1,6})/.exec(value)?.[1];
  return seconds === undefined ? Infinity : Number(seconds) * 1_000;
}

function invalid(reason: string): TransportError {
  return new TransportError("invalid_response", reason);
}
