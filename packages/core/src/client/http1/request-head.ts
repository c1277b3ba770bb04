/**
 * Reads and judges the head of a request by the letter of RFC 9112. A head that two readers could understand differently is
 * refused, not repaired: bare CR or LF, folded lines, white space before a colon, lengths that are not plain decimal numbers,
 * both a length and a transfer coding, repeated ones, codings other than chunked.
 */

import { headPattern, splitFieldLines } from "../../http1/field-lines.ts";
import { bodyLength, keepsAlive } from "../../http1/framing.ts";
import { tokenChar } from "../../http1/grammar.ts";
import { malformed } from "../../http1/http1-error.ts";
import { isKnownMethod } from "./known-methods.ts";
import { RequestFault, type RequestLine } from "./request-fault.ts";

export interface RequestHead extends RequestLine {
  /** Alternating names and values as received, without the white space around values. */
  readonly headers: string[];
  /** Bytes of the body, 0 for none; -1 for a chunked one. */
  readonly bodyLength: number;
  /** The client sends another request on this connection. */
  readonly keepAlive: boolean;
  /** The request offers a WebSocket: a GET over HTTP/1.1 (RFC 6455 section 4.1). */
  readonly offersWebSocket: boolean;
}

const methodAndTarget = `(${tokenChar}+) ([\\x21-\\x7e]+)`;
/** Matches a whole head at once, since nearly every head is well formed. */
const wholeHead = headPattern(`${methodAndTarget} HTTP/1\\.([01])`);
const requestLine = new RegExp(`^${methodAndTarget} HTTP/(\\d)\\.(\\d)$`);
const forbidden = /[^\t\r\n -~\x80-\xff]|\r[^\n]|[^\r]\n/;

/** Parses a head without its empty line. Throws a `RequestFault`. */
export function parseRequestHead(text: string): RequestHead {
  const match = wholeHead.exec(text);
  if (match === null) throw faultOf(text);
  const method = match[1] as string;
  const target = match[2] as string;
  const isHttp10 = match[3] === "0";
  // Behind the target come ` HTTP/1.x` and the line end.
  const fieldsAt = method.length + target.length + 12;
  try {
    return judgeHead(method, target, isHttp10, splitFieldLines(text, fieldsAt, Infinity));
  } catch (error) {
    throw RequestFault.from(error, { method, target, httpVersion: isHttp10 ? "1.0" : "1.1" });
  }
}

/** Parses a whole request line. Throws a `RequestFault`. */
function parseRequestLine(line: string): RequestLine {
  const match = requestLine.exec(line);
  if (match === null) throw new RequestFault("bad_request", "a malformed request line");
  const [, method = "", target = "", major, minor] = match;
  const version = `${major}.${minor}`;
  const isSupported = version === "1.0" || version === "1.1";
  const parsed = { method, target, httpVersion: isSupported ? version : "" };
  if (!isSupported) throw new RequestFault("version_not_supported", "neither HTTP/1.0 nor HTTP/1.1", parsed);
  return parsed;
}

/** Throws when the beginning of a head cannot become well formed. `seen`: the length of what was checked before. */
export function checkPartialHead(text: string, seen: number): void {
  // From the last character that was checked: a CR whose LF may have arrived now, or an LF behind its CR.
  const from = Math.max(0, seen - 1);
  const added = from === 0 ? text : text.slice(from);
  if (!startsLikeRequest(text)) throw new RequestFault("bad_request", "not an HTTP/1 request");
  const lineEnd = text.indexOf("\r\n");
  // Checked when its end has arrived.
  if (lineEnd >= from) parseRequestLine(text.slice(0, lineEnd));
  if (forbidden.test(added)) {
    throw new RequestFault("bad_request", "a control character or a bare line break in the head", completeLine(text));
  }
}

/** The request line of a partial or malformed head, if it is complete and well formed. */
export function completeLine(text: string): RequestLine | undefined {
  const lineEnd = text.indexOf("\r\n");
  try {
    return lineEnd === -1 ? undefined : parseRequestLine(text.slice(0, lineEnd));
  } catch {
    return undefined;
  }
}

const requestStart = new RegExp(`^${tokenChar}`);

/** Clients of other protocols, TLS among them, may wait for a response before they send a line end. */
function startsLikeRequest(text: string): boolean {
  return text === "" || requestStart.test(text);
}

/** The first fault of a head, whatever the pieces in which it was received. */
function faultOf(text: string): RequestFault {
  try {
    const lineEnd = text.indexOf("\r\n");
    const line = parseRequestLine(lineEnd === -1 ? text : text.slice(0, lineEnd));
    // A folded line and white space before a colon are among these: white space is no part of a token.
    return new RequestFault("bad_request", "a malformed header line", line);
  } catch (error) {
    return RequestFault.from(error);
  }
}

/** Derives from the fields how the message is framed and whether the connection persists (RFC 9112 sections 6.3 and 9.3). */
function judgeHead(method: string, target: string, isHttp10: boolean, headers: string[]): RequestHead {
  let length: string | undefined;
  let coding: string | undefined;
  let connection = "";
  let upgrade = "";
  for (let index = 0; index < headers.length; index += 2) {
    const name = headers[index] as string;
    // The names that are read have these lengths.
    if (name.length !== 10 && name.length !== 14 && name.length !== 17 && name.length !== 7) continue;
    const lower = name.toLowerCase();
    if (lower === "connection") connection += `,${(headers[index + 1] as string).toLowerCase()}`;
    else if (lower === "content-length") {
      if (length !== undefined) throw malformed("more than one Content-Length");
      length = headers[index + 1] as string;
    } else if (lower === "transfer-encoding") {
      if (coding !== undefined) throw malformed("more than one Transfer-Encoding");
      coding = headers[index + 1] as string;
    } else if (lower === "upgrade") upgrade += `,${headers[index + 1]}`;
  }
  return {
    method,
    target,
    httpVersion: isHttp10 ? "1.0" : "1.1",
    headers,
    bodyLength: bodyLength(length, coding, isHttp10) ?? 0,
    keepAlive: keepsAlive(connection, isHttp10),
    offersWebSocket: upgrade !== "" && !isHttp10 && method === "GET" && isWebSocket(upgrade, connection),
  };
}

/** Without `upgrade` in the Connection field there is no offer (RFC 9110 section 7.8). */
function isWebSocket(upgrade: string, connection: string): boolean {
  return /,[ \t]*websocket[ \t]*(?:[,/]|$)/i.test(upgrade) && /,[ \t]*upgrade[ \t]*(?:,|$)/.test(connection);
}

/** Whether the method is one of HTTP. RTSP and ICE, which Node's parser reads as well, are none. */
export function isImplemented({ method }: RequestLine): boolean {
  return isKnownMethod(method);
}
