import { ProxyError } from "evenkeel";

/**
 * The reason that a configuration cannot be used: `missing`: there is no such file. `unreadable`: it is a directory, is too
 * large, or permission is denied. `syntax`: it is not valid TOML, JSON or UTF-8. `invalid`: its options are wrong.
 */
export type ConfigErrorKind = "missing" | "unreadable" | "syntax" | "invalid";

/** One mistake in a configuration file, and its position. */
export interface ConfigMistake {
  /** Keys and indexes from the top level; empty for a syntax error and for the file as a whole. */
  readonly path: readonly (string | number)[];
  /** Says what is wrong and what is allowed. */
  readonly message: string;
  /** From 1. */
  readonly line: number;
  /** From 1, in UTF-16 code units, as editors count. */
  readonly column: number;
}

/** Thrown for a configuration file that cannot be used. The message lists the mistakes with their lines. */
export class ConfigError extends ProxyError {
  readonly kind: ConfigErrorKind;
  /** The path that was given. */
  readonly file: string;
  /** In the order of their lines; empty for a file that could not be read. */
  readonly mistakes: readonly ConfigMistake[];

  constructor(
    kind: ConfigErrorKind,
    file: string,
    message: string,
    { mistakes = [], cause }: { mistakes?: readonly ConfigMistake[]; cause?: unknown } = {},
  ) {
    super("invalid_options", message, cause === undefined ? {} : { cause });
    this.kind = kind;
    this.file = file;
    this.mistakes = mistakes;
  }
}
