/**
 * Returns the first `limit` values of a cookie in a request, in order and byte for byte. Names of cookies are case-sensitive (RFC
 * 6265), and may be repeated.
 */
export function cookieValues(headers: readonly string[], cookie: string, limit: number): string[] {
  const values: string[] = [];
  for (let index = 0; index < headers.length; index += 2) {
    const name = headers[index] as string;
    if (name.length !== 6 || name.toLowerCase() !== "cookie") continue;
    collect(headers[index + 1] as string, cookie, limit, values);
  }
  return values;
}

function collect(line: string, cookie: string, limit: number, values: string[]): void {
  for (let start = 0; start < line.length && values.length < limit; ) {
    const semicolon = line.indexOf(";", start);
    const end = semicolon === -1 ? line.length : semicolon;
    while (line[start] === " " || line[start] === "\t") start++;
    const equals = start + cookie.length;
    if (line[equals] === "=" && equals < end && line.startsWith(cookie, start)) {
      values.push(line.slice(equals + 1, end).trimEnd());
    }
    start = end + 1;
  }
}
