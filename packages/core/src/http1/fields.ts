/** Operations on fields of a head or of trailers, given as alternating names and values. */

/**
 * Groups fields by their name. A repeated field has the list of its values, in order.
 * Names are in lower case, or spelled as in their first appearance.
 */
export function toFieldRecord(
  fields: readonly string[],
  spelling: "lower-case" | "first",
): Record<string, string | string[]> {
  // Without a prototype, a field may be named `__proto__`.
  const record: Record<string, string | string[]> = Object.create(null);
  const spellings = new Map<string, string>();
  for (let index = 0; index < fields.length; index += 2) {
    const given = fields[index] as string;
    const lower = given.toLowerCase();
    const name = spellings.get(lower) ?? (spelling === "first" ? given : lower);
    const value = fields[index + 1] as string;
    const before = record[name];
    spellings.set(lower, name);
    record[name] = before === undefined ? value : [before, value].flat();
  }
  return record;
}

/** Adds the fields whose lower-case name is not in `names` to `kept`, and returns it. */
export function withoutFields(fields: readonly string[], names: ReadonlySet<string>, kept: string[] = []): string[] {
  for (let index = 0; index < fields.length; index += 2) {
    const name = fields[index] as string;
    if (!names.has(name.toLowerCase())) kept.push(name, fields[index + 1] as string);
  }
  return kept;
}

/** The value of a field, several joined by commas (RFC 9110 section 5.3); undefined without one. `lower` is in lower case. */
export function fieldValue(fields: readonly string[], lower: string): string | undefined {
  let found: string | undefined;
  for (let index = 0; index < fields.length; index += 2) {
    const name = fields[index] as string;
    if (name.length !== lower.length || name.toLowerCase() !== lower) continue;
    const value = fields[index + 1] as string;
    found = found === undefined ? value : `${found}, ${value}`;
  }
  return found;
}
