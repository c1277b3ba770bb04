import { dirname } from "node:path";
import { limits } from "../defaults.ts";
import { ConfigError } from "../errors/config-error.ts";
import { SourceText } from "../errors/source-text.ts";
import { formatOf, readDocument } from "../read-document.ts";
import { readText } from "../read-text.ts";
import type { Environment } from "./expand-variables.ts";
import { fillIn } from "./interpolate.ts";

/**
 * The absolute paths of the certificate and key files that a configuration file names, also when it has mistakes.
 * Undefined when it cannot be read or parsed.
 */
export function findReferencedFiles(file: string, env: Environment): readonly string[] | undefined {
  try {
    const { data } = readDocument(new SourceText(readText(file, limits.fileBytes)), file, formatOf(file));
    return fillIn(data, { env, directory: dirname(file) }).files;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return undefined;
  }
}
