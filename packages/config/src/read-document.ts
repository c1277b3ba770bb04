import { extname } from "node:path";
import { toConfigError } from "./errors/format-error.ts";
import type { SourceText } from "./errors/source-text.ts";
import { type Document, SyntaxMistake } from "./syntax/document.ts";
import { readJson } from "./syntax/parse-json.ts";
import { readToml } from "./syntax/parse-toml.ts";

export type ConfigFormat = "toml" | "json";

/** By its name: JSON when that ends in .json. */
export function formatOf(file: string): ConfigFormat {
  return extname(file).toLowerCase() === ".json" ? "json" : "toml";
}

/** Parses a file's text. Throws a `ConfigError` with the place of the first mistake. */
export function readDocument(source: SourceText, file: string, format: ConfigFormat): Document {
  try {
    return format === "json" ? readJson(source.text) : readToml(source.text);
  } catch (error) {
    if (!(error instanceof SyntaxMistake)) throw error;
    throw toConfigError("syntax", file, source, [source.mistakeAt(error.offset, [], error.message)]);
  }
}
