import type { ResolvedHeaderChanges } from "../config/resolved.ts";

/** Applies a route's header changes to names and values by turns: what is removed or set goes, what is set comes last. */
export function withHeaderChanges(headers: string[], changes: ResolvedHeaderChanges | undefined): string[] {
  if (changes === undefined) return headers;
  const result: string[] = [];
  for (let index = 0; index < headers.length; index += 2) {
    const name = headers[index] as string;
    if (!changes.drop.has(name.toLowerCase())) result.push(name, headers[index + 1] as string);
  }
  for (const [name, value] of changes.set) result.push(name, value);
  return result;
}
