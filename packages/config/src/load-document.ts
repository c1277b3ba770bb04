import type { ConfigIssue } from "evenkeel";
import type { ConfigError } from "./config-error.ts";
import { limits } from "./defaults.ts";
import { locate } from "./places.ts";
import { formatOf, readDocument } from "./read-document.ts";
import { readText } from "./read-text.ts";
import { toConfigError } from "./report.ts";
import { SourceText } from "./source-text.ts";

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
