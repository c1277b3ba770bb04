import { isUtf8 } from "node:buffer";
import { ConfigError } from "./errors/config-error.ts";
import { toConfigError } from "./errors/format-error.ts";
import { SourceText } from "./errors/source-text.ts";
import { FileProblem, readFile } from "./read-file.ts";

/**
 * Reads a file of text in UTF-8 that has at most so many bytes. Throws a `ConfigError` that says what is wrong with it.
 * `shownKeys` are the keys whose values an error may show.
 */
export function readText(path: string, maxBytes: number, shownKeys?: ReadonlySet<string>): string {
  let bytes: Buffer;
  try {
    bytes = readFile(path, maxBytes);
  } catch (error) {
    if (!(error instanceof FileProblem)) throw error;
    throw new ConfigError(error.kind, path, error.message, { cause: error.cause });
  }
  if (!isUtf8(bytes)) throw notUtf8(path, bytes, shownKeys);
  return bytes.toString("utf8");
}

/** Names the first line that is not UTF-8, and there the first character that shows it. */
function notUtf8(path: string, bytes: Buffer, shownKeys: ReadonlySet<string> | undefined): ConfigError {
  let start = 0;
  let end = bytes.indexOf("\n");
  while (end >= 0 && isUtf8(bytes.subarray(start, end))) {
    start = end + 1;
    end = bytes.indexOf("\n", start);
  }
  const line = bytes.subarray(start, end < 0 ? bytes.length : end).toString("utf8");
  const source = new SourceText(bytes.toString("utf8"), shownKeys);
  const offset = bytes.subarray(0, start).toString("utf8").length + line.indexOf("\ufffd");
  return toConfigError("syntax", path, source, [
    source.mistakeAt(offset, [], "not UTF-8: save the file as text in UTF-8"),
  ]);
}
