import type { ResolvedHeaderChanges } from "../../config/resolved.ts";
import { withHeaderChanges } from "../../http1/header-changes.ts";
import { bySpelling } from "../../http1/header-classifier.ts";

type Kind = "passed" | "dropped" | "connection" | "length" | "via";

/** Dropped is what is for this hop alone (RFC 9110 section 7.6.1), and framing, which is always our own. */
const kinds: ReadonlyMap<string, Kind> = new Map([
  ["connection", "connection"],
  ["keep-alive", "dropped"],
  ["proxy-connection", "dropped"],
  ["proxy-authenticate", "dropped"],
  ["proxy-authorization", "dropped"],
  ["te", "dropped"],
  ["trailer", "dropped"],
  ["transfer-encoding", "dropped"],
  ["upgrade", "dropped"],
  ["http2-settings", "dropped"],
  ["content-length", "length"],
  ["via", "via"],
]);

const usual = bySpelling(kinds, "passed");

/**
 * The headers that go to the client: the upstream's in their order, without what is for the other hop, then Via and the
 * route's changes. Content-Length stays where the upstream had it; the transport has checked it.
 */
export function clientHeaders(
  raw: readonly string[],
  changes: ResolvedHeaderChanges | undefined,
  status = 200,
): string[] {
  // These have no body, and a length would promise one (RFC 9110 section 8.6).
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

/** The names that are for the other hop alone, on every line of Connection, in lower case. */
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
  // Framing is ours: an upstream cannot have its length taken off.
  names.delete("content-length");
  return names;
}

/** The name that the header at an even or odd place belongs to. */
function lowerNameAt(headers: readonly string[], index: number): string {
  return (headers[index - (index % 2)] as string).toLowerCase();
}
