import { ProxyError } from "evenkeel";

/**
 * Why a configuration could not be used: there is no such file; it cannot be read (a directory, no permission, too
 * large); it is not valid TOML, JSON or UTF-8; or what it says does not check out.
 */
export type ConfigErrorKind = "missing" | "unreadable" | "syntax" | "invalid";

/** One mistake in a configuration file and its place. */
export interface ConfigMistake {
  /** Keys and indexes from the top; empty for a syntax error and for the file as a whole. */
  readonly path: readonly (string | number)[];
  /** What is wrong and what is allowed. */
  readonly message: string;
  /** From 1. */
  readonly line: number;
  /** From 1, in UTF-16 code units, as editors count. */
  readonly column: number;
}

/** Thrown for a configuration file that cannot be used. Its message names every mistake with its line. */
export class ConfigError extends ProxyError {
  readonly kind: ConfigErrorKind;
  /** The file as it was given. */
  readonly file: string;
  /** In the order of the lines; empty when nothing could be read. */
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
