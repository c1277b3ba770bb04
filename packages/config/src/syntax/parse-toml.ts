import { parse, TomlError } from "smol-toml";
import { limits } from "../defaults.ts";
import { type Document, SyntaxMistake } from "./document.ts";
import { findTomlPlaces } from "./toml-source-map.ts";

/** Parses TOML. Throws a `SyntaxMistake`. */
export function readToml(text: string): Document {
  return { data: parseToml(text), places: findTomlPlaces(text) };
}

function parseToml(text: string): unknown {
  try {
    return parse(text, { maxDepth: limits.depth });
  } catch (error) {
    if (!(error instanceof TomlError)) throw new SyntaxMistake("not valid TOML", 0);
    // The message goes on with a block of code, and ours shows the line itself.
    const [, reason = "it cannot be parsed"] = /^Invalid TOML document: (.*)/.exec(error.message) ?? [];
    throw new SyntaxMistake(`not valid TOML: ${reason}`, offsetOf(text, error.line, error.column));
  }
}

function offsetOf(text: string, line: number, column: number): number {
  let start = 0;
  for (let passed = 1; passed < line; passed++) start = text.indexOf("\n", start) + 1;
  return start + column - 1;
}
