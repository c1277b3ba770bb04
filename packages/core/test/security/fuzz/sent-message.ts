/**
 * A second reading of bytes that were sent to the proxy, by the letter of RFC 9112: all that its grammar has, and of what it
 * lets a recipient put up with only what every recipient reads alike. Shares no code with the proxy.
 */

import { type Field, StrictError, valuesOf } from "../../support/strict-http.ts";

export interface SentHead {
  readonly startLine: string;
  readonly fields: readonly Field[];
  /** The place behind the empty line. */
  readonly end: number;
}

export interface SentBody {
  readonly body: Buffer;
  readonly trailers: readonly Field[];
  readonly complete: boolean;
  /** Behind it, or at what is wrong. */
  readonly end: number;
  readonly violation: string | undefined;
}

/** Undefined while it is not whole. */
export function readSentHead(bytes: Buffer, start: number): SentHead | undefined {
  const end = bytes.indexOf("\r\n\r\n", start);
  if (end === -1) return undefined;
  const [startLine = "", ...lines] = bytes.toString("latin1", start, end).split("\r\n");
  return { startLine, fields: lines.map(readField), end: end + 4 };
}

/** Bytes of the body, -1 for chunks, or undefined when nothing is said. */
export function framingOf(fields: readonly Field[], minor: number): number | undefined {
  const lengths = valuesOf(fields, "content-length");
  const codings = valuesOf(fields, "transfer-encoding");
  if (lengths.length + codings.length > 1) throw new StrictError("framed more than once");
  const [length] = lengths;
  const [coding] = codings;
  if (length !== undefined) {
    if (!/^\d{1,15}$/.test(length)) throw new StrictError("a length out of grammar");
    return Number(length);
  }
  if (coding === undefined) return undefined;
  if (minor === 0) throw new StrictError("a transfer coding in HTTP/1.0");
  if (coding.toLowerCase() !== "chunked") throw new StrictError("a coding that is not chunked");
  return -1;
}

export function readSentBody(bytes: Buffer, start: number, framing: number): SentBody {
  if (framing === -1) return readChunks(bytes, start);
  const end = Math.min(bytes.length, start + framing);
  const body = bytes.subarray(start, end);
  return { body, trailers: [], complete: end === start + framing, end, violation: undefined };
}

/** The options of all Connection lines, in lower case. */
export function connectionOptions(fields: readonly Field[]): string[] {
  return valuesOf(fields, "connection").flatMap((value) =>
    value.split(",").map((option) => option.trim().toLowerCase()),
  );
}

function readField(line: string): Field {
  const match = /^([!#$%&'*+\-.^_`|~\w]+):[\t ]*([\t\x20-\x7e\x80-\xff]*?)[\t ]*$/.exec(line);
  if (match === null) throw new StrictError("a field out of grammar");
  return [match[1] ?? "", match[2] ?? ""];
}

/** Node's parser lets a name or a value be empty; none of them goes any further. */
const token = "[!#$%&'*+\\-.^_`|~\\w]*";
const quoted = '"(?:[\\t !#-\\[\\]-~\\x80-\\xff]|\\\\[\\t -~\\x80-\\xff])*"';
const chunkLine = new RegExp(
  `^([0-9a-f]+)(?:[\\t ]*;[\\t ]*${token}(?:[\\t ]*=[\\t ]*(?:${token}|${quoted}))?)*$`,
  "i",
);

function readChunks(bytes: Buffer, start: number): SentBody {
  const chunks: Buffer[] = [];
  const stop = (end: number, violation?: string): SentBody => ({
    ...{ body: Buffer.concat(chunks), trailers: [], complete: false, end, violation },
  });
  for (let position = start; ; ) {
    const lineEnd = bytes.indexOf("\r\n", position);
    if (lineEnd === -1) return stop(bytes.length);
    const digits = chunkLine.exec(bytes.toString("latin1", position, lineEnd))?.[1];
    const size = Number.parseInt(digits ?? "", 16);
    // More digits than 64 bits have are read by nobody; what is less than that, but cannot come, is never whole.
    if (digits === undefined || digits.replace(/^0+/, "").length > 16)
      return stop(position, "a chunk's size out of grammar");
    if (size === 0) return readTrailers(bytes, lineEnd + 2, stop);
    position = lineEnd + 2 + size;
    chunks.push(bytes.subarray(lineEnd + 2, position));
    if (bytes.length < position + 2) return stop(bytes.length);
    if (bytes.toString("latin1", position, position + 2) !== "\r\n") return stop(position, "a chunk without its end");
    position += 2;
  }
}

function readTrailers(bytes: Buffer, start: number, stop: (end: number, violation?: string) => SentBody): SentBody {
  const trailers: Field[] = [];
  for (let position = start; ; ) {
    const lineEnd = bytes.indexOf("\r\n", position);
    if (lineEnd === -1) return stop(bytes.length);
    if (lineEnd === position) return { ...stop(lineEnd + 2), trailers, complete: true };
    try {
      trailers.push(readField(bytes.toString("latin1", position, lineEnd)));
    } catch {
      return stop(position, "trailers out of grammar");
    }
    position = lineEnd + 2;
  }
}
