import { fieldText, token } from "../../http1/grammar.ts";
import { isConnectionField } from "../../http2/field-rules.ts";

/** Stands for the name of a header that is not sent over HTTP/2. */
const dropped = "";

/** Names as written -> names as sent: one lookup replaces a conversion and its checks. Bounded, since names come from upstreams. */
const sentNames = new Map<string, string>();
const maxSentNames = 1_000;

/**
 * Returns the fields of a response over HTTP/2: names in lower case, without those of a connection (RFC 9113 section 8.2.2).
 * Throws a `TypeError` for a name or a value that cannot be sent.
 */
export function responseFields(headers: readonly string[]): string[] {
  const fields: string[] = [];
  for (let index = 0; index < headers.length; index += 2) {
    const name = sentName(headers[index] as string);
    if (name === dropped) continue;
    fields.push(name, sentValue(name, headers[index + 1] as string));
  }
  return fields;
}

/** The same for trailers, as pairs. */
export function trailerFields(trailers: readonly (readonly [name: string, value: string])[]): string[] {
  return trailers.length === 0 ? noFields : responseFields(trailers.flat());
}

const noFields: string[] = [];

function sentName(name: string): string {
  const known = sentNames.get(name);
  if (known !== undefined) return known;
  if (!token.test(name)) throw new TypeError(`a header name that cannot be sent: ${JSON.stringify(name)}`);
  const lower = name.toLowerCase();
  const sent = isConnectionField(lower) ? dropped : lower;
  if (sentNames.size < maxSentNames && name.length <= 64) sentNames.set(name, sent);
  return sent;
}

/** HTTP/2 allows no white space at the ends of a value. */
function sentValue(name: string, value: string): string {
  if (!fieldText.test(value)) throw new TypeError(`a value that cannot be sent: ${name}`);
  const first = value.charCodeAt(0);
  const last = value.charCodeAt(value.length - 1);
  const isPadded = first === 0x20 || first === 0x09 || last === 0x20 || last === 0x09;
  return isPadded ? value.replace(/^[ \t]+|[ \t]+$/g, "") : value;
}
