import { withoutFields } from "./fields.ts";

/** Headers to set and to drop. */
export interface HeaderChangeSet {
  /** Names as written, with their values. */
  readonly set: readonly (readonly [name: string, value: string])[];
  /** Lower-case names to drop, those that `set` replaces included. */
  readonly drop: ReadonlySet<string>;
}

/**
 * Applies header changes to alternating names and values. Headers that are set come last, except Host, which comes first
 * (RFC 9110 section 7.2).
 */
export function withHeaderChanges(headers: string[], changes: HeaderChangeSet | undefined): string[] {
  if (changes === undefined) return headers;
  const result: string[] = [];
  if (changes.drop.has("host")) addSet(result, changes, true);
  withoutFields(headers, changes.drop, result);
  addSet(result, changes, false);
  return result;
}

/** Adds the headers to set: either Host, or all others. */
function addSet(headers: string[], { set }: HeaderChangeSet, host: boolean): void {
  for (const [name, value] of set) if ((name.toLowerCase() === "host") === host) headers.push(name, value);
}
