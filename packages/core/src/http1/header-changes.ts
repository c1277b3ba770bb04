import type { ResolvedHeaderChanges } from "../config/resolved.ts";

/**
 * Applies header changes to names and values by turns: what is removed or set goes, what is set comes last, but for Host,
 * which belongs in front of all (RFC 9110 section 7.2).
 */
export function withHeaderChanges(headers: string[], changes: ResolvedHeaderChanges | undefined): string[] {
  if (changes === undefined) return headers;
  const result: string[] = [];
  if (changes.drop.has("host")) addSet(result, changes, true);
  for (let index = 0; index < headers.length; index += 2) {
    const name = headers[index] as string;
    if (!changes.drop.has(name.toLowerCase())) result.push(name, headers[index + 1] as string);
  }
  addSet(result, changes, false);
  return result;
}

/** Adds what is set: either Host, or everything else. */
function addSet(headers: string[], { set }: ResolvedHeaderChanges, host: boolean): void {
  for (const [name, value] of set) if ((name.toLowerCase() === "host") === host) headers.push(name, value);
}
