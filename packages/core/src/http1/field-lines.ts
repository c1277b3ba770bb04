/**
 * Field lines of a head or of trailers (RFC 9112 section 5). A line that two readers could understand differently is
 * malformed, not repaired: a bare CR or LF, a folded line, white space before a colon.
 */

import { fieldTextSource, framingName, tokenChar } from "./grammar.ts";
import { Http1Error, malformed } from "./http1-error.ts";

const fieldLine = `${tokenChar}+:${fieldTextSource}`;
const trailerSection = new RegExp(`^${fieldLine}(?:\\r\\n${fieldLine})*$`);

/** Returns an expression for a whole head without its empty line: a start line, given by its source, and field lines. */
export function headPattern(startLine: string): RegExp {
  return new RegExp(`^${startLine}(?:\\r\\n${fieldLine})*$`);
}

/** Returns what is wrong with a head that does not match its pattern. `startLine` matches the beginning of a valid one. */
export function faultOfHead(text: string, startLine: RegExp, startLineName: "status line" | "request line"): string {
  if (/[^\t\r\n -~\x80-\xff]/.test(text)) return "a control character in the head";
  if (/\r$/.test(text) || hasBareLineBreak(text)) return "a bare CR or LF in the head";
  if (!startLine.test(text)) return `a malformed ${startLineName}`;
  // A folded line and white space before a colon are among these: white space is no part of a token.
  return "a malformed header line";
}

/** Whether a CR or an LF stands alone. A CR at the end of the text may be the first half of a line end. */
export function hasBareLineBreak(text: string): boolean {
  return /(?:^|[^\r])\n|\r[^\n]/.test(text);
}

/** Splits well-formed field lines into alternating names and values, from `start` to the end of the text. */
export function splitFieldLines(text: string, start: number, maxFields: number): string[] {
  const fields: string[] = [];
  for (let position = start; position < text.length; ) {
    const colon = text.indexOf(":", position);
    const lineEnd = text.indexOf("\r\n", colon);
    const end = lineEnd === -1 ? text.length : lineEnd;
    const name = text.slice(position, colon);
    fields.push(name, readValue(text, colon + 1, end, name));
    if (fields.length > maxFields * 2) throw new Http1Error("too-large", "too many header fields");
    position = end + 2;
  }
  return fields;
}

/**
 * Parses trailers without their empty line into alternating names and values. Trailers that would frame the message are left
 * out: its framing is known by then, and RFC 9110 section 6.5.1 has them ignored.
 */
export function parseTrailers(text: string, maxFields: number): string[] {
  if (text === "") return [];
  if (!trailerSection.test(text)) throw malformed("malformed trailers");
  const kept = text.split("\r\n").filter((line) => !framingName.test(line.slice(0, line.indexOf(":"))));
  return splitFieldLines(kept.join("\r\n"), 0, maxFields);
}

/** Removes the optional white space around a value (RFC 9112 section 5.1). */
function readValue(text: string, start: number, end: number, name: string): string {
  let from = start;
  let to = end;
  while (from < to && isSpace(text.charCodeAt(from))) from++;
  while (to > from && isSpace(text.charCodeAt(to - 1))) to--;
  // llhttp, and so most of Node, takes `chunked` and a tab for another coding, and reads on until the end.
  if (to < end && framingName.test(name) && text.slice(to, end).includes("\t")) {
    throw malformed("a tab behind a length or a transfer coding");
  }
  return text.slice(from, to);
}

function isSpace(code: number): boolean {
  return code === 0x20 || code === 0x09;
}
