import { fieldText, fieldTextSource, token, tokenChar } from "../../http1/grammar.ts";
import { reasonPhrase } from "../../http1/reason-phrase.ts";

/** How the end of a response's body is marked. */
export type ResponseFraming = "none" | "length" | "chunked" | "close";

export interface ResponseHeadInput {
  readonly status: number;
  readonly reason: string;
  /** Names and values by turns. A Connection field is not sent: it says whether the connection closes. */
  readonly headers: readonly string[];
  readonly method: string;
  readonly isHttp10: boolean;
  readonly dateLine: string;
}

/** A head whose last fields depend on whether the connection stays open. */
export interface ResponseHead {
  /** Status line and fields, each with its line end. Connection and Transfer-Encoding are left to the caller. */
  readonly text: string;
  readonly framing: ResponseFraming;
  /** Bytes of the body with the framing "length". */
  readonly length: number;
  /** The Connection field asks for the end of the connection. */
  readonly asksToClose: boolean;
  readonly contentType: string;
}

const wholeHead = new RegExp(
  `^HTTP/1\\.1 [1-9]\\d\\d ${fieldTextSource}\\r\\n(?:${tokenChar}+: ${fieldTextSource}\\r\\n)*$`,
);

/** Composes a head. Throws on a name or value that no head can contain: an app's hook may have set it. */
export function composeHead(input: ResponseHeadInput): ResponseHead {
  const { status, reason, headers } = input;
  let text = `HTTP/1.1 ${status} ${reason}\r\n`;
  let lines = 1;
  let length: string | undefined;
  let contentType = "";
  let hasDate = false;
  let asksToClose = false;
  for (let index = 0; index < headers.length; index += 2) {
    const name = headers[index] as string;
    const value = headers[index + 1] as string;
    if (isNamed(name, "Connection", "connection")) {
      asksToClose ||= /(?:^|,)[ \t]*close[ \t]*(?:,|$)/i.test(value);
      continue;
    }
    if (isNamed(name, "Content-Length", "content-length")) length = value;
    else if (isNamed(name, "Content-Type", "content-type")) contentType = value;
    else if (isNamed(name, "Date", "date")) hasDate = true;
    text += `${name}: ${value}\r\n`;
    lines++;
  }
  if (!wholeHead.test(text) || countLines(text) !== lines) throw invalidHead(input);
  if (!hasDate) text += input.dateLine;
  const [framing, bodyLength] = framingOf(input, length);
  return { text, framing, length: bodyLength, asksToClose: asksToClose || framing === "close", contentType };
}

/** Compares a name with its usual spelling first. Of other names most differ in length. */
function isNamed(name: string, usual: string, lower: string): boolean {
  return name.length === usual.length && (name === usual || name.toLowerCase() === lower);
}

function framingOf(
  { method, status, isHttp10 }: ResponseHeadInput,
  length: string | undefined,
): [ResponseFraming, number] {
  if (method === "HEAD" || status === 204 || status === 304) return ["none", 0];
  if (length !== undefined) return ["length", toLength(length)];
  return [isHttp10 ? "close" : "chunked", 0];
}

/** An interim response (RFC 9110 section 15.2). */
export function interimResponse(status: number, headers: readonly string[]): string {
  let text = `HTTP/1.1 ${status} ${reasonPhrase(status)}\r\n`;
  for (let index = 0; index < headers.length; index += 2) text += fieldLine(headers, index);
  return `${text}\r\n`;
}

/** The head of the response that accepts a WebSocket (RFC 6455 section 4.2.2). */
export function switchingProtocols(headers: readonly string[]): string {
  let text = "HTTP/1.1 101 Switching Protocols\r\n";
  for (let index = 0; index < headers.length; index += 2) text += fieldLine(headers, index);
  return `${text}Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n`;
}

/** The last chunk of a body with its trailers. */
export function lastChunkWith(trailers: readonly (readonly [name: string, value: string])[]): string {
  let text = "0\r\n";
  for (const field of trailers) text += fieldLine(field, 0);
  return `${text}\r\n`;
}

function fieldLine(fields: readonly string[], index: number): string {
  const name = fields[index] as string;
  const value = fields[index + 1] as string;
  if (!token.test(name) || !fieldText.test(value)) throw invalidField(name);
  return `${name}: ${value}\r\n`;
}

function countLines(text: string): number {
  let lines = 0;
  for (let at = text.indexOf("\r\n"); at !== -1; at = text.indexOf("\r\n", at + 2)) lines++;
  return lines;
}

function toLength(value: string): number {
  if (!/^\d{1,15}$/.test(value)) throw invalidField("Content-Length");
  return Number(value);
}

function invalidHead({ status, headers }: ResponseHeadInput): TypeError {
  for (let index = 0; index < headers.length; index += 2) {
    const name = headers[index] as string;
    if (!token.test(name) || !fieldText.test(headers[index + 1] as string)) return invalidField(name);
  }
  return new TypeError(`a status line that HTTP does not allow: ${status}`);
}

function invalidField(name: string): TypeError {
  return new TypeError(`a header field that HTTP does not allow: ${JSON.stringify(name.slice(0, 100))}`);
}
