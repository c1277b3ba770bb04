import { parse, TomlError } from "smol-toml";
import { limits } from "../defaults.ts";
import { type Document, DocumentSyntaxError } from "./document.ts";
import { mapTomlSource } from "./toml-source-map.ts";

/** Parses TOML. Throws a `DocumentSyntaxError`. */
export function parseToml(text: string): Document {
  return { data: parseData(text), sourceMap: mapTomlSource(text) };
}

function parseData(text: string): unknown {
  try {
    return parse(text, { maxDepth: limits.depth });
  } catch (error) {
    if (!(error instanceof TomlError)) throw new DocumentSyntaxError("not valid TOML", 0);
    // The rest of the message is a code block; our error shows the line itself.
    const [, reason = "it cannot be parsed"] = /^Invalid TOML document: (.*)/.exec(error.message) ?? [];
    throw new DocumentSyntaxError(`not valid TOML: ${reason}`, offsetOf(text, error.line, error.column));
  }
}

function offsetOf(text: string, line: number, column: number): number {
  let start = 0;
  for (let passed = 1; passed < line; passed++) start = text.indexOf("\n", start) + 1;
  return start + column - 1;
}
