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

/** The trailers that may go to a client that asked for them, as pairs. */
export function clientTrailers(raw: readonly string[]): [name: string, value: string][] {
  const passed: [string, string][] = [];
  for (let index = 0; index < raw.length; index += 2) {
    const name = raw[index] as string;
    if (!forbidden.has(name.toLowerCase())) passed.push([name, raw[index + 1] as string]);
  }
  return passed;
}
