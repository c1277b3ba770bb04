import { dirname } from "node:path";
import { ConfigError } from "./config-error.ts";
import { limits } from "./defaults.ts";
import type { Environment } from "./environment.ts";
import { fillIn } from "./fill-in.ts";
import { formatOf, readDocument } from "./read-document.ts";
import { readText } from "./read-text.ts";
import { SourceText } from "./source-text.ts";

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
