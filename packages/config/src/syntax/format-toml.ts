import { stringify } from "smol-toml";

/** Returns plain data as TOML. What is null has no place in it and is left out. */
export function formatToml(data: object): string {
  return stringify(withoutNull(data) as object);
}

function withoutNull(value: unknown): unknown {
  if (Array.isArray(value)) return value.filter((element) => element !== null).map(withoutNull);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).filter(([, element]) => element !== null && element !== undefined);
  return Object.fromEntries(entries.map(([key, element]) => [key, withoutNull(element)]));
}
