import { type HeaderChangeSet, withHeaderChanges } from "../../http1/header-changes.ts";
import { bySpelling } from "../../http1/header-classifier.ts";
import { hopByHopNames } from "../../http1/hop-by-hop.ts";

type Kind = "passed" | "dropped" | "connection" | "length" | "via";

const kinds: ReadonlyMap<string, Kind> = new Map<string, Kind>([
  ...hopByHopNames.map((name) => [name, "dropped"] as const),
  // Dropped as well, but read for the names that it lists.
  ["connection", "connection"],
  ["content-length", "length"],
  ["via", "via"],
]);

const usual = bySpelling(kinds, "passed");

/**
 * Returns the headers for the client: the upstream's in their order, without those of the upstream connection, then Via and
 * the route's changes. Content-Length stays where the upstream had it; the transport has checked it.
 */
export function clientHeaders(raw: readonly string[], changes: HeaderChangeSet | undefined, status = 200): string[] {
  // These have no body, and a length would announce one (RFC 9110 section 8.6).
  const lengthless = status < 200 || status === 204;
  const headers: string[] = [];
  let named: Set<string> | undefined;
  let via: string | undefined;
  for (let index = 0; index < raw.length; index += 2) {
    const name = raw[index] as string;
    const value = raw[index + 1] as string;
    const kind = usual.get(name) ?? kinds.get(name.toLowerCase()) ?? "passed";
    if (kind === "passed" || (kind === "length" && !lengthless)) headers.push(name, value);
    else if (kind === "via") via = via === undefined ? value : `${via}, ${value}`;
    else if (kind === "connection") named = addNamed(named, value);
  }
  const kept = named === undefined ? headers : headers.filter((_, index) => !named.has(lowerNameAt(headers, index)));
  kept.push("Via", via === undefined ? "1.1 evenkeel" : `${via}, 1.1 evenkeel`);
  return withHeaderChanges(kept, changes);
}

/** Returns the names that all lines of Connection list, in lower case: those fields are not forwarded. */
export function connectionNames(raw: readonly string[]): ReadonlySet<string> | undefined {
  let named: Set<string> | undefined;
  for (let index = 0; index < raw.length; index += 2) {
    if ((raw[index] as string).toLowerCase() === "connection") named = addNamed(named, raw[index + 1] as string);
  }
  return named;
}

function addNamed(named: Set<string> | undefined, value: string): Set<string> | undefined {
  if (value === "keep-alive" || value === "close") return named;
  const names = named ?? new Set<string>();
  for (const option of value.split(",")) names.add(option.trim().toLowerCase());
  // The proxy frames the message: an upstream cannot make it drop the length.
  names.delete("content-length");
  return names;
}

/** Returns the lower-case name of the header whose name or value is at `index`. */
function lowerNameAt(headers: readonly string[], index: number): string {
  return (headers[index - (index % 2)] as string).toLowerCase();
}
