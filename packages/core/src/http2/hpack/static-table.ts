/** The static table (RFC 7541 appendix A): alternating names and values, from index 1. */
const fields: readonly string[] = [
  ...[":authority", "", ":method", "GET", ":method", "POST", ":path", "/", ":path", "/index.html", ":scheme", "http"],
  ...[":scheme", "https", ":status", "200", ":status", "204", ":status", "206", ":status", "304", ":status", "400"],
  ...[":status", "404", ":status", "500", "accept-charset", "", "accept-encoding", "gzip, deflate"],
  ...["accept-language", "", "accept-ranges", "", "accept", "", "access-control-allow-origin", "", "age", ""],
  ...["allow", "", "authorization", "", "cache-control", "", "content-disposition", "", "content-encoding", ""],
  ...["content-language", "", "content-length", "", "content-location", "", "content-range", "", "content-type", ""],
  ...["cookie", "", "date", "", "etag", "", "expect", "", "expires", "", "from", "", "host", "", "if-match", ""],
  ...["if-modified-since", "", "if-none-match", "", "if-range", "", "if-unmodified-since", "", "last-modified", ""],
  ...["link", "", "location", "", "max-forwards", "", "proxy-authenticate", "", "proxy-authorization", ""],
  ...["range", "", "referer", "", "refresh", "", "retry-after", "", "server", "", "set-cookie", ""],
  ...["strict-transport-security", "", "transfer-encoding", "", "user-agent", "", "vary", "", "via", ""],
  ...["www-authenticate", ""],
];

export const staticTableLength: number = fields.length / 2;

export function staticName(index: number): string {
  return fields[index * 2 - 2] as string;
}

export function staticValue(index: number): string {
  return fields[index * 2 - 1] as string;
}

/** The first index of a name in the static table, and its index with each value. */
export interface StaticName {
  readonly index: number;
  readonly values: ReadonlyMap<string, number>;
}

/** The names of the static table. */
export const staticNames: ReadonlyMap<string, StaticName> = indexNames();

function indexNames(): Map<string, StaticName> {
  const names = new Map<string, { index: number; values: Map<string, number> }>();
  for (let index = 1; index <= staticTableLength; index++) {
    const name = staticName(index);
    const entry = names.get(name) ?? { index, values: new Map<string, number>() };
    if (staticValue(index) !== "") entry.values.set(staticValue(index), index);
    names.set(name, entry);
  }
  return names;
}
