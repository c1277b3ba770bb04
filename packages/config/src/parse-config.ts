import { dirname, resolve } from "node:path";
import { type ConfigIssue, checkOptions, type ProxyOptions } from "evenkeel";
import { crossCheckCommandTables, resolveAccessLog, resolveAdmin, resolveServer } from "./command-tables/resolve.ts";
import { commandTables } from "./command-tables/schema.ts";
import { limits } from "./defaults.ts";
import { ConfigError } from "./errors/config-error.ts";
import { toConfigError } from "./errors/format-error.ts";
import { shownKeys } from "./errors/shown-keys.ts";
import { SourceText } from "./errors/source-text.ts";
import type { FileConfig } from "./file-config.ts";
import { freezeDeep } from "./freeze-deep.ts";
import type { Environment } from "./interpolate/expand-variables.ts";
import { fillIn } from "./interpolate/interpolate.ts";
import type { CommandTables } from "./options.ts";
import { type ConfigFormat, formatOf, readDocument } from "./read-document.ts";
import { locate } from "./syntax/source-map.ts";

export interface ParseConfigOptions {
  /** The file that the text came from: named in errors, and what relative paths are relative to. */
  readonly file: string;
  /** Default: `process.env`. */
  readonly env?: Environment;
  /** Default: "json" for a file whose name ends in .json, else "toml". */
  readonly format?: ConfigFormat;
}

/**
 * Turns the text of a configuration file into checked options. Reads the PEM files that it names, and nothing else.
 *
 * Throws a `ConfigError` that names every mistake at once.
 */
export function parseConfig(text: string, options: ParseConfigOptions): FileConfig {
  const { file, env = process.env, format = formatOf(file) } = options;
  if (text.length > limits.fileBytes) {
    throw new ConfigError("unreadable", file, `${file} is larger than the limit of ${limits.fileBytes} bytes`);
  }
  const directory = dirname(resolve(file));
  const source = new SourceText(text, shownKeys());
  const document = readDocument(source, file, format);
  const { data, issues } = fillIn(document.data, { env, directory });
  const found = withoutFollowUps(issues, [...checkOptions(data, commandTables), ...crossCheckCommandTables(data)]);
  if (found.length > 0) {
    const mistakes = found.map(({ path, message, at }) =>
      source.mistakeAt(locate(document.places, path, at ?? "value"), path, message),
    );
    throw toConfigError("invalid", file, source, mistakes);
  }
  const { server = {}, admin, accessLog = {}, ...proxy } = data as ProxyOptions & CommandTables;
  return freezeDeep({
    options: proxy,
    server: resolveServer(server, directory),
    admin: admin && resolveAdmin(admin, directory),
    accessLog: resolveAccessLog(accessLog, directory),
    file: resolve(file),
  });
}

/** What could not be filled in is one mistake, though the checks object to what is left in its place too. */
function withoutFollowUps(first: readonly ConfigIssue[], then: readonly ConfigIssue[]): ConfigIssue[] {
  const paths = new Set(first.map(({ path }) => JSON.stringify(path)));
  return [...first, ...then.filter(({ path, at }) => at === "key" || !paths.has(JSON.stringify(path)))];
}
