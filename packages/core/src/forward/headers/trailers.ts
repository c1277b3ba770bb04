import { hopByHopNames } from "../../http1/hop-by-hop.ts";

/**
 * A trailer has no hop-by-hop fields, and none that frame, route, authenticate or describe the body, since those would come
 * too late (RFC 9110 section 6.5.1).
 */
const forbidden: ReadonlySet<string> = new Set([
  ...hopByHopNames,
  "authorization",
  "age",
  "cache-control",
  "content-encoding",
  "content-length",
  "content-range",
  "content-type",
  "cookie",
  "date",
  "expires",
  "host",
  "location",
  "max-forwards",
  "pragma",
  "range",
  "retry-after",
  "set-cookie",
  "vary",
  "via",
  "www-authenticate",
]);

/**
 * Returns the trailers that may go to a client that asked for them, as pairs. `named` are the names that the response's
 * Connection lists, in lower case: such fields are not forwarded in a trailer either.
 *
 * A request's trailers are not forwarded. Few upstreams read them, and an upstream that merges them into the headers would let
 * a client add headers past every check (RFC 9110 section 6.5.1 lets a proxy discard trailers).
 */
export function clientTrailers(
  raw: readonly string[],
  named: ReadonlySet<string> | undefined,
): [name: string, value: string][] {
  const passed: [string, string][] = [];
  for (let index = 0; index < raw.length; index += 2) {
    const name = raw[index] as string;
    const lower = name.toLowerCase();
    if (!forbidden.has(lower) && named?.has(lower) !== true) passed.push([name, raw[index + 1] as string]);
  }
  return passed;
}
