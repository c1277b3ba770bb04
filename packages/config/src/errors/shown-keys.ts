import { optionKeys } from "evenkeel";
import { commandTables } from "../command-tables/schema.ts";

let names: ReadonlySet<string> | undefined;

/** Returns the keys whose values an error may show: the known options. Any other key may be a misspelt `token`. */
export function shownKeys(): ReadonlySet<string> {
  names ??= optionKeys(commandTables);
  return names;
}
