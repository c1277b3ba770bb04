/** Returns the line in front of a chunk of `length` bytes (RFC 9112 section 7.1). CR LF follows its data. */
export function chunkHead(length: number): string {
  return `${length.toString(16)}\r\n`;
}

/** Ends a chunked body without trailers. */
export const lastChunk = "0\r\n\r\n";
