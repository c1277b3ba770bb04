import { dirname } from "node:path";
import { limits } from "../defaults.ts";
import { ConfigError } from "../errors/config-error.ts";
import { SourceText } from "../errors/source-text.ts";
import { detectFormat, parseDocument } from "../load-document.ts";
import { readConfigText } from "../read-file.ts";
import type { Environment } from "./expand-variables.ts";
import { interpolate } from "./interpolate.ts";

/**
 * Returns the absolute paths of the certificate and key files that a configuration file names, even if it has mistakes.
 * Returns undefined when the file cannot be read or parsed.
 */
export function findReferencedFiles(file: string, env: Environment): readonly string[] | undefined {
  try {
    const { data } = parseDocument(new SourceText(readConfigText(file, limits.fileBytes)), file, detectFormat(file));
    return interpolate(data, { env, directory: dirname(file) }).files;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return undefined;
  }
}
