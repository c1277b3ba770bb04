import type { ConfigIssue } from "evenkeel";
import { limits } from "./defaults.ts";
import type { ConfigError } from "./errors/config-error.ts";
import { toConfigError } from "./errors/format-error.ts";
import { SourceText } from "./errors/source-text.ts";
import { formatOf, readDocument } from "./read-document.ts";
import { readText } from "./read-text.ts";
import { locate } from "./syntax/source-map.ts";

/** What a file says that is no configuration, such as a simulation's trace, and where it says it. */
export interface LoadedDocument {
  readonly data: unknown;
  /** Puts what is wrong with the data beside the lines of the file. */
  toError(issues: readonly ConfigIssue[]): ConfigError;
}

/** Reads a file of data: JSON when its name ends in .json, else TOML. Throws a `ConfigError`. */
export function loadDocument(path: string): LoadedDocument {
  const source = new SourceText(readText(path, limits.documentBytes));
  const { data, places } = readDocument(source, path, formatOf(path));
  return {
    data,
    toError(issues) {
      const mistakes = issues.map(({ path: keys, message, at }) =>
        source.mistakeAt(locate(places, keys, at ?? "value"), keys, message),
      );
      return toConfigError("invalid", path, source, mistakes);
    },
  };
}
