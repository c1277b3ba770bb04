/** Fields that frame, route, authenticate or describe the body come too late in a trailer (RFC 9110 section 6.5.1). */
const forbidden: ReadonlySet<string> = new Set([
  "authorization",
  "age",
  "cache-control",
  "connection",
  "content-encoding",
  "content-length",
  "content-range",
  "content-type",
  "cookie",
  "date",
  "expires",
  "host",
  "http2-settings",
  "keep-alive",
  "location",
  "max-forwards",
  "pragma",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "range",
  "retry-after",
  "set-cookie",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
  "vary",
  "via",
  "www-authenticate",
]);

/**
 * The trailers that may go to a client that asked for them, as pairs. `named` are the names that the response's Connection
 * lists, in lower case: what is for one hop is so in a trailer, too.
 *
 * A request's trailers go no further. Hardly an upstream reads them, and those that merge them into the headers would let a
 * client add what was checked before it came (RFC 9110 section 6.5.1 lets a proxy discard them).
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
