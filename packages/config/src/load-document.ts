import { extname } from "node:path";
import type { ConfigIssue } from "evenkeel";
import { limits } from "./defaults.ts";
import type { ConfigError } from "./errors/config-error.ts";
import { toConfigError } from "./errors/format-error.ts";
import { SourceText } from "./errors/source-text.ts";
import { readConfigText } from "./read-file.ts";
import { type Document, DocumentSyntaxError } from "./syntax/document.ts";
import { parseJson } from "./syntax/parse-json.ts";
import { parseToml } from "./syntax/parse-toml.ts";
import { findOffset } from "./syntax/source-map.ts";

export type ConfigFormat = "toml" | "json";

/** The data of a file that is not a configuration, such as a simulation's trace. */
export interface LoadedDocument {
  readonly data: unknown;
  /** Makes an error of issues with the data, which shows the lines of the file. */
  toError(issues: readonly ConfigIssue[]): ConfigError;
}

/** Reads a file of data: JSON when its name ends in .json, else TOML. Throws a `ConfigError`. */
export function loadDocument(path: string): LoadedDocument {
  const source = new SourceText(readConfigText(path, limits.documentBytes));
  const { data, sourceMap } = parseDocument(source, path, detectFormat(path));
  return {
    data,
    toError(issues) {
      const mistakes = issues.map(({ path: keys, message, at }) =>
        source.mistakeAt(findOffset(sourceMap, keys, at ?? "value"), keys, message),
      );
      return toConfigError("invalid", path, source, mistakes);
    },
  };
}

/** Returns JSON for a name that ends in .json, else TOML. */
export function detectFormat(file: string): ConfigFormat {
  return extname(file).toLowerCase() === ".json" ? "json" : "toml";
}

/** Parses a file's text. Throws a `ConfigError` that points at the first syntax error. */
export function parseDocument(source: SourceText, file: string, format: ConfigFormat): Document {
  try {
    return format === "json" ? parseJson(source.text) : parseToml(source.text);
  } catch (error) {
    if (!(error instanceof DocumentSyntaxError)) throw error;
    throw toConfigError("syntax", file, source, [source.mistakeAt(error.offset, [], error.message)]);
  }
}
