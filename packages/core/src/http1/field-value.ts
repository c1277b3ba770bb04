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
