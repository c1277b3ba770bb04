import { limits } from "./defaults.ts";
import { shownKeys } from "./errors/shown-keys.ts";
import type { FileConfig } from "./file-config.ts";
import type { Environment } from "./interpolate/expand-variables.ts";
import { parseConfig } from "./parse-config.ts";
import { readConfigText } from "./read-file.ts";

export interface LoadConfigOptions {
  /** The environment variables that `${NAME}` may refer to. Default: `process.env`. */
  readonly env?: Environment;
}

/**
 * Reads a configuration file: JSON when its name ends in .json, else TOML.
 *
 * Throws a `ConfigError` whose `kind` says whether the file is missing, unreadable, malformed or invalid.
 */
export function loadConfig(path: string, options: LoadConfigOptions = {}): FileConfig {
  return parseConfig(readConfigText(path, limits.fileBytes, shownKeys()), { file: path, ...options });
}
