import { dirname, resolve } from "node:path";
import { type ConfigIssue, checkOptions, freezeDeep, type ProxyOptions } from "evenkeel";
import { crossCheckCommandTables } from "./command-tables/cross-check.ts";
import { resolveAccessLog, resolveAdmin, resolveServer, resolveTracing } from "./command-tables/resolve.ts";
import { commandTables } from "./command-tables/schema.ts";
import { limits } from "./defaults.ts";
import { ConfigError } from "./errors/config-error.ts";
import { toConfigError } from "./errors/format-error.ts";
import { shownKeys } from "./errors/shown-keys.ts";
import { SourceText } from "./errors/source-text.ts";
import type { FileConfig } from "./file-config.ts";
import type { Environment } from "./interpolate/expand-variables.ts";
import { interpolate } from "./interpolate/interpolate.ts";
import { type ConfigFormat, detectFormat, parseDocument } from "./load-document.ts";
import type { CommandTables } from "./options.ts";
import { findOffset } from "./syntax/source-map.ts";

export interface ParseConfigOptions {
  /** The path of the text's file. Errors name it, and relative paths are relative to its folder. */
  readonly file: string;
  /** Default: `process.env`. */
  readonly env?: Environment;
  /** Default: "json" for a file whose name ends in .json, else "toml". */
  readonly format?: ConfigFormat;
}

/**
 * Parses and validates the text of a configuration file. Reads the PEM files that it names, and no other file.
 *
 * Throws a `ConfigError` with all mistakes.
 */
export function parseConfig(text: string, options: ParseConfigOptions): FileConfig {
  const { file, env = process.env, format = detectFormat(file) } = options;
  if (text.length > limits.fileBytes) {
    throw new ConfigError("unreadable", file, `${file} is larger than the limit of ${limits.fileBytes} bytes`);
  }
  const directory = dirname(resolve(file));
  const source = new SourceText(text, shownKeys());
  const document = parseDocument(source, file, format);
  const { data, issues } = interpolate(document.data, { env, directory });
  const found = dropFollowUpIssues(issues, [...checkOptions(data, commandTables), ...crossCheckCommandTables(data)]);
  if (found.length > 0) {
    const mistakes = found.map(({ path, message, at }) =>
      source.mistakeAt(findOffset(document.sourceMap, path, at ?? "value"), path, message),
    );
    throw toConfigError("invalid", file, source, mistakes);
  }
  const { server = {}, admin, accessLog = {}, tracing, ...proxy } = data as ProxyOptions & CommandTables;
  return freezeDeep({
    options: proxy,
    server: resolveServer(server, directory),
    admin: admin && resolveAdmin(admin, directory),
    accessLog: resolveAccessLog(accessLog, directory),
    tracing: tracing && resolveTracing(tracing),
    file: resolve(file),
  });
}

/** A value that could not be interpolated is one mistake: drops what validation reports for the same path. */
function dropFollowUpIssues(first: readonly ConfigIssue[], then: readonly ConfigIssue[]): ConfigIssue[] {
  const paths = new Set(first.map(({ path }) => JSON.stringify(path)));
  return [...first, ...then.filter(({ path, at }) => at === "key" || !paths.has(JSON.stringify(path)))];
}
