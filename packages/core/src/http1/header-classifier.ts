/** Common header names that are forwarded unchanged. */
const unchanged = [
  ...["accept-encoding", "accept-language", "accept-ranges", "access-control-allow-origin", "age", "authorization"],
  ...["cache-control", "content-encoding", "content-language", "content-type", "cookie", "date", "dnt", "etag"],
  ...["expires", "if-modified-since", "if-none-match", "last-modified", "location", "origin", "pragma", "priority"],
  ...["range", "sec-fetch-dest", "sec-fetch-mode", "sec-fetch-site", "sec-fetch-user", "server", "set-cookie"],
  ...["strict-transport-security", "upgrade-insecure-requests", "vary", "x-content-type-options", "x-frame-options"],
];

/**
 * Returns a table of header kinds by the common spellings of names, in lower case and with capitals, so that most headers need
 * no copy in lower case. Common names without a kind get `passed`. A name that is not found has to be looked up in lower case.
 */
export function bySpelling<Kind extends string>(
  kinds: ReadonlyMap<string, Kind>,
  passed: Kind,
): ReadonlyMap<string, Kind> {
  const table = new Map<string, Kind>();
  for (const name of unchanged) for (const spelling of spellingsOf(name)) table.set(spelling, passed);
  for (const [name, kind] of kinds) for (const spelling of spellingsOf(name)) table.set(spelling, kind);
  return table;
}

function spellingsOf(name: string): readonly string[] {
  return [name, name.replace(/(?:^|-)[a-z]/g, (start) => start.toUpperCase())];
}

/** Common names of requests that are read, changed or dropped. */
const treated = [
  ...["accept", "connection", "content-length", "expect", "forwarded", "host", "keep-alive", "referer", "te"],
  ...["traceparent", "transfer-encoding", "upgrade", "user-agent", "via", "x-forwarded-for", "x-forwarded-host"],
  ...["x-forwarded-port", "x-forwarded-proto", "x-real-ip", "x-request-id"],
];

const lowerNames: ReadonlyMap<string, string> = new Map(
  [...unchanged, ...treated].flatMap((name) => spellingsOf(name).map((spelling) => [spelling, name] as const)),
);

/** Returns a header name in lower case, for common spellings without a copy. */
export function lowerName(name: string): string {
  return lowerNames.get(name) ?? name.toLowerCase();
}
