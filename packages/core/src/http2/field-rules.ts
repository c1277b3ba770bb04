/**
 * The fields that a message over HTTP/2 may have (RFC 9113 section 8.2). A field that breaks a rule makes its message
 * malformed: it is neither dropped nor forwarded.
 */

import { connectionSpecificNames } from "../http1/hop-by-hop.ts";

/** A name is a token without capitals; only pseudo-fields begin with a colon. */
const nameText = /^[!#$%&'*+\-.^_`|~0-9a-z]+$/;
/** No NUL, CR or LF, no other control character, and no white space at either end. */
const valueText = /^(?:[\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)?$/;

/** TE is not among them: it may say `trailers`. The other hop-by-hop fields are not malformed in HTTP/2. */
const connectionFields: ReadonlySet<string> = new Set(connectionSpecificNames);

/** Valid names that were seen: one lookup replaces a scan. Bounded, since a peer chooses the names. */
const knownNames = new Set<string>();
const maxKnownNames = 1_000;

/** Returns what is wrong with a field, if anything. */
export function faultOfField(name: string, value: string): string | undefined {
  if (!isKnownName(name)) {
    if (!nameText.test(name)) return "a field name out of grammar";
    if (connectionFields.has(name)) return `a field of the connection: ${name}`;
    if (name.length <= 64 && knownNames.size < maxKnownNames) knownNames.add(name);
  }
  if (!valueText.test(value)) return `a value out of grammar: ${name}`;
  if (name === "te" && value !== "trailers") return "a TE other than trailers";
  return undefined;
}

/** Whether a field is connection-specific and may not be sent over HTTP/2. The name is in lower case. */
export function isConnectionField(name: string): boolean {
  return connectionFields.has(name);
}

function isKnownName(name: string): boolean {
  return knownNames.has(name);
}
