import type { Socket } from "node:net";
import type { ErrorCode } from "../../errors.ts";

/** What node tells about bytes that are no request. */
export interface ParserError extends Error {
  readonly code?: string;
  /** The bytes that came last, and how many of them were read. */
  readonly rawPacket?: Uint8Array;
  readonly bytesParsed?: number;
}

/**
 * Whether it was the target or the header fields that were too long, which node does not tell: 414 or 431.
 *
 * It is read off the bytes that came last: the line that they break off in is a request line when it begins like one, or,
 * when it began in an earlier packet, when it ends like one. Header fields are assumed where neither is to be seen.
 */
export function overflowCode({ rawPacket, bytesParsed = 0 }: ParserError, socket: Socket): ErrorCode {
  if (rawPacket === undefined) return "headers_too_large";
  const text = Buffer.from(rawPacket.buffer, rawPacket.byteOffset, rawPacket.byteLength).toString("latin1");
  const lineStart = text.lastIndexOf("\n", bytesParsed - 1) + 1;
  const beginsHere = lineStart > 0 || socket.bytesRead === text.length;
  const isRequestLine = beginsHere
    ? /^[A-Z][A-Z-]* /.test(text.slice(lineStart, lineStart + 32))
    : text.slice(bytesParsed).startsWith(" HTTP/");
  return isRequestLine ? "uri_too_long" : "headers_too_large";
}
