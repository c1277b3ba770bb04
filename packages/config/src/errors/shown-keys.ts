import { optionKeys } from "evenkeel";
import { commandTables } from "../command-tables/schema.ts";

let names: ReadonlySet<string> | undefined;

/** Keys whose values an error may show: those of known options. Any other may be a misspelt `token`. */
export function shownKeys(): ReadonlySet<string> {
  names ??= optionKeys(commandTables);
  return names;
}
