import type { Socket } from "node:net";
import type { ErrorCode } from "../../errors.ts";

/** What Node reports of bytes that are no request. */
export interface ParserError extends Error {
  readonly code?: string;
  /** The bytes that came last, and how many of them were read. */
  readonly rawPacket?: Uint8Array;
  readonly bytesParsed?: number;
}

/**
 * Decides between 414 (the target is too long) and 431 (the header fields are), which Node does not report.
 *
 * The last bytes received tell: the line in which they break off is a request line if it begins like one or, if it began in an
 * earlier packet, if it ends like one. Where neither is visible, header fields are assumed.
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
