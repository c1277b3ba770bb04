import type { ResolvedHeaderChanges } from "../config/resolved.ts";
import { withHeaderChanges } from "./header-changes.ts";

/** For this hop alone (RFC 9110 section 7.6.1), or framing, which is always our own. */
const dropped: ReadonlySet<string> = new Set([
  "connection",
  "keep-alive",
  "proxy-connection",
  "proxy-authenticate",
  "proxy-authorization",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
  "http2-settings",
  "via",
]);

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
    const lower = name.toLowerCase();
    if (lengthless && lower === "content-length") continue;
    if (!dropped.has(lower)) headers.push(name, value);
    else if (lower === "via") via = via === undefined ? value : `${via}, ${value}`;
    else if (lower === "connection") named = addNamed(named, value);
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

function addNamed(named: Set<string> | undefined, value: string): Set<string> {
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
